import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { controlKit } from "../fixtures.ts";
import { problemKinds } from "../problems.ts";
import { apiDocument } from "./api-document.ts";
import { styleHash } from "./pages.ts";
import { style } from "./style.ts";

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security?: unknown;
  readonly "x-millrace-role"?: string;
  readonly responses: Readonly<Record<string, { readonly content?: object }>>;
}

const document = apiDocument();
const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
  Object.entries(item as Readonly<Record<string, Operation>>).map(
    ([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const,
  ),
);

describe("the API's document", () => {
  it("is of OpenAPI 3.1, and has every operation under a name of its own", () => {
    expect(document.openapi).toBe("3.1.0");
    expect(operations.length).toBeGreaterThan(20);
    const names = operations.map(([, { operationId }]) => operationId);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(operations)("says of %s what it takes, and how it fails", (_, operation) => {
    expect(operation.summary).not.toBe("");
    expect(operation.security).toEqual([{ apiKey: [] }]);
    expect(["viewer", "operator", "admin"]).toContain(operation["x-millrace-role"]);
    for (const [status, { content }] of Object.entries(operation.responses)) {
      if (Number(status) < 400) continue;
      expect(Object.keys(content ?? {})).toEqual(["application/problem+json"]);
    }
    for (const status of ["400", "401", "403", "405", "500", "503"]) {
      expect(Object.keys(operation.responses)).toContain(status);
    }
  });

  it("has no reference that leads nowhere, and no pattern that others would read differently", () => {
    const schemas = Object.keys(document.components?.schemas ?? {});
    const text = JSON.stringify(document);
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/gu)) {
      expect(schemas).toContain(name);
    }
    for (const [, pattern = ""] of text.matchAll(/"pattern":"((?:[^"\\]|\\.)*)"/gu)) {
      expect(pattern).toMatch(/^\^.*\$$/u);
    }
  });

  it("is served as it is checked in", async () => {
    const { ask } = controlKit();
    const served = await ask("nobody", "GET /openapi.json");
    expect(served.body).toEqual(JSON.parse(JSON.stringify(document)));
  });
});

describe("the pages", () => {
  it("show every operation and every problem, at the places that problems name", async () => {
    const { ask } = controlKit();
    const { headers, text } = await ask("nobody", "GET /docs");
    for (const [, { operationId }] of operations) expect(text).toContain(`id="${operationId}"`);
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
    const problems = await ask("nobody", "GET /docs/problems");
    for (const kind of Object.keys(problemKinds)) expect(problems.text).toContain(`id="${kind}"`);
  });

  it("have no script, nothing from elsewhere, and the style that their policy names", async () => {
    const { ask } = controlKit();
    const { headers, text } = await ask("nobody", "GET /docs");
    expect(text).not.toMatch(/<script|<img|<link|src=|@import|url\(| on[a-z]+=/u);
    expect(text).not.toMatch(/href="(?!#|\/)/u);
    const hash = createHash("sha256").update(style).digest("base64");
    expect(styleHash).toBe(`sha256-${hash}`);
    expect(headers.get("content-security-policy")).toContain(`'${styleHash}'`);
    expect(text).toContain(`<style>${style}</style>`);
  });
});
