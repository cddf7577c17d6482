import { inlineHashing, SeededRandom, VirtualClock } from "@millrace/adapter-memory";
import { clusterId } from "@millrace/core";
import { expect, it } from "vitest";
import { keptLoginsMax } from "../limits.ts";
import { ControlLogins } from "./control-logins.ts";

it("each cluster has one login, and of too many the longest unused one is forgotten", () => {
  const random = new SeededRandom(1);
  const logins = new ControlLogins({ clock: new VirtualClock(), random, hashing: inlineHashing });
  const numbered = (at: number) => clusterId(`cl_${String(at).padStart(16, "0")}`);
  const [first, second] = [logins.of(numbered(1)), logins.of(numbered(2))];
  expect(logins.of(numbered(1))).toBe(first);
  for (let at = 3; at <= keptLoginsMax + 1; at += 1) logins.of(numbered(at));
  expect(logins.of(numbered(1))).toBe(first);
  expect(logins.of(numbered(2))).not.toBe(second);
});
