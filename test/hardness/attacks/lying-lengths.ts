/** Lengths that no bytes follow, or more than a string may have. */
import { ApiKey } from "@millrace/wire";
import { type Attack, expectClosed, mebibytes } from "../attack.ts";
import { int32, rawRequest, uvarint } from "../requests.ts";

/** Texts of a megabyte, and arrays that claim 2^31-1 elements: the protocol has no error there. */
export const lyingLengths: Attack = {
  name: "lying lengths",
  does: "names, ids and configs of 1 MB; arrays of 2^31-1 and -2 elements; 10,001 tagged fields",
  memory: { bytes: mebibytes(64), because: "a length is checked before anything is made of it" },
  perform: async (stage) => {
    // A megabyte as a compact string: its length and one, as a varint, then its bytes.
    const long = Buffer.concat([uvarint(1_000_001), Buffer.alloc(1_000_000, "n")]);
    const bodies = [
      // One topic, group or key whose name it is; the fields before it come first.
      rawRequest(ApiKey.CreateTopics, 7, Buffer.concat([uvarint(2), long])),
      rawRequest(ApiKey.FindCoordinator, 4, Buffer.concat([uvarint(0), uvarint(2), long])),
      rawRequest(ApiKey.DescribeGroups, 5, Buffer.concat([uvarint(2), long])),
      rawRequest(ApiKey.JoinGroup, 7, long),
      rawRequest(ApiKey.OffsetCommit, 8, long),
      rawRequest(
        ApiKey.IncrementalAlterConfigs,
        1,
        Buffer.concat([uvarint(2), Buffer.from([2]), long]),
      ),
      // Metadata v1 counts in four bytes; 2^31-1 and -2 there, and in v9 the same as a varint.
      rawRequest(ApiKey.Metadata, 1, int32(0x7fffffff)),
      rawRequest(ApiKey.Metadata, 1, int32(-2)),
      rawRequest(ApiKey.Metadata, 9, uvarint(0x7fffffff)),
      rawRequest(ApiKey.Metadata, 9, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])),
      // No topics, three flags, then 10,001 tagged fields of no bytes.
      rawRequest(
        ApiKey.Metadata,
        9,
        Buffer.concat([Buffer.from([1, 0, 0, 0]), uvarint(10_001), Buffer.alloc(20_002)]),
      ),
    ];
    for (const bytes of bodies) await expectClosed(stage, bytes, "undecodable");
    return `${bodies.length} cases; closed: undecodable`;
  },
};
