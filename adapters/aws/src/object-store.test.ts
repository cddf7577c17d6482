import { ObjectError } from "@millrace/core";
import { crc32c } from "@millrace/wire";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { cutting, failing, impatient, ScriptedS3, silent, xml } from "./fixtures.ts";
import { connectionsMax, deletedKeysMax } from "./limits.ts";
import type { S3ObjectStore } from "./object-store.ts";
import { s3Error } from "./s3-errors.ts";
import { crcText } from "./s3-requests.ts";

let s3: ScriptedS3;
let store: S3ObjectStore;

beforeEach(async () => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "nobody");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "nothing");
  s3 = await ScriptedS3.start();
  store = await s3.openStore();
});

afterEach(async () => {
  await store.close();
  await s3.stop();
  vi.unstubAllEnvs();
});

const bytes = (letters: string): Uint8Array => new TextEncoder().encode(letters);

async function failureOf(call: Promise<unknown>): Promise<ObjectError> {
  const [outcome] = await Promise.allSettled([call]);
  if (outcome?.status !== "rejected") throw new Error("it did not fail");
  expect(outcome.reason).toBeInstanceOf(ObjectError);
  return outcome.reason as ObjectError;
}

describe("a put", () => {
  it("sends the parts on the condition that there is none, with their CRC-32C", async () => {
    expect(await store.putIfAbsent("a/b", [bytes("one"), bytes("two")])).toBe("stored");
    const [{ method, path, headers, body } = expect.fail()] = s3.asked;
    expect({ method, path }).toEqual({ method: "PUT", path: "/bucket/some/prefix/a/b" });
    expect(body.toString()).toBe("onetwo");
    expect(headers).toMatchObject({
      "if-none-match": "*",
      "content-length": "6",
      "x-amz-checksum-crc32c": crcText(crc32c(bytes("onetwo"))),
      "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    });
    // The CRC is signed, so it vouches for the body.
    expect(headers.authorization).toMatch(/SignedHeaders=[^,]*x-amz-checksum-crc32c/u);
    expect(headers["x-amz-checksum-crc32"]).toBeUndefined();
  });

  it("sends parts of any sizes one after another, each put over the connection of the last", async () => {
    const whole = new Uint8Array(3_000_000).map((_, at) => at * 31 + (at >>> 8));
    const cuts = [0, 1, 40, 40, 70_000, 70_010, 1_200_000, 1_230_000, 1_270_000, 2_999_999];
    const parts = cuts.map((from, n) => whole.subarray(from, cuts[n + 1] ?? whole.length));
    for (let put = 1; put <= 3; put += 1) {
      expect(await store.putIfAbsent("a", parts)).toBe("stored");
      const { headers, body } = s3.asked[put - 1] ?? expect.fail();
      expect(Buffer.compare(body, whole)).toBe(0);
      expect(headers).toMatchObject({
        "content-length": "3000000",
        "x-amz-checksum-crc32c": crcText(crc32c(whole)),
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
      });
      expect([headers.expect, headers["transfer-encoding"]]).toEqual([undefined, undefined]);
    }
    expect(s3.socketsMade).toBe(1);
  });

  it("that finds an object is answered with exists", async () => {
    s3.answer = failing(412, "PreconditionFailed");
    expect(await store.putIfAbsent("a", [bytes("x")])).toBe("exists");
  });

  it.each([
    ["a racing put", failing(409, "ConditionalRequestConflict"), true, "maybe"],
    ["too many requests", failing(503, "SlowDown"), true, "no"],
    ["an unavailable service", failing(503, "ServiceUnavailable"), true, "maybe"],
    ["an internal error", failing(500, "InternalError"), true, "maybe"],
    ["a slow sender", failing(400, "RequestTimeout"), true, "maybe"],
    ["bytes that changed on the way", failing(400, "BadDigest"), true, "no"],
    [
      "a gateway's own page",
      (_: unknown, r: { statusCode: number; end(x: string): unknown }) => {
        r.statusCode = 502;
        r.end("<html>");
      },
      true,
      "maybe",
    ],
    ["a lost connection", cutting, true, "maybe"],
    ["silence", silent, true, "maybe"],
    ["no permission", failing(403, "AccessDenied"), false, "no"],
    ["no bucket", failing(404, "NoSuchBucket"), false, "no"],
    ["a bad request", failing(400, "InvalidArgument"), false, "no"],
  ] as const)("tells of %s, and is tried once", async (_, answer, retriable, applied) => {
    s3.answer = answer;
    if (answer === silent) store = await s3.openStore({ clock: impatient });
    const failure = await failureOf(store.putIfAbsent("a", [bytes("x")]));
    expect({ retriable: failure.retriable, applied: failure.applied }).toEqual({
      retriable,
      applied,
    });
    expect(s3.asked).toHaveLength(1);
  });

  it("that makes no connection has no effect", async () => {
    await s3.stop();
    const failure = await failureOf(store.putIfAbsent("a", [bytes("x")]));
    expect(failure).toMatchObject({ retriable: true, applied: "no" });
    s3 = await ScriptedS3.start();
  });
});

describe("a read", () => {
  it("asks for its range alone", async () => {
    s3.answer = (_, response) => {
      response.statusCode = 206;
      response.end("xyz");
    };
    expect(await store.readRange("a", { from: 5, bytes: 10 })).toEqual(bytes("xyz"));
    expect(s3.asked[0]?.headers.range).toBe("bytes=5-14");
  });

  it("finds nothing, or nothing more", async () => {
    s3.answer = failing(404, "NoSuchKey");
    expect(await store.readRange("a", { from: 0, bytes: 1 })).toBeUndefined();
    s3.answer = failing(416, "InvalidRange");
    expect(await store.readRange("a", { from: 9, bytes: 1 })).toEqual(new Uint8Array(0));
  });

  it("does not take an absent bucket for an absent object", async () => {
    s3.answer = failing(404, "NoSuchBucket");
    const failure = await failureOf(store.readRange("a", { from: 0, bytes: 1 }));
    expect(failure.retriable).toBe(false);
  });

  it("refuses more than it asked for, as of a server that knows no ranges", async () => {
    s3.answer = (_, response) => void response.end("x".repeat(100_000));
    const failure = await failureOf(store.readRange("a", { from: 0, bytes: 10 }));
    expect(failure.retriable).toBe(false);
  });

  it("is retriable when the body is cut, or ends nowhere", async () => {
    s3.answer = (_, response) => {
      response.writeHead(206, { "content-length": "10" });
      response.write("xyz", () => setTimeout(() => response.socket?.destroy(), 20));
    };
    expect(await failureOf(store.readRange("a", { from: 0, bytes: 10 }))).toMatchObject({
      retriable: true,
    });
    s3.answer = (_, response) => {
      response.writeHead(206, { "content-length": "10" });
      response.write("xyz");
    };
    store = await s3.openStore({ clock: impatient });
    const failure = await failureOf(store.readRange("a", { from: 0, bytes: 10 }));
    expect(failure).toMatchObject({ retriable: true, applied: "no" });
  });

  it("that took too long writes nothing more into the memory that it was given", async () => {
    let goOn = (): void => undefined;
    s3.answer = (_, response) => {
      response.writeHead(206, { "content-length": "10" });
      response.write("xyz");
      goOn = () => void response.end("0123456");
    };
    store = await s3.openStore({ clock: impatient });
    const into = new Uint8Array(10);
    await failureOf(store.readRange("a", { from: 0, bytes: 10, into }));
    expect(into.subarray(0, 3)).toEqual(bytes("xyz"));
    into.fill(7);
    goOn();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(into).toEqual(new Uint8Array(10).fill(7));
  });

  it("waits for a connection when all are in use", async () => {
    s3.answer = (_, response) => {
      response.statusCode = 206;
      setTimeout(() => response.end("x"), 5);
    };
    const reads = Array.from({ length: 2 * connectionsMax + 5 }, () =>
      store.readRange("a", { from: 0, bytes: 1 }),
    );
    for (const found of await Promise.all(reads)) expect(found).toEqual(bytes("x"));
    expect(s3.socketsMost).toBe(connectionsMax);
  });
});

describe("a list", () => {
  const contents = (...keys: readonly string[]): string =>
    keys.map((key) => `<Contents><Key>${key}</Key><Size>3</Size></Contents>`).join("");

  it("passes over what is no key, and goes on after it", async () => {
    s3.answer = (_, response) => {
      const listed = contents("some/prefix/a/b", "some/prefix/a/", "some/prefix/my file");
      response.end(xml("ListBucketResult", `<IsTruncated>true</IsTruncated>${listed}`));
    };
    const page = await store.list({ prefix: "a", after: "a/a", limit: 3 });
    expect(page).toEqual({ objects: [{ key: "a/b", bytes: 3 }], next: "my file" });
    expect(Object.fromEntries(s3.asked[0]?.query ?? [])).toMatchObject({
      prefix: "some/prefix/a",
      "start-after": "some/prefix/a/a",
      "max-keys": "3",
    });
    await store.list({ prefix: "", after: "my file", limit: 3 });
  });

  it("fails as a read does", async () => {
    s3.answer = failing(503, "SlowDown");
    expect(await failureOf(store.list({ prefix: "", limit: 1 }))).toMatchObject({
      retriable: true,
      applied: "no",
    });
  });
});

describe("a deletion", () => {
  it("is cut into batches that S3 takes", async () => {
    s3.answer = (_, response) => void response.end(xml("DeleteResult", ""));
    const keys = Array.from({ length: 2 * deletedKeysMax + 1 }, (_, n) => `a/${n}`);
    await store.delete(keys);
    const sizes = s3.asked.map(({ body }) => body.toString().split("<Key>").length - 1);
    expect(sizes).toEqual([deletedKeysMax, deletedKeysMax, 1]);
  });

  it("tells of every key that was not deleted", async () => {
    const error = (key: string, code: string): string =>
      `<Error><Key>${key}</Key><Code>${code}</Code></Error>`;
    const passing = error("some/prefix/b", "InternalError");
    s3.answer = (_, response) => void response.end(xml("DeleteResult", passing));
    const failure = await failureOf(store.delete(["a", "b"]));
    expect(failure).toMatchObject({ retriable: true, applied: "maybe" });
    expect(failure.message).toContain("1 of 2");
    expect(failure.message).toContain("some/prefix/b: InternalError");
    s3.answer = (_, response) => {
      response.end(xml("DeleteResult", passing + error("some/prefix/a", "AccessDenied")));
    };
    expect((await failureOf(store.delete(["a", "b"]))).retriable).toBe(false);
  });
});

describe("an error that tells of no request", () => {
  it("is a bug, and thrown as it is", () => {
    const bug = new TypeError("undefined is not a function");
    expect(() => s3Error("it failed", bug, "none")).toThrow(bug);
    const argument = Object.assign(new TypeError("not a string"), { code: "ERR_INVALID_ARG_TYPE" });
    expect(() => s3Error("it failed", argument, "none")).toThrow(argument);
  });
});
