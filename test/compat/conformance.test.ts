import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseExceptions } from "./compare.ts";
import { renderConformance } from "./conformance.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/conformance.md"), "utf8");
const exceptions = parseExceptions(
  readFileSync(join(import.meta.dirname, "exceptions.json"), "utf8"),
);

/** The formatter pads the columns of tables; how wide they are says nothing. */
function unpadded(text: string): string {
  return text.replaceAll(/ {2,}/g, " ").replaceAll(/-{3,}/g, "---");
}

test("docs/conformance.md shows the programs and exceptions that the lane has", () => {
  expect(unpadded(page)).toBe(unpadded(renderConformance(page, exceptions)));
});

test("an exception that the page does not show makes the page differ", () => {
  const more = {
    program: "java",
    at: "topics/none",
    kafka: null,
    millrace: {},
    reason: "for this test",
  };
  const rendered = renderConformance(page, [...exceptions, more]);
  expect(unpadded(rendered)).not.toBe(unpadded(page));
});

test("a page without its markers is refused", () => {
  expect(() => renderConformance("# Conformance", [])).toThrow("markers");
});
