import { generatedNotice } from "./emit-file.ts";
import type { Message, SchemaFile } from "./schema.ts";

interface ApiSchema {
  readonly key: number;
  readonly name: string;
  readonly stem: string;
  readonly latestVersionUnstable: boolean;
  readonly request: Message;
  readonly response: Message;
}

function apiSchemas(files: readonly SchemaFile[]): readonly ApiSchema[] {
  return files.flatMap(({ api, messages, stem }) => {
    const [request, response] = messages;
    if (api === null || request === undefined || response === undefined) return [];
    assertPair(api.name, request, response);
    return [{ ...api, stem, request, response }];
  });
}

function assertPair(name: string, request: Message, response: Message): void {
  if (request.name !== `${name}Request` || response.name !== `${name}Response`) {
    throw new Error(`${name}: names of request and response`);
  }
  const versions = (message: Message): string =>
    JSON.stringify([message.versions, message.flexibleVersions?.first ?? null]);
  if (versions(request) !== versions(response)) {
    throw new Error(`${name}: request and response differ in versions`);
  }
}

/** The table of APIs: facts only, so that whoever needs no codec loads none. */
export function emitApis(files: readonly SchemaFile[]): string {
  const apis = apiSchemas(files);
  return [
    generatedNotice,
    "",
    "/** Kafka's numbers of its APIs: those that a broker's listener serves. */",
    "export const ApiKey = {",
    ...apis.map(({ key, name }) => `  ${name}: ${key},`),
    "} as const;",
    "export type ApiKey = (typeof ApiKey)[keyof typeof ApiKey];",
    "",
    "/** The versions of one API. */",
    "export interface Api {",
    "  readonly key: ApiKey;",
    "  readonly name: keyof typeof ApiKey;",
    "  readonly minVersion: number;",
    "  /** The newest version that has a schema. */",
    "  readonly maxVersion: number;",
    "  /** The newest version that may be advertised: one below `maxVersion` while that is not final. */",
    "  readonly latestStableVersion: number;",
    "  /** From here on lengths are compact and structs end in tagged fields (KIP-482); Infinity for never. */",
    "  readonly firstFlexibleVersion: number;",
    "}",
    "",
    "export const apis: { readonly [K in ApiKey]: Api } = {",
    ...apis.map((api) => `  ${api.key}: ${apiLiteral(api)},`),
    "};",
    "",
  ].join("\n");
}

function apiLiteral(api: ApiSchema): string {
  const { versions, flexibleVersions } = api.request;
  const minVersion = versions[0] ?? 0;
  const maxVersion = versions.at(-1) ?? 0;
  const latestStable = api.latestVersionUnstable ? maxVersion - 1 : maxVersion;
  const flexible = flexibleVersions?.first ?? "Number.POSITIVE_INFINITY";
  return (
    `{ key: ${api.key}, name: "${api.name}", minVersion: ${minVersion}, maxVersion: ${maxVersion}, ` +
    `latestStableVersion: ${latestStable}, firstFlexibleVersion: ${flexible} }`
  );
}

const tables = [
  { table: "requestDecoders", kind: "Request", verb: "decode" },
  { table: "requestEncoders", kind: "Request", verb: "encode" },
  { table: "responseDecoders", kind: "Response", verb: "decode" },
  { table: "responseEncoders", kind: "Response", verb: "encode" },
] as const;

/** The codecs by API key, and the types that go with each key. */
export function emitCodecs(files: readonly SchemaFile[]): string {
  const apis = apiSchemas(files);
  return [
    generatedNotice,
    'import type { Reader } from "../codec/reader.ts";',
    'import type { Writer } from "../codec/writer.ts";',
    'import type { ApiKey } from "./apis.ts";',
    ...apis.map(importLine),
    "",
    ...["Request", "RequestInput", "Response", "ResponseInput"].flatMap((kind) => [
      `/** The ${kind} type of each API. */`,
      `export interface ${kind}ByKey {`,
      ...apis.map(({ key, name }) => `  ${key}: ${name}${kind};`),
      "}",
      "",
    ]),
    "export type Decoder<T> = (reader: Reader, version: number) => T;",
    "export type Encoder<T> = (writer: Writer, version: number, message: T) => void;",
    "",
    ...tables.flatMap(({ table, kind, verb }) => [
      `export const ${table}: ${tableType(kind, verb)} = {`,
      ...apis.map(({ key, name }) => `  ${key}: ${verb}${name}${kind},`),
      "};",
      "",
    ]),
  ].join("\n");
}

function tableType(kind: "Request" | "Response", verb: "decode" | "encode"): string {
  return verb === "decode"
    ? `{ readonly [K in ApiKey]: Decoder<${kind}ByKey[K]> }`
    : `{ readonly [K in ApiKey]: Encoder<${kind}InputByKey[K]> }`;
}

function importLine({ name, stem }: ApiSchema): string {
  const codecs = tables.map(({ kind, verb }) => `${verb}${name}${kind}`);
  const types = ["Request", "RequestInput", "Response", "ResponseInput"].map(
    (kind) => `type ${name}${kind}`,
  );
  return `import { ${[...codecs, ...types].join(", ")} } from "./${stem}.ts";`;
}
