import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Message, SchemaFile } from "../generator/schema.ts";
import { Reader } from "../src/codec/reader.ts";
import { Writer } from "../src/codec/writer.ts";
import { kafkaErrors } from "../src/errors.ts";
import { apis } from "../src/generated/apis.ts";
import { requestHeaderVersion, responseHeaderVersion } from "../src/protocol.ts";
import { sampleMessage, samplesPerVersion } from "./sample-message.ts";
import { codecsOf, schemaFiles } from "./schemas.ts";

const goldenFolder = fileURLToPath(new URL("../golden/", import.meta.url));

function goldenLines(name: string): readonly string[] {
  return readFileSync(`${goldenFolder}${name}.txt`, "utf8").trimEnd().split("\n");
}

interface GoldenSample {
  readonly name: string;
  readonly version: number;
  readonly sample: number;
  readonly hex: string;
}

function goldenSamples(file: SchemaFile): readonly GoldenSample[] {
  return goldenLines(file.stem).map((line) => {
    const [name = "", version, sample, hex = ""] = line.split(" ");
    return { name, version: Number(version), sample: Number(sample), hex };
  });
}

function messageNamed(file: SchemaFile, name: string): Message {
  const message = file.messages.find((candidate) => candidate.name === name);
  if (message === undefined) throw new Error(`golden bytes of an unknown message ${name}`);
  return message;
}

describe("the bytes of kafka-clients", () => {
  it.each(schemaFiles)(
    "of $stem decode to what they were made from, and encode again",
    async (file) => {
      const codecs = await codecsOf(file);
      const samples = goldenSamples(file);
      const wanted = file.messages.reduce((sum, message) => sum + message.versions.length, 0);
      expect(samples).toHaveLength(wanted * samplesPerVersion);
      for (const { name, version, sample, hex } of samples) {
        const message = messageNamed(file, name);
        const codec = codecs.get(message);
        const reader = new Reader(new Uint8Array(Buffer.from(hex, "hex")));
        const decoded = codec?.decode(reader, version);
        const where = `${name} v${version} sample ${sample}`;
        expect(decoded, where).toEqual(sampleMessage(message, version, sample));
        expect(reader.remaining, where).toBe(0);
        const writer = new Writer();
        codec?.encode(writer, version, decoded ?? {});
        expect(Buffer.from(writer.finishBytes()).toString("hex"), where).toBe(hex);
      }
    },
  );

  it("are there for every schema, and for nothing else", () => {
    const texts = readdirSync(goldenFolder).filter((name) => name.endsWith(".txt"));
    const wanted = schemaFiles.map(({ stem }) => `${stem}.txt`);
    expect(texts.sort()).toEqual([...wanted, "apis.txt", "errors.txt"].sort());
  });
});

describe("the tables of kafka-clients", () => {
  it("name the same APIs, versions and headers as ours", () => {
    const ours = Object.values(apis).map((api) => {
      const { key, name, minVersion, maxVersion, latestStableVersion } = api;
      const headers = Array.from({ length: maxVersion - minVersion + 1 }, (_, index) => {
        const version = minVersion + index;
        return `${requestHeaderVersion(api, version)}:${responseHeaderVersion(api, version)}`;
      });
      return `${key} ${name} ${minVersion} ${maxVersion} ${latestStableVersion} ${headers.join(",")}`;
    });
    expect(ours).toEqual(goldenLines("apis"));
  });

  it("name the same error codes as ours, and call the same ones retriable", () => {
    const ours = kafkaErrors.map(
      ({ code, name, retriable }) => `${code} ${name} ${retriable ? "retriable" : "final"}`,
    );
    expect(ours).toEqual(goldenLines("errors"));
  });
});
