import { ApiKey } from "@millrace/wire";
import fc from "fast-check";
import { expect, it } from "vitest";
import { request, settled } from "../fixtures.ts";
import { makeUser, saslBench } from "./fixtures.ts";

const bytes = fc.uint8Array({ maxLength: 60 });
/** What tokens are made of, so that some get far. */
const shaped = fc
  .array(
    fc.constantFrom(
      "n,,",
      "n=carol",
      ",r=",
      "abc",
      ",",
      "c=biws",
      "p=",
      "AAAA",
      "\0",
      "carol",
      "a=",
    ),
    { maxLength: 8 },
  )
  .map((parts) => Buffer.from(parts.join("")));
const token = fc.oneof(bytes, shaped);

const handshake = fc
  .tuple(fc.constantFrom("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "X"), fc.constantFrom(0, 1))
  .map(([mechanism, version]) => request(ApiKey.SaslHandshake, { mechanism }, { version }));
const authenticate = fc
  .tuple(token, fc.constantFrom(0, 1, 2))
  .map(([authBytes, version]) => request(ApiKey.SaslAuthenticate, { authBytes }, { version }));
const bare = token.map((body) => {
  const frame = Buffer.alloc(4 + body.length);
  frame.writeInt32BE(body.length);
  frame.set(body, 4);
  return frame;
});
const garbage = bytes.map((body) => Buffer.from(body));
const conversation = fc.array(fc.oneof(handshake, authenticate, authenticate, bare, garbage), {
  maxLength: 6,
});

it("no bytes let a client in without the password, break the broker, or stay in its memory", async () => {
  const { clock, enter, log, metric, server, users } = saslBench();
  await makeUser(users, "carol", "a password that nobody guesses");
  await fc.assert(
    fc.asyncProperty(conversation, async (frames) => {
      const client = enter();
      for (const frame of frames) {
        client.link.listener?.receive(frame);
        await settled();
      }
      clock.advance(200);
      await settled();
      client.link.cut(undefined);
      await settled();
      expect(server.size).toBe(0);
      expect(metric("millrace_request_memory_bytes")).toBe(0);
    }),
    { numRuns: 300, seed: 1 },
  );
  const broken = log.lines.filter(({ level }) => level === "error");
  expect(broken).toEqual([]);
  for (const mechanism of ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]) {
    const line = `millrace_authentications_total{mechanism="${mechanism}",outcome=`;
    expect(metric(`${line}"succeeded"}`)).toBe(0);
    expect(metric(`${line}"failed"}`)).toBeGreaterThan(0);
  }
});
