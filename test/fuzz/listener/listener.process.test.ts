/** The bounded form of the target, and the mistakes that it must find. */
import { readdirSync } from "node:fs";
import { truncate } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fuzz, repeatCommand } from "../target.ts";
import { openFaultProxy, type ProxyFaults } from "./fault-proxy.ts";
import { ListenerTarget, type Plant } from "./listener.ts";

test("no bytes on real sockets harm the process, other clients, or what they wrote", async () => {
  const target = await ListenerTarget.open();
  const { cases, findings, ending } = await fuzz(target, {
    ...{ seed: 1, casesMax: 14, msMax: 2_000, findingsMax: 3 },
  });
  const told = findings.flatMap(({ seed, what }) => [repeatCommand(target.name, seed), ...what]);
  expect([...told, ...ending]).toEqual([]);
  expect(cases).toBeGreaterThan(1);
});

const plants: readonly {
  readonly name: string;
  readonly faults: ProxyFaults;
  readonly what: RegExp;
}[] = [
  {
    name: "a flipped bit in every fifth reply",
    faults: {
      reply: (frame, nth) => {
        if (nth % 5 !== 0) return frame;
        const at = 4 + (nth % (frame.length - 4));
        frame.writeUInt8(frame.readUInt8(at) ^ 0x10, at);
        return frame;
      },
    },
    what: /the reply is to another request|the reply can't be decoded|canary|decoded form/u,
  },
  {
    name: "replies that never come",
    // More than one: nobody may wait for it.
    faults: { reply: (frame, nth) => (nth % 10 === 0 ? undefined : frame) },
    what: /the reply is to another request|no answer to|closed instead of answered|can't be decoded/u,
  },
  {
    name: "a connection that stays open after it should have been closed",
    faults: { hidesEnds: true },
    what: /the connection stays open after/u,
  },
];

// The hook is each test's own: a global one of tests that run at once may end another's proxy.
test.concurrent.for(plants)("finds $name", async ({ faults, what }, { onTestFinished }) => {
  const plant: Plant = {
    port: async (brokerPort) => {
      const proxy = await openFaultProxy(brokerPort, faults);
      onTestFinished(() => proxy.close());
      return proxy.port;
    },
  };
  const target = await ListenerTarget.open({ plant, answerMsMax: 500 });
  const found: string[] = [];
  for (let seed = 1; seed <= 10 && found.length === 0; seed += 1) {
    found.push(...(await target.run(seed)));
  }
  await target.close();
  expect(found.join("\n")).toMatch(what);
});

/** As if what was acknowledged had not been written. */
async function loseRecords(directory: string): Promise<void> {
  const paths = readdirSync(directory, { recursive: true, encoding: "utf8" });
  for (const path of paths) {
    if (path.endsWith(".log")) await truncate(join(directory, path), 0);
  }
}

test.concurrent("finds records that are gone after a kill", async () => {
  const target = await ListenerTarget.open({ plant: { betweenLives: loseRecords } });
  for (let seed = 1; seed <= 12; seed += 1) expect(await target.run(seed)).toEqual([]);
  expect((await target.finish()).join("\n")).toMatch(/canary: /u);
});
