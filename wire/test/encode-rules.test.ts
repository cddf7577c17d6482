import { describe, expect, it } from "vitest";
import { DecodeError, EncodeError } from "../src/codec/errors.ts";
import { Reader } from "../src/codec/reader.ts";
import { Writer } from "../src/codec/writer.ts";
import { decodeFetchRequest, encodeFetchRequest } from "../src/generated/01-fetch.ts";
import { decodeMetadataRequest, encodeMetadataRequest } from "../src/generated/03-metadata.ts";
import { encodeJoinGroupRequest } from "../src/generated/11-join-group.ts";
import { decodeProduceResponse, encodeProduceResponse } from "../src/generated/00-produce.ts";
import type { ProduceResponseInput } from "../src/generated/00-produce.ts";

function encoded(write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer();
  write(writer);
  return writer.finishBytes();
}

const movedPartition: ProduceResponseInput = {
  responses: [
    {
      name: "orders",
      partitionResponses: [
        { index: 0, errorCode: 6, baseOffset: -1, currentLeader: { leaderId: 2, leaderEpoch: 5 } },
      ],
    },
  ],
};

describe("encoding into a version", () => {
  it("refuses a value in a field that the version lacks and that must not be dropped", () => {
    const write = (): Uint8Array =>
      encoded((writer) => encodeProduceResponse(writer, 9, movedPartition));
    expect(write).toThrow(EncodeError);
    expect(write).toThrow("version 9 has no currentLeader");
  });

  it("keeps that field where the version has it", () => {
    const bytes = encoded((writer) => encodeProduceResponse(writer, 10, movedPartition));
    const response = decodeProduceResponse(new Reader(bytes), 10);
    const partition = response.responses[0]?.partitionResponses[0];
    expect(partition?.currentLeader).toEqual({ leaderId: 2, leaderEpoch: 5 });
  });

  it("drops a value in a field that may be dropped", () => {
    const request = { maxWaitMs: 1, minBytes: 1, topics: [], rackId: "a" };
    const bytes = encoded((writer) => encodeFetchRequest(writer, 4, request));
    expect(decodeFetchRequest(new Reader(bytes), 4).rackId).toBe("");
  });

  it("fills in the schema's default for what the caller leaves out", () => {
    const request = { maxWaitMs: 1, minBytes: 1, topics: [] };
    const bytes = encoded((writer) => encodeFetchRequest(writer, 12, request));
    const decoded = decodeFetchRequest(new Reader(bytes), 12);
    expect(decoded).toMatchObject({ replicaId: -1, maxBytes: 0x7fffffff, sessionEpoch: -1 });
  });

  it("refuses null in a version in which the field is never null", () => {
    expect(() => encoded((writer) => encodeMetadataRequest(writer, 0, { topics: null }))).toThrow(
      EncodeError,
    );
    const all = encoded((writer) => encodeMetadataRequest(writer, 1, { topics: null }));
    expect(decodeMetadataRequest(new Reader(all), 1).topics).toBeNull();
  });

  it("refuses a version that does not exist", () => {
    const request = {
      groupId: "g",
      sessionTimeoutMs: 1,
      memberId: "",
      protocolType: "consumer",
      protocols: [],
    };
    expect(() => encoded((writer) => encodeJoinGroupRequest(writer, 10, request))).toThrow(
      "JoinGroupRequest has no version 10",
    );
  });
});

describe("decoding tagged fields", () => {
  it("skips those of a later schema and keeps those that it knows", () => {
    const bytes = encoded((writer) => encodeFetchRequest(writer, 12, fetchOfCluster("c1")));
    // The request's tags end the message: one more, number 99, goes behind the first.
    const longer = Uint8Array.from([...bytes, 99, 2, 0xaa, 0xbb]);
    longer[bytes.length - 6] = 2;
    const reader = new Reader(longer);
    expect(decodeFetchRequest(reader, 12).clusterId).toBe("c1");
    expect(reader.remaining).toBe(0);
  });

  it("refuses a known one that does not end where it said", () => {
    const bytes = encoded((writer) => encodeFetchRequest(writer, 12, fetchOfCluster("c1")));
    const longer = Uint8Array.from([...bytes, 0]);
    longer[bytes.length - 4] = 4;
    expect(() => decodeFetchRequest(new Reader(longer), 12)).toThrow(DecodeError);
  });
});

function fetchOfCluster(clusterId: string): Parameters<typeof encodeFetchRequest>[2] {
  return { clusterId, maxWaitMs: 1, minBytes: 1, topics: [] };
}
