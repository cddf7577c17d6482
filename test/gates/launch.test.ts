/** Every way to start a broker starts it as `npm start` does. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { brokerEnvironment, brokerFlags, fromSources, startPath } from "../../tools/launch.ts";

test("what npm start gives to Node and malloc is read from there", () => {
  expect(brokerFlags).toEqual(["--min-semi-space-size=8", "--max-semi-space-size=16"]);
  expect(brokerEnvironment).toEqual({ MALLOC_MMAP_THRESHOLD_: "262144" });
  expect(fromSources).toMatchObject({
    broker: [...brokerFlags, startPath],
    env: brokerEnvironment,
  });
});

test("the image gives the same", () => {
  const path = join(import.meta.dirname, "../../broker-fargate/Dockerfile");
  const dockerfile = readFileSync(path, "utf8");
  const entryPoint = /^ENTRYPOINT (\[.*\])$/mu.exec(dockerfile)?.[1] ?? "[]";
  expect(JSON.parse(entryPoint)).toEqual(expect.arrayContaining([...brokerFlags]));
  const variables = /^ENV (.*)$/mu.exec(dockerfile)?.[1]?.split(" ");
  const pairs = Object.entries(brokerEnvironment).map(([name, value]) => `${name}=${value}`);
  expect(variables).toEqual(expect.arrayContaining(pairs));
});
