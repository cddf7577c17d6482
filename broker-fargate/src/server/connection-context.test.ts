import { expect, test } from "vitest";
import { connectionContext } from "./connection-context.ts";
import type { OwnedContext } from "./connection-context.ts";

function owned(): OwnedContext {
  const listener = { name: "PLAINTEXT", host: "broker", port: 9092 };
  return connectionContext({ id: "1", clientHost: "127.0.0.1", listener });
}

test("who looks after a connection was reset sees that nobody waits for a reply", () => {
  const { close, context } = owned();
  expect(context.isEnding()).toBe(false);
  close(() => undefined);
  expect(context.isEnding()).toBe(true);
});

test("every listener is called once, and what one throws keeps it from no other", () => {
  const { close, context, end } = owned();
  const called: string[] = [];
  const failures: unknown[] = [];
  context.onEnd(() => called.push("end"));
  const failure = new Error("a listener fails");
  context.onClose(() => {
    throw failure;
  });
  context.onClose(() => called.push("close"));
  context.onClose(() => called.push("taken back"))();
  for (let times = 0; times < 2; times++) {
    end();
    close((error) => failures.push(error));
  }
  expect(called).toEqual(["end", "close"]);
  expect(failures).toEqual([failure]);
});
