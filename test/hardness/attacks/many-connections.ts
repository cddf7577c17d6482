/** Connections in numbers. */
import { ApiKey } from "@millrace/wire";
import { type Attack, expectSoon, expectThat, mebibytes } from "../attack.ts";
import { int32, requestBytes } from "../requests.ts";
import { pause } from "../subject.ts";

const many = 5_000;
const request = requestBytes(ApiKey.ApiVersions, 0, {});

const fiveThousand: Attack = {
  name: "5,000 connections",
  does: "one client opens 5,000 connections; half of them stay idle after half a frame",
  memory: {
    bytes: mebibytes(5_000 * 0.03 + 256),
    because: "30 KB a connection with its socket, and a frame of some bytes for half of them",
  },
  perform: async (stage) => {
    const sockets = await stage.manySockets(many);
    for (const [index, socket] of sockets.entries()) {
      if (index % 2 === 0) socket.send(request);
      else socket.send(Buffer.concat([int32(1000), new Uint8Array(500)]));
    }
    const asking = sockets.filter((_, index) => index % 2 === 0);
    await expectSoon(() => asking.every(({ receivedBytes }) => receivedBytes > 0), "answers");
    const open = await stage.subject.metric("millrace_connections");
    expectThat(open >= many, `${open} connections are open`);
    for (const socket of sockets) socket.destroy();
    await expectSoon(
      async () => (await stage.subject.metric("millrace_connections")) < 20,
      "all are closed",
    );
    return `all served; ${stage.subject.descriptors()} descriptors afterwards`;
  },
};

const stormRounds = 60;

const storm: Attack = {
  name: "reconnect storm",
  does: `${stormRounds * 100} connections, a hundred at a time, each with one request, half of them reset`,
  memory: { bytes: mebibytes(128), because: "a hundred connections at a time" },
  perform: async (stage) => {
    for (let round = 0; round < stormRounds; round += 1) {
      const sockets = await stage.manySockets(100);
      for (const socket of sockets) socket.send(request);
      await pause(1);
      for (const [index, socket] of sockets.entries()) {
        if (index % 2 === 0) socket.reset();
        else socket.destroy();
      }
    }
    await expectSoon(
      async () => (await stage.subject.metric("millrace_connections")) < 20,
      "all are closed",
    );
    return "served; no line in the log";
  },
};

export const connectionAttacks: readonly Attack[] = [fiveThousand, storm];
