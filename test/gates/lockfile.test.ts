/** The lock is one that `npm ci` takes, wherever it was made. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type LockedPackages, missingPlatforms } from "../../tools/complete-lock.ts";

const { packages } = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../package-lock.json"), "utf8"),
) as { readonly packages: LockedPackages };

it("has the packages of every platform (node tools/complete-lock.ts enters them)", () => {
  expect(Object.keys(packages).length).toBeGreaterThan(200);
  expect(missingPlatforms(packages)).toEqual({});
  const parents = Object.entries(packages).filter(([, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).some((name) => name.includes("darwin-arm64")),
  );
  expect(parents.length).toBeGreaterThan(5);
});

it("names no registry, and lacks a hash only where the package is another platform's", () => {
  const addresses = Object.values(packages).flatMap(({ link, resolved }) =>
    resolved === undefined || link === true ? [] : [resolved],
  );
  expect(addresses).toEqual([]);
  const unchecked = Object.entries(packages).filter(([at, one]) => {
    const isChecked = one.integrity !== undefined || one.link === true || one.inBundle === true;
    const isOfPlatform = one.optional === true && one.os !== undefined;
    return at.startsWith("node_modules/") && !isChecked && !isOfPlatform;
  });
  expect(unchecked.map(([at]) => at)).toEqual([]);
});

it("a package that was left out is found, with all that its name says", () => {
  const tool = {
    ...{ version: "1.2.3", dev: true },
    optionalDependencies: {
      "@tool/linux-x64-gnu": "1.2.3",
      "@tool/linux-arm64-musl": "1.2.3",
      "@tool/darwin-arm64": "1.2.3",
      "plain-optional": "^1.0.0",
    },
  };
  const there = { version: "1.2.3", license: "MIT", engines: { node: ">=20" }, integrity: "x" };
  const lock = { "node_modules/tool": tool, "node_modules/@tool/linux-x64-gnu": there };
  const common = { version: "1.2.3", dev: true, license: "MIT", optional: true };
  const engines = { node: ">=20" };
  expect(missingPlatforms(lock)).toEqual({
    "node_modules/@tool/linux-arm64-musl": {
      ...{ ...common, engines, os: ["linux"], cpu: ["arm64"], libc: ["musl"] },
    },
    "node_modules/@tool/darwin-arm64": { ...common, engines, os: ["darwin"], cpu: ["arm64"] },
  });
});
