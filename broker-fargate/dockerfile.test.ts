/** The rules of a good Dockerfile that a machine can hold: no engine is needed to look. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

function instructions(text: string): readonly Instruction[] {
  const lines = text
    .split("\n")
    .filter((line) => !/^\s*(#|$)/u.test(line))
    .join("\n")
    .replaceAll(/\\\n\s*/gu, "");
  return lines.split("\n").map((line) => {
    const [word = "", ...rest] = line.split(" ");
    return { word, rest: rest.join(" ") };
  });
}

/** What is wrong with an image that is to be small, and to run without rights over its own files. */
function faults(text: string): readonly string[] {
  const all = instructions(text);
  const stageStarts = all.flatMap(({ word }, at) => (word === "FROM" ? [at] : []));
  const last = all.slice(stageStarts.at(-1));
  const users = last.filter(({ word }) => word === "USER");
  const shellForm = last.filter(
    ({ rest, word }) => ["ENTRYPOINT", "CMD"].includes(word) && !rest.startsWith("["),
  );
  const checks = last.filter(({ rest, word }) => word === "HEALTHCHECK" && rest.includes('CMD ["'));
  const untagged = all.filter(({ rest, word }) => word === "FROM" && !/:[\w.-]+/u.test(rest));
  return [
    ...untagged.map(({ rest }) => `FROM ${rest} has no tag`),
    ...all.filter(({ rest }) => /:latest\b/u.test(rest)).map(() => "a tag is latest"),
    ...(users.length > 0 && users.every(({ rest }) => /^[1-9]\d*:[1-9]\d*$/u.test(rest))
      ? []
      : ["it does not run as a number that is not root's"]),
    ...last.filter(({ word }) => word === "RUN").map(() => "the last stage runs something"),
    ...all.filter(({ word }) => word === "ADD").map(() => "ADD where COPY would do"),
    ...all
      .filter(({ rest, word }) => word === "COPY" && /^(--\S+ )*\.\/? /u.test(rest))
      .map(() => "all of a folder is copied"),
    ...shellForm.map(({ word }) => `${word} starts a shell`),
    ...(checks.length === 1 ? [] : ["it has no health check without a shell"]),
    ...all
      .filter(({ rest, word }) => word === "RUN" && /npm (ci|install)/u.test(rest))
      .filter(({ rest }) => !rest.includes("--ignore-scripts"))
      .map(() => "npm runs the scripts of packages"),
  ];
}

const dockerfile = readFileSync(join(import.meta.dirname, "Dockerfile"), "utf8");

describe("the broker's Dockerfile", () => {
  it("breaks none of the rules", () => {
    expect(instructions(dockerfile).length).toBeGreaterThan(10);
    expect(faults(dockerfile)).toEqual([]);
  });

  it.each([
    [
      "FROM gcr.io/distroless/nodejs24-debian13:nonroot",
      "FROM gcr.io/distroless/nodejs24-debian13",
    ],
    ["node:24-trixie-slim", "node:latest"],
    ["USER 65532:65532", "USER root"],
    ["USER 65532:65532\n", ""],
    ["WORKDIR /app", "WORKDIR /app\nRUN apt-get update"],
    ["COPY main.cjs ./", "COPY . ."],
    ["COPY main.cjs ./", "ADD main.cjs ./"],
    ['CMD ["--data", "/data"]', "CMD --data /data"],
    ["HEALTHCHECK", "LABEL"],
    [" --ignore-scripts", ""],
  ])("with %j as %j it would break one", (from, to) => {
    expect(dockerfile).toContain(from);
    expect(faults(dockerfile.replace(from, to))).toHaveLength(1);
  });

  it("says nothing of the platform in its last stage, so that it serves both", () => {
    expect(instructions(dockerfile).filter(({ rest }) => rest.includes("linux/"))).toEqual([]);
  });
});
