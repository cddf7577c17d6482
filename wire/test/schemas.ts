import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Message, parseSchema, type SchemaFile } from "../generator/schema.ts";
import type { Reader } from "../src/codec/reader.ts";
import type { Writer } from "../src/codec/writer.ts";

const schemasFolder: string = fileURLToPath(new URL("../schemas/", import.meta.url));

/** All schema files, parsed. */
export const schemaFiles: readonly SchemaFile[] = readdirSync(schemasFolder)
  .filter((name) => name.endsWith(".json"))
  .sort()
  .map((name) =>
    parseSchema(name.replace(".json", ""), readFileSync(schemasFolder + name, "utf8")),
  );

/** A message as decoded; what is in it is known from its schema only. */
export type Decoded = { readonly [property: string]: unknown };

/** The codec of one message, with the types that only its schema knows left out. */
export interface Codec {
  decode(reader: Reader, version: number): Decoded;
  encode(writer: Writer, version: number, message: Decoded): void;
}

type Module = { readonly [name: string]: unknown };

/** The generated codecs of a schema file by message. */
export async function codecsOf(file: SchemaFile): Promise<ReadonlyMap<Message, Codec>> {
  const module = (await import(`../src/generated/${file.stem}.ts`)) as Module;
  return new Map(
    file.messages.map((message) => [
      message,
      {
        decode: module[`decode${message.name}`] as Codec["decode"],
        encode: module[`encode${message.name}`] as Codec["encode"],
      },
    ]),
  );
}
