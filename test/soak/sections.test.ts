import { expect, it } from "vitest";
import { withSection } from "./sections.ts";

it("puts a section into its place, whatever was written first", () => {
  const one = withSection("", "tiers-files", "## Tiers\n\nfiles\n");
  const both = withSection(one, "mixed", "# Soak\n\nmixed");
  expect(both.indexOf("# Soak")).toBeLessThan(both.indexOf("## Tiers"));
  expect(withSection(both, "mixed", "# Soak\n\nmixed")).toBe(both);
});

it("replaces one section and keeps the others to the letter", () => {
  const document = withSection(withSection("", "mixed", "# Soak"), "tiers-s3", "## S3\n\nold");
  const replaced = withSection(document, "tiers-s3", "## S3\n\nnew");
  expect(replaced).toBe(document.replace("old", "new"));
});
