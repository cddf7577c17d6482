/** Bytes that are no requests: the connection ends, with one line in the log, and nobody else's. */
import { apis, ApiKey, Reader } from "@millrace/wire";
import { SeededRandom } from "@millrace/adapter-memory";
import {
  type Attack,
  expectClosed,
  expectEqual,
  expectThat,
  mebibytes,
  type Stage,
} from "../attack.ts";
import { framed, int32, rawRequest, requestBytes } from "../requests.ts";
import { pause } from "../subject.ts";

const noFrame = {
  bytes: mebibytes(64),
  because: "a refused frame is never allocated; metrics and log lines are the rest",
};

const lengths: Attack = {
  name: "frame lengths",
  does: "frames of 2^31-1, 100 MiB + 1, -1, -2^31, 0 and 7 bytes",
  memory: noFrame,
  perform: async (stage) => {
    const linesBefore = stage.subject.logLines().length;
    await expectClosed(stage, int32(0x7fffffff), "frameTooLarge");
    await expectClosed(stage, int32(104_857_601), "frameTooLarge");
    await expectClosed(stage, int32(-1), "frameNegative");
    await expectClosed(stage, int32(-0x80000000), "frameNegative");
    await expectClosed(stage, int32(0), "undecodable");
    await expectClosed(stage, framed(new Uint8Array(7)), "undecodable");
    const reasons = stage.subject
      .logLines()
      .slice(linesBefore)
      .map(({ reason }) => reason);
    expectEqual(
      reasons,
      [
        "frameTooLarge",
        "frameTooLarge",
        "frameNegative",
        "frameNegative",
        "undecodable",
        "undecodable",
      ],
      "one log line each",
    );
    return "closed: frameTooLarge, frameNegative, undecodable; one log line each";
  },
};

/** APIs that a broker lists, each with its newest version. */
async function served(stage: Stage): Promise<ReadonlyMap<number, number>> {
  const client = await stage.client();
  const { apiKeys } = await client.ask(ApiKey.ApiVersions, 3, {
    clientSoftwareName: "attacker",
    clientSoftwareVersion: "1",
  });
  return new Map(apiKeys.map(({ apiKey, maxVersion }) => [apiKey, maxVersion]));
}

const unknownApis: Attack = {
  name: "unknown APIs and versions",
  does: "every API in versions max+1, -1 and 32767; keys that nobody has; APIs that are not served",
  memory: noFrame,
  perform: async (stage) => {
    const listed = await served(stage);
    const noBody = new Uint8Array(0);
    for (const key of [-1, 4, 9999, 32_767, -32_768]) {
      await expectClosed(stage, rawRequest(key, 0, noBody), "unknownApi");
    }
    for (const { key, maxVersion } of Object.values(apis)) {
      const newest = listed.get(key);
      if (newest === undefined) {
        await expectClosed(stage, rawRequest(key, maxVersion, noBody), "unknownApi");
        continue;
      }
      if (key === ApiKey.ApiVersions) continue;
      for (const version of [newest + 1, -1, 32_767]) {
        await expectClosed(stage, rawRequest(key, version, noBody), "unsupportedVersion");
      }
    }
    await versionsAnyClientCanRead(stage, listed.get(ApiKey.ApiVersions) ?? 0);
    return `${listed.size} APIs; closed: unknownApi, unsupportedVersion; ApiVersions: error 35 in v0`;
  },
};

async function versionsAnyClientCanRead(stage: Stage, newest: number): Promise<void> {
  const client = await stage.client();
  for (const version of [-1, newest + 1, 32_767]) {
    const frame = await client.exchange(rawRequest(ApiKey.ApiVersions, version, new Uint8Array(0)));
    const reader = new Reader(frame);
    reader.int32();
    expectEqual(reader.int16(), 35, `ApiVersions v${version}`);
  }
}

const cutSeed = 20_261;
const truncated: Attack = {
  name: "truncated requests",
  does: "valid requests cut at every byte, in frames that announce what they hold",
  memory: noFrame,
  perform: async (stage) => {
    const whole = requestBytes(ApiKey.Fetch, 12, {
      maxWaitMs: 0,
      minBytes: 0,
      topics: [
        { topic: "probed", partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }] },
      ],
      rackId: "",
    }).subarray(4);
    // The last byte counts tagged fields; without it the body is cut, too.
    for (let length = 8; length < whole.length; length += 1) {
      await expectClosed(stage, framed(whole.subarray(0, length)), "undecodable");
    }
    return `${whole.length - 8} cuts; closed: undecodable`;
  },
};

const random: Attack = {
  name: "random bytes",
  does: "2,000 connections, each sending up to 4 KiB of random bytes as they are or in a frame",
  memory: noFrame,
  perform: async (stage) => {
    const random = new SeededRandom(cutSeed);
    for (let round = 0; round < 40; round += 1) {
      const sockets = await stage.manySockets(50);
      for (const [index, socket] of sockets.entries()) {
        const bytes = Uint8Array.from({ length: 1 + random.below(4096) }, () => random.below(256));
        socket.send(index % 2 === 0 ? framed(bytes) : bytes);
      }
      await pause(5);
      for (const socket of sockets) socket.destroy();
    }
    expectThat(!stage.subject.ended(), "the broker ended");
    return `closed, or waiting for the rest of a frame (seed ${cutSeed})`;
  },
};

const mutated: Attack = {
  name: "valid headers, random bodies",
  does: "every API in every version with 64 random bytes as its body",
  memory: noFrame,
  perform: async (stage) => {
    const random = new SeededRandom(cutSeed + 1);
    let sent = 0;
    for (const [key, newest] of await served(stage)) {
      const bodies = Array.from({ length: newest + 1 }, (_, version) =>
        rawRequest(
          key,
          version,
          Uint8Array.from({ length: 64 }, () => random.below(256)),
        ),
      );
      const sockets = await stage.manySockets(bodies.length);
      for (const [index, socket] of sockets.entries()) socket.send(bodies[index] ?? int32(-1));
      sent += bodies.length;
      await pause(5);
      for (const socket of sockets) socket.destroy();
    }
    const failures = await stage.subject.metric(
      'millrace_connections_closed_total{reason="handlerFailed"}',
    );
    expectEqual(failures, 0, "requests that made a handler fail");
    return `${sent} requests; closed or answered with an error; no handler failed`;
  },
};

export const frameAttacks: readonly Attack[] = [lengths, unknownApis, truncated, random, mutated];
