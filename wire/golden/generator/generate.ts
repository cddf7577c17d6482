import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { SchemaFile } from "../../generator/schema.ts";
import { kafkaJson } from "../../test/kafka-json.ts";
import { sampleMessage, samplesPerVersion } from "../../test/sample-message.ts";
import { schemaFiles } from "../../test/schemas.ts";

// Usage: node wire/golden/generator/generate.ts
// Writes wire/golden/*.txt anew: the bytes that kafka-clients makes of our sample messages, its table of APIs and its
// table of errors. Needs Java 17 or later and Maven, which brings kafka-clients.

const folder = fileURLToPath(new URL("./", import.meta.url));
const goldenFolder = fileURLToPath(new URL("../", import.meta.url));
const goldenBytesMax = 64 * 1024 * 1024;

function kafkaPrints(what: "messages" | "apis" | "errors", input = ""): string {
  const command = ["-cp", "target/lib/*", "GoldenBytes.java", what];
  return execFileSync("java", command, {
    cwd: folder,
    input,
    maxBuffer: goldenBytesMax,
    encoding: "utf8",
    stdio: ["pipe", "pipe", "inherit"],
  });
}

function sampleLines(file: SchemaFile): readonly string[] {
  return file.messages.flatMap((message) =>
    message.versions.flatMap((version) =>
      Array.from({ length: samplesPerVersion }, (_, sample) => {
        const value = kafkaJson(message, version, sampleMessage(message, version, sample));
        return `{"name":"${message.name}","version":${version},"sample":${sample},"value":${value}}`;
      }),
    ),
  );
}

const fetchJars = ["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=target/lib"];
execFileSync("mvn", fetchJars, { cwd: folder, stdio: "inherit" });
const printed = kafkaPrints("messages", schemaFiles.flatMap(sampleLines).join("\n")).split("\n");
let at = 0;
for (const file of schemaFiles) {
  const count = sampleLines(file).length;
  writeFileSync(`${goldenFolder}${file.stem}.txt`, `${printed.slice(at, at + count).join("\n")}\n`);
  at += count;
}
if (printed.length !== at + 1) throw new Error(`${at} messages asked, ${printed.length - 1} printed`);
writeFileSync(`${goldenFolder}apis.txt`, kafkaPrints("apis"));
writeFileSync(`${goldenFolder}errors.txt`, kafkaPrints("errors"));
process.stdout.write(`golden bytes: ${schemaFiles.length + 2} files, ${at} messages\n`);
