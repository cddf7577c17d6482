import { createHash } from "node:crypto";
import { runInNewContext } from "node:vm";
import { describe, expect, it, vi } from "vitest";
import { controlKit } from "../fixtures.ts";
import { problemKinds } from "../problems.ts";
import { apiDocument } from "./api-document.ts";
import { scriptHash, styleHash } from "./pages.ts";
import { script } from "./script.ts";
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
    for (const status of ["400", "401", "403", "405", "429", "500", "503"]) {
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

  it("is made once, as nobody has to log in for it", async () => {
    const { app, ask } = controlKit();
    const making = vi.spyOn(app, "getOpenAPI31Document");
    const first = await ask("nobody", "GET /openapi.json");
    expect(await ask("nobody", "GET /openapi.json")).toMatchObject({ text: first.text });
    expect(making).toHaveBeenCalledTimes(1);
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

  it("have nothing from elsewhere, and the style and the script that their policy names", async () => {
    const { ask } = controlKit();
    const hashOf = (of: string) => `sha256-${createHash("sha256").update(of).digest("base64")}`;
    expect([styleHash, scriptHash]).toEqual([hashOf(style), hashOf(script)]);
    for (const [path, scripts] of [
      ["/docs", [script]],
      ["/docs/problems", []],
    ] as const) {
      const { headers, text } = await ask("nobody", `GET ${path}`);
      const policy = headers.get("content-security-policy") ?? "";
      expect(text).not.toMatch(/<script |<img|<link| src=|@import|url\(| on[a-z]+=| style=/u);
      expect(text).not.toMatch(/href="(?!#|\/)/u);
      expect(text).toContain(`<style>${style}</style>`);
      expect(policy).toContain(`style-src '${styleHash}';`);
      const found = [...text.matchAll(/<script>([\s\S]*?)<\/script>/gu)].map(([, one]) => one);
      expect(found).toEqual(scripts);
      expect(policy.includes(`script-src '${scriptHash}'; connect-src 'self';`)).toBe(
        scripts.length > 0,
      );
      expect(policy).not.toMatch(/unsafe|https?:|\*/u);
    }
  });

  it("have a form for every operation that only reads, and for no other", async () => {
    const { ask } = controlKit();
    const { text } = await ask("nobody", "GET /docs");
    const forms = [...text.matchAll(/<form data-path="([^"]*)"/gu)].map(
      ([, path]) => `GET ${path}`,
    );
    const reading = operations.map(([name]) => name).filter((name) => name.startsWith("GET "));
    expect(forms.toSorted()).toEqual(reading.toSorted());
    expect(text).toContain('<input name="topic" data-in="path" required>');
    expect(text).toContain('<input name="cursor" data-in="query">');
  });
});

/** The script in a page of as much as it asks for. */
async function tried(options: {
  readonly key: string;
  readonly fields: readonly {
    readonly in: string;
    readonly name: string;
    readonly value: string;
  }[];
  readonly answer: () => Promise<Response>;
}) {
  const listeners: ((event: object) => Promise<void>)[] = [];
  const asked: (readonly [string, RequestInit])[] = [];
  const document = {
    addEventListener: (_: string, listener: (event: object) => Promise<void>) =>
      listeners.push(listener),
    querySelector: () => ({ value: options.key }),
  };
  const fetch = (url: string, init: RequestInit): Promise<Response> => {
    asked.push([url, init]);
    return options.answer();
  };
  runInNewContext(script, { document, fetch, URLSearchParams });
  const shown = { hidden: true, textContent: "" };
  const target = {
    dataset: { path: "/v1/clusters/{clusterId}/topics" },
    querySelector: () => shown,
    querySelectorAll: () =>
      options.fields.map(({ in: place, name, value }) => ({ name, value, dataset: { in: place } })),
  };
  let isPrevented = false;
  const preventDefault = (): void => {
    isPrevented = true;
  };
  for (const listener of listeners) await listener({ target, preventDefault });
  expect([isPrevented, shown.hidden]).toEqual([true, false]);
  return { asked, shown: shown.textContent };
}

describe("the page's script", () => {
  const cluster = { in: "path", name: "clusterId", value: "cl_1/../x" };

  it("asks the path with its parameters and the key, and shows the answer as text", async () => {
    const answer = async () =>
      new Response('{"items":["<b>"]}', { headers: { "content-type": "application/json" } });
    const limit = { in: "query", name: "limit", value: "5 &" };
    const cursor = { in: "query", name: "cursor", value: "" };
    const { asked, shown } = await tried({
      key: " mrk_1 ",
      fields: [cluster, limit, cursor],
      answer,
    });
    expect(asked).toMatchObject([
      [
        "/v1/clusters/cl_1%2F..%2Fx/topics?limit=5+%26",
        { headers: { authorization: "Bearer mrk_1" }, cache: "no-store" },
      ],
    ]);
    expect(shown).toBe('200\n{\n  "items": [\n    "<b>"\n  ]\n}');
  });

  it("asks without a key where there is none, and says so where there is no answer", async () => {
    const answer = () => Promise.reject(new TypeError("fetch failed"));
    const { asked, shown } = await tried({ key: "", fields: [cluster], answer });
    expect(asked).toEqual([["/v1/clusters/cl_1%2F..%2Fx/topics", expect.anything()]]);
    expect(asked[0]?.[1].headers).toEqual({});
    expect(shown).toBe("No answer: fetch failed");
  });
});
