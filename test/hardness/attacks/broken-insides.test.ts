/** The attack expects of a broker what the compatibility lane says that it answers. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { kafkaError } from "@millrace/wire";
import { expect, test } from "vitest";
import { brokenBatches } from "./broken-insides.ts";

interface Exception {
  readonly program: string;
  readonly at: string;
  readonly millrace: {
    readonly answers?: readonly { readonly answer: { readonly error?: string } }[];
  };
}

const file = join(import.meta.dirname, "../../compat/exceptions.json");
const exceptions = JSON.parse(readFileSync(file, "utf8")) as readonly Exception[];

test("broken batches are expected to be refused as the compatibility lane has seen it", () => {
  const seen = new Map(
    exceptions
      .filter(({ program }) => program === "malformed")
      .map(({ at, millrace: { answers = [] } }) => [
        at.replace("malformed/", ""),
        answers.map(({ answer }) => answer.error),
      ]),
  );
  const known = brokenBatches.filter(({ name }) => seen.has(name));
  expect(known.length).toBeGreaterThanOrEqual(20);
  for (const { errorCode, name } of known) {
    expect([name, seen.get(name)]).toEqual([name, [kafkaError(errorCode).name]]);
  }
});
