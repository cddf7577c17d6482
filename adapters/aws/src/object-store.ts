import type * as S3 from "@aws-sdk/client-s3";
import {
  assert,
  assertObjectKey,
  assertObjectListing,
  assertObjectRange,
  type Clock,
  isObjectKey,
  objectBytes,
  ObjectError,
  type ObjectListing,
  type ObjectPage,
  type ObjectRange,
  type ObjectStore,
  type Random,
} from "@millrace/core";
import type { Crc32c } from "@millrace/wire";
import {
  connectionsMax,
  connectMsMax,
  deletedKeysMax,
  multipartBytesMin,
  partBytes,
  requestMsMax,
  uploadMsMax,
} from "./limits.ts";
import { checkLifecycleRules } from "./lifecycle-rules.ts";
import { type MultipartDeps, putInParts } from "./multipart.ts";
import { s3Error, s3Failure } from "./s3-errors.ts";
import { bodyOf, crcOf, crcText, readBody, type ResponseBody, withinTime } from "./s3-requests.ts";

export interface S3ObjectStoreOptions {
  readonly bucket: string;
  /** Itself a key, without a `/` at its end; all of the bucket is used if it is absent or empty. */
  readonly prefix?: string;
  /** Of a server that speaks S3, as `http://127.0.0.1:9000`; AWS's own if absent. */
  readonly endpoint?: string;
  /** From the environment or AWS's configuration files if absent. */
  readonly region?: string;
  /** Whether the bucket stands in the URL's path or, as by default, in its host name. */
  readonly addressing?: "host" | "path";
  readonly clock: Clock;
  readonly random: Random;
  readonly crc32c: Crc32c;
  /** Told of uploads whose parts were left in the bucket. */
  readonly onLeftUpload?: MultipartDeps["onLeftUpload"];
  /** Whether the bucket is asked for its lifecycle rules, once; `checked` if absent. */
  readonly rules?: "checked" | "unchecked";
  /** For tests against servers that take small parts. */
  readonly partBytes?: number;
  readonly multipartBytesMin?: number;
}

/**
 * Objects in a bucket of S3, or of a server that speaks S3 with conditional writes
 * (`If-None-Match: *` for PutObject and for CompleteMultipartUpload).
 *
 * Every object is sent with its CRC-32C, which S3 checks and keeps; it also stands for the body in
 * the request's signature, so that nobody has to hash the body too. Requests are tried once (of a
 * large object, the parts several times): the caller retries, because it can tell what an unknown
 * outcome was. Credentials come from the SDK's usual places.
 *
 * 412: `exists`. 409 and whatever has no answer: retriable, and the effect may be there.
 */
export class S3ObjectStore implements ObjectStore {
  readonly #sdk: typeof S3;
  readonly #client: S3.S3Client;
  readonly #options: S3ObjectStoreOptions;
  /** Empty, or ends with `/`. */
  readonly #prefix: string;
  #isClosed = false;

  private constructor(sdk: typeof S3, client: S3.S3Client, options: S3ObjectStoreOptions) {
    this.#sdk = sdk;
    this.#client = client;
    this.#options = options;
    const { prefix = "" } = options;
    assert(prefix === "" || isObjectKey(prefix), `not a prefix of keys: ${prefix}`);
    this.#prefix = prefix === "" ? "" : `${prefix}/`;
  }

  /**
   * Loads the SDK, which is loaded nowhere else, and asks for the bucket's lifecycle rules. Rejects
   * with LifecycleRuleError where one of them would take objects of the prefix away.
   */
  static async open(options: S3ObjectStoreOptions): Promise<S3ObjectStore> {
    const sdk = await import("@aws-sdk/client-s3");
    const store = new S3ObjectStore(sdk, makeClient(sdk, options), options);
    if (options.rules !== "unchecked") await store.#checkRules();
    return store;
  }

