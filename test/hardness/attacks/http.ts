/** The HTTP port, which probes and scrapers use. */
import { type Attack, expectSoon, expectThat, mebibytes } from "../attack.ts";

const clients = 300;
const does = "300 clients send half a head to the HTTP port";

export const httpAttack: Attack = {
  name: "half a head",
  does,
  memory: { bytes: mebibytes(32), because: "256 sockets of the HTTP port" },
  perform: async (stage) => {
    const sockets = await Promise.all(
      Array.from({ length: clients }, () => stage.socket(stage.subject.httpPort)),
    );
    for (const socket of sockets)
      socket.send(Buffer.from("GET /metrics HTTP/1.1\r\nhost: a\r\nx-"));
    const open = (): number => sockets.filter(({ stillOpen }) => stillOpen).length;
    await expectSoon(() => open() <= 256, "connections above the limit are closed at once");
    expectThat(open() > 200, `${open()} connections are open below the limit`);
    // httpHeadersMsMax, and how often Node looks.
    await expectSoon(() => open() === 0, "the rest is closed for want of a head", 15_000);
    for (const socket of sockets) socket.destroy();
    expectThat((await stage.subject.metric("process_open_fds")) > 0, "the port serves again");
    return "closed: at once above 256, the rest after 10 s";
  },
};
