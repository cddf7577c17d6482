/** Clients that take their time, or never take what they asked for. */
import { ApiKey } from "@millrace/wire";
import {
  type Attack,
  expectClosed,
  expectEqual,
  expectSoon,
  expectThat,
  mebibytes,
  type Stage,
} from "../attack.ts";
import { produceBatches } from "../load.ts";
import type { RawSocket } from "../raw-socket.ts";
import { int32, requestBytes } from "../requests.ts";
import { pause } from "../subject.ts";

const slowClients = 400;
const slowSeconds = 5;

/** A frame's first byte buys one allocation of 1 MiB, of which the pages written to are resident. */
const oneByteASecond: Attack = {
  name: "one byte a second",
  does: `${slowClients} clients, each sending a valid request one byte a second for ${slowSeconds} s`,
  memory: {
    bytes: mebibytes(128),
    because: "400 frames under way of some bytes, and their sockets",
  },
  perform: async (stage) => {
    const request = requestBytes(ApiKey.Metadata, 9, { topics: [] });
    const sockets = await stage.manySockets(slowClients);
    for (let sent = 0; sent < slowSeconds; sent += 1) {
      for (const socket of sockets) socket.send(request.subarray(sent, sent + 1));
      await pause(1_000);
    }
    expectThat(
      sockets.every(({ stillOpen }) => stillOpen),
      "a slow client was cut off before connections.max.idle.ms",
    );
    for (const socket of sockets) socket.send(request.subarray(slowSeconds));
    await expectSoon(() => sockets.every(({ receivedBytes }) => receivedBytes > 0), "answers");
    return "served, when their requests are whole";
  },
};

/** Announces the largest frame, and sends a tenth of a megabyte of it. */
const halfFrames: Attack = {
  name: "announced and not sent",
  does: "300 clients announce a frame of 100 MiB and send 100 KB of it",
  memory: {
    bytes: mebibytes(256 + 200 + 64),
    because: "request memory (256 MiB) and two frames above it, of what was received times four",
  },
  perform: async (stage) => {
    const sockets = await stage.manySockets(300);
    const part = Buffer.concat([int32(104_857_600), new Uint8Array(100_000)]);
    for (const socket of sockets) socket.send(part);
    await pause(1_500);
    const held = await stage.subject.metric("millrace_request_memory_bytes");
    const limit = await stage.subject.metric("millrace_request_memory_limit_bytes");
    expectThat(held <= limit + 2 * 104_857_600, `${held} bytes held for requests of ${limit}`);
    const waiting = await stage.subject.metric("millrace_request_memory_waiting_connections");
    for (const socket of sockets) socket.destroy();
    await expectSoon(
      async () => (await stage.subject.metric("millrace_request_memory_bytes")) < mebibytes(1),
      "the frames' memory is given back",
    );
    return `${(held / mebibytes(1)).toFixed(0)} MiB held of a limit of ${(limit / mebibytes(1)).toFixed(0)}; ${waiting} waited`;
  },
};

/** Fetches of 8 MB each; nobody reads the answers. */
function hungryRequest(): Uint8Array {
  const partition = { partition: 0, fetchOffset: 0, partitionMaxBytes: mebibytes(8) };
  return requestBytes(ApiKey.Fetch, 11, {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: mebibytes(8),
    topics: [{ topic: "large", partitions: [partition] }],
  });
}

const readsNever = 200;

const neverReads: Attack = {
  name: "never reads",
  does: `${readsNever} clients ask for 8 MB twenty times each, and read nothing`,
  memory: {
    bytes: mebibytes(256 + 64 + 128),
    because: "unsent replies of all connections (256 MiB), one reply more, and the sockets",
  },
  perform: async (stage) => {
    await produceBatches(stage, "large", mebibytes(16));
    const request = hungryRequest();
    const sockets = await stage.manySockets(readsNever);
    for (const socket of sockets) socket.stopReading();
    for (let round = 0; round < 20; round += 1) for (const socket of sockets) socket.send(request);
    await pause(1_000);
    const comes = performance.now();
    const newcomer = await stage.socket();
    newcomer.send(requestBytes(ApiKey.ApiVersions, 0, {}));
    await expectSoon(() => newcomer.receivedBytes > 0, "a newcomer is answered", 3_000);
    await pause(Math.max(0, 2_000 - (performance.now() - comes)));
    const unsent = await stage.subject.metric("millrace_unsent_reply_bytes");
    expectThat(unsent <= mebibytes(256 + 9), `${unsent} bytes of replies wait to be sent`);
    await closeAll(stage, sockets);
    return `${(unsent / mebibytes(1)).toFixed(0)} MiB of replies held at most`;
  },
};

async function closeAll(stage: Stage, sockets: readonly RawSocket[]): Promise<void> {
  for (const socket of sockets) socket.reset();
  await expectSoon(
    async () => (await stage.subject.metric("millrace_unsent_reply_bytes")) === 0,
    "unsent replies are let go of",
  );
}

const pipelined = 2_000;

const pipelines: Attack = {
  name: "pipelining without reading",
  does: `ten clients send ${pipelined} requests for Metadata each at once, and read nothing`,
  memory: {
    bytes: mebibytes(10 * (16 + 1) + 64),
    because: "requests in flight of ten connections (16 MiB each) and their watermarks",
  },
  perform: async (stage) => {
    const sockets = await stage.manySockets(10);
    const request = requestBytes(ApiKey.Metadata, 9, { topics: null });
    const many = Buffer.concat(Array.from({ length: pipelined }, () => request));
    for (const socket of sockets) {
      socket.stopReading();
      socket.send(many);
    }
    await pause(2_000);
    for (const socket of sockets) socket.readOn();
    const sizes = new Set<number>();
    await expectSoon(
      async () => {
        const before = sockets.map(({ receivedBytes }) => receivedBytes);
        await pause(300);
        const after = sockets.map(({ receivedBytes }) => receivedBytes);
        for (const size of after) sizes.add(size);
        return before.every((size, index) => size > 0 && size === after[index]);
      },
      "all replies arrive once they are read",
      30_000,
    );
    const ends = new Set(sockets.map(({ receivedBytes }) => receivedBytes));
    expectEqual(ends.size, 1, "different sizes of what ten equal clients received");
    return "held back, then answered in full";
  },
};

const neverAsks: Attack = {
  name: "half-closed",
  does: "300 clients close their side after half a frame",
  memory: { bytes: mebibytes(32), because: "nothing is kept of them" },
  perform: async (stage) => {
    const sockets = await stage.manySockets(300);
    for (const socket of sockets) {
      socket.send(Buffer.concat([int32(1000), new Uint8Array(100)]));
      socket.end();
    }
    await expectSoon(() => sockets.every(({ stillOpen }) => !stillOpen), "all are closed");
    await expectClosed(stage, int32(-1), "frameNegative");
    return "closed";
  },
};

export const slowClientAttacks: readonly Attack[] = [
  oneByteASecond,
  halfFrames,
  neverReads,
  pipelines,
  neverAsks,
];
