/** What is deployed: how large it is, how soon it is there, and that it runs on its own. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Bundled, bundleFunctions } from "./build.ts";
import { provisionerFields, variableName, authorizerFields } from "./src/environment.ts";
import { context, httpEvent } from "./src/fixtures.ts";

/** Of all that Lambda fetches, and of what is compiled at each start. */
const bundleKiBMax = 3_000;
const entryKiBMax = 1_000;
/** CPU time, because wall time on a busy machine says nothing; alone, both are about the same. */
const importMsMax = 150;
/** Of Node's own start, on a machine for which that bound is meant. */
const startMsUsual = 30;
const imports = 5;

const made: { folder: string; bundles: readonly Bundled[] } = { folder: "", bundles: [] };

beforeAll(async () => {
  made.folder = mkdtempSync(join(tmpdir(), "millrace-functions-"));
  made.bundles = await bundleFunctions(made.folder);
}, 60_000);

afterAll(() => rmSync(made.folder, { recursive: true, force: true }));

/** Nothing of the project is near, and nobody answers at the endpoint. */
const environment: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [...provisionerFields, ...authorizerFields].map((field) => [variableName(field), "x"]),
  ),
  ...{ AWS_REGION: "eu-west-1", AWS_ACCESS_KEY_ID: "nobody", AWS_SECRET_ACCESS_KEY: "nothing" },
  AWS_ENDPOINT_URL: "http://127.0.0.1:9",
  [variableName("brokersIn")]: "ecs",
  [variableName("jwtIssuer")]: "",
};

function run(script: string): string {
  const path = join(made.folder, "script.mjs");
  writeFileSync(path, script);
  const options = { encoding: "utf8", env: environment, cwd: made.folder } as const;
  const { status, stderr, stdout } = spawnSync(process.execPath, [path], options);
  if (status !== 0) throw new Error(`${stdout}${stderr}`);
  return stdout;
}

/** CPU time, as it would be where Node starts as usual: a slow machine takes longer for both. */
function importMs(name: string): number {
  const each = Array.from({ length: imports }, () => {
    return Number(
      run(`const before = process.cpuUsage();
      const startMs = (before.user + before.system) / 1000;
      const { handler } = await import("./${name}/index.mjs");
      const { user, system } = process.cpuUsage(before);
      if (typeof handler !== "function") throw new Error("no handler");
      const slowness = Math.max(1, startMs / ${startMsUsual});
      process.stdout.write(String((user + system) / 1000 / slowness));
      process.exit();`),
    );
  });
  return Math.min(...each);
}

it.each(["api", "authorizer", "provisioner"])("%s is small, and soon there", (name) => {
  const bundle = made.bundles.find((each) => each.name === name);
  const entryKiB = statSync(join(bundle?.folder ?? "", "index.mjs")).size / 1024;
  const bundleKiB = (bundle?.bytes ?? 0) / 1024;
  expect(bundleKiB).toBeLessThan(bundleKiBMax);
  expect(entryKiB).toBeLessThan(entryKiBMax);
  expect(importMs(name)).toBeLessThan(importMsMax);
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
