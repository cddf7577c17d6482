/** What is deployed: how large it is, how soon it is there, and that it runs on its own. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Bundled, bundleFunctions } from "./build.ts";
import { importCosts, importMsMax, runBeside } from "./import-cost.ts";
import { context, httpEvent } from "./src/fixtures.ts";

/** Of all that Lambda fetches, and of what is compiled at each start. */
const bundleKiBMax = 3_000;
const entryKiBMax = 1_000;
/** The least of so many: the others had more of the machine's other work in them. */
const starts = 5;

const made: { folder: string; bundles: readonly Bundled[] } = { folder: "", bundles: [] };

beforeAll(async () => {
  made.folder = mkdtempSync(join(tmpdir(), "millrace-functions-"));
  made.bundles = await bundleFunctions(made.folder);
}, 60_000);

afterAll(() => rmSync(made.folder, { recursive: true, force: true }));

function run(script: string): string {
  return runBeside(made.folder, script);
}

it.each(["api", "authorizer", "provisioner"])("%s is small, and soon there", (name) => {
  const bundle = made.bundles.find((each) => each.name === name);
  if (bundle === undefined) throw new Error(`there is no bundle ${name}`);
  const entryKiB = statSync(join(bundle.folder, "index.mjs")).size / 1024;
  expect(bundle.bytes / 1024).toBeLessThan(bundleKiBMax);
  expect(entryKiB).toBeLessThan(entryKiBMax);
  const each = importCosts(bundle, starts).map(({ usualImportMs }) => usualImportMs);
  expect(Math.min(...each)).toBeLessThan(importMsMax);
});

it("the API answers from its bundle alone, and nobody gets in without the gateway", () => {
  const asked = (path: string): string => JSON.stringify(httpEvent({ method: "GET", path }));
  const at = `{ ...${JSON.stringify(context(1000))}, getRemainingTimeInMillis: () => 1000 }`;
  const [described, refused] = run(`
    const { handler } = await import("./api/index.mjs");
    const write = process.stdout.write.bind(process.stdout);
    process.stdout.write = () => true;
    const answers = [];
    for (const event of [${asked("/openapi.json")}, ${asked("/v1/whoami")}]) {
      const { statusCode, headers, body } = await handler(event, ${at});
      answers.push(JSON.stringify({ statusCode, headers, body: JSON.parse(body) }));
    }
    write(answers.join("\\n"), () => process.exit());`)
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly statusCode: number; readonly body: object });
  expect(described).toMatchObject({ statusCode: 200, body: { openapi: "3.1.0" } });
  expect(refused).toMatchObject({ statusCode: 401, body: { status: 401 } });
});

it("a path that says one thing to IAM and another to the API is nobody's", () => {
  const authorizer = { iam: { userArn: "arn:aws:iam::123456789012:user/narrow" } };
  const paths = [
    "/iam/v1/whoami",
    ...["/iam/v1/clusters/../whoami", "/iam/v1/clusters/%2e%2E/whoami", "/iam/v1/./whoami"],
    ...["/iam/v1/clusters\\..\\whoami", "/iam/v1/clusters/.%2e/whoami", "/docs/../v1/whoami"],
  ];
  const events = paths.map((path) =>
    JSON.stringify(httpEvent({ method: "GET", path, authorizer })),
  );
  const at = `{ ...${JSON.stringify(context(1000))}, getRemainingTimeInMillis: () => 1000 }`;
  const statuses = run(`
    const { handler } = await import("./api/index.mjs");
    const write = process.stdout.write.bind(process.stdout);
    process.stdout.write = () => true;
    const statuses = [];
    for (const event of [${events.join()}]) statuses.push((await handler(event, ${at})).statusCode);
    write(statuses.join(), () => process.exit());`);
  expect(statuses.split(",").map(Number)).toEqual([200, ...paths.slice(1).map(() => 404)]);
});

it("the same sources make the same bytes", async () => {
  const again = mkdtempSync(join(tmpdir(), "millrace-functions-"));
  try {
    const bundles = await bundleFunctions(again);
    const contents = (folder: string): readonly string[] =>
      readdirSync(folder).map((name) => `${name} ${readFileSync(join(folder, name), "utf8")}`);
    for (const { folder, name } of bundles) {
      expect(contents(folder)).toEqual(contents(join(made.folder, name)));
    }
  } finally {
    rmSync(again, { recursive: true, force: true });
  }
});