  async #checkRules(): Promise<void> {
    const { bucket, clock } = this.#options;
    const at = { sdk: this.#sdk, client: this.#client, clock };
    try {
      await checkLifecycleRules(at, { bucket, prefix: this.#prefix });
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<"stored" | "exists"> {
    const place = this.#place(key);
    const multipartMin = this.#options.multipartBytesMin ?? multipartBytesMin;
    if (objectBytes(parts) < multipartMin) return this.#putWhole(place, parts);
    const { clock, random, crc32c, onLeftUpload = () => undefined } = this.#options;
    const deps = { sdk: this.#sdk, client: this.#client, clock, random, crc32c, onLeftUpload };
    const bytes = this.#options.partBytes ?? partBytes;
    return putInParts({ ...deps, partBytes: bytes }, place, parts);
  }

  async readRange(key: string, range: ObjectRange): Promise<Uint8Array | undefined> {
    const place = this.#place(key);
    assertObjectRange(range);
    const nothing = range.into?.subarray(0, 0) ?? new Uint8Array(0);
    // HTTP has no range of no bytes.
    const asked = range.bytes === 0 ? { from: range.from, bytes: 1 } : range;
    try {
      const found = await this.#withinTime(requestMsMax, (signal) =>
        this.#get(place, asked, signal),
      );
      return range.bytes === 0 ? nothing : found;
    } catch (error) {
      const failure = s3Failure(error);
      if (failure?.name === "NoSuchKey") return undefined;
      if (failure?.status === 416) return nothing;
      throw s3Error(`${place.Key} could not be read`, error, "none");
    }
  }

  async list(listing: ObjectListing): Promise<ObjectPage> {
    this.#checkOpen();
    assertObjectListing(listing);
    const { after, limit } = listing;
    const command = new this.#sdk.ListObjectsV2Command({
      Bucket: this.#options.bucket,
      Prefix: `${this.#prefix}${listing.prefix}`,
      MaxKeys: limit,
      ...(after === undefined ? {} : { StartAfter: `${this.#prefix}${after}` }),
    });
    try {
      const page = await this.#withinTime(requestMsMax, (abortSignal) =>
        this.#client.send(command, { abortSignal }),
      );
      return this.#page(page);
    } catch (error) {
      throw s3Error(`${listing.prefix} could not be listed`, error, "none");
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    this.#checkOpen();
    const places = keys.map((key) => ({ Key: this.#place(key).Key }));
    for (let first = 0; first < places.length; first += deletedKeysMax) {
      await this.#deleteBatch(places.slice(first, first + deletedKeysMax));
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#client.destroy();
  }

  async #putWhole(
    place: { readonly Bucket: string; readonly Key: string },
    parts: readonly Uint8Array[],
  ): Promise<"stored" | "exists"> {
    const ChecksumCRC32C = crcText(crcOf(parts, this.#options.crc32c));
    const input = { ...place, ...bodyOf(parts), ChecksumCRC32C, IfNoneMatch: "*" };
    try {
      await this.#withinTime(uploadMsMax, (abortSignal) =>
        this.#client.send(new this.#sdk.PutObjectCommand(input), { abortSignal }),
      );
      return "stored";
    } catch (error) {
      if (s3Failure(error)?.status === 412) return "exists";
      throw s3Error(`${place.Key} could not be put`, error, "lasting");
    }
  }

  async #get(
    place: { readonly Bucket: string; readonly Key: string },
    { from, bytes, into }: ObjectRange,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const Range = `bytes=${from}-${from + bytes - 1}`;
    const command = new this.#sdk.GetObjectCommand({ ...place, Range });
    const { Body, ContentLength } = await this.#client.send(command, { abortSignal: signal });
    if (Body === undefined || ContentLength === undefined || ContentLength > bytes) {
      const isMore = ContentLength !== undefined && ContentLength > bytes;
      const message = isMore ? "more than was asked for" : "no body of known length";
      if (Body !== undefined) (Body as unknown as ResponseBody).destroy();
      const details = { retriable: false, applied: "no" } as const;
      throw new ObjectError(`${place.Key} was answered with ${message}`, details);
    }
    const memory = into?.subarray(0, ContentLength) ?? new Uint8Array(ContentLength);
    return readBody(Body as unknown as ResponseBody, { into: memory, signal });
  }

  /** What others put into the bucket and is no key is passed over. */
  #page(page: S3.ListObjectsV2CommandOutput): ObjectPage {
    const found = (page.Contents ?? []).map(({ Key = "", Size = 0 }) => {
      return { key: Key.slice(this.#prefix.length), bytes: Size };
    });
    const objects = found.filter(({ key }) => isObjectKey(key));
    const next = page.IsTruncated === true ? found.at(-1)?.key : undefined;
    return next === undefined ? { objects } : { objects, next };
  }

  async #deleteBatch(places: readonly { readonly Key: string }[]): Promise<void> {
    const Delete = { Objects: [...places], Quiet: true };
    const command = new this.#sdk.DeleteObjectsCommand({ Bucket: this.#options.bucket, Delete });
    const what = `${places.length} objects could not be deleted`;
    const { Errors = [] } = await this.#withinTime(requestMsMax, (abortSignal) =>
      this.#client.send(command, { abortSignal }),
    ).catch((error: unknown) => {
      throw s3Error(what, error, "lasting");
    });
    const [first] = Errors;
    if (first === undefined) return;
    const isPassing = Errors.every(({ Code = "" }) => passingDeletions.has(Code));
    const message = `${Errors.length} of ${what}, the first ${first.Key}: ${first.Code}`;
    const cause = new Error(Errors.map(({ Key, Code }) => `${Key}: ${Code}`).join("\n"));
    throw new ObjectError(message, { retriable: isPassing, applied: "maybe", cause });
  }

  #withinTime<Result>(
    msMax: number,
    request: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    return withinTime({ clock: this.#options.clock, msMax }, request);
  }

  #place(key: string): { readonly Bucket: string; readonly Key: string } {
    this.#checkOpen();
    assertObjectKey(key);
    const Key = `${this.#prefix}${key}`;
    assertObjectKey(Key);
    return { Bucket: this.#options.bucket, Key };
  }

  #checkOpen(): void {
    if (!this.#isClosed) return;
    throw new ObjectError("the store is closed", { retriable: false, applied: "no" });
  }
}

/** Codes of single keys that a later try may delete. */
const passingDeletions = new Set(["InternalError", "SlowDown", "ServiceUnavailable"]);

function makeClient(sdk: typeof S3, options: S3ObjectStoreOptions): S3.S3Client {
  const { endpoint } = options;
  // Such a server has no regions, but a signature has.
  const region = options.region ?? (endpoint === undefined ? undefined : "us-east-1");
  const agent = { keepAlive: true, maxSockets: connectionsMax };
  const client = new sdk.S3Client({
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle: options.addressing === "path",
    maxAttempts: 1,
    // To ask first (`Expect: 100-continue`) costs a round trip, and the SDK then makes a connection
    // for each request.
    expectContinueHeader: false,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: {
      connectionTimeout: connectMsMax,
      httpAgent: agent,
      httpsAgent: agent,
    },
  });
  client.middlewareStack.add(
    (next, context) => (args) => {
      const isBody = bodyCommands.has(String(context["commandName"]));
      const { headers } = args.request as { readonly headers: Record<string, string> };
      // The signed CRC-32C says what the body is; a SHA-256 costs several times as much.
      if (isBody) headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD";
      return next(args);
    },
    { step: "build", name: "bodyIsNotHashed" },
  );
  return client;
}

const bodyCommands = new Set(["PutObjectCommand", "UploadPartCommand"]);
