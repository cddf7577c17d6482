/** The quick attacks, on a real broker; the others are `npm run hardness`. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allAttacks } from "./attacks/all.ts";
import { type Neighbours, startNeighbours } from "./neighbours.ts";
import { observe } from "./observe.ts";
import { startSubject, type Subject } from "./subject.ts";

const quick = new Set([
  "frame lengths",
  "unknown APIs and versions",
  "truncated requests",
  "valid headers, random bodies",
  "absurd values",
  "lying lengths",
  "half-closed",
  "frames full of elements",
  "records that are broken inside",
]);

let subject: Subject;
let neighbours: Neighbours;

beforeAll(async () => {
  subject = await startSubject();
  neighbours = await startNeighbours(subject, undefined);
});

afterAll(async () => {
  await neighbours.stop();
  expect((await subject.stop()).exitCode).toBe(0);
});

describe("a broker under attack answers as it has to, and its other clients notice nothing", () => {
  const attacks = allAttacks.filter(({ name }) => quick.has(name));
  test.each(attacks)("$name: $does", async (attack) => {
    const { problems } = await observe({ subject, neighbours }, attack);
    expect(problems).toEqual([]);
  });

  test("all of them were there", () => {
    expect(attacks).toHaveLength(quick.size);
  });
});
