import { ObjectError } from "@millrace/core";
import { crc32c } from "@millrace/wire";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Answer, type Asked, cutting, failing, inTurn, ScriptedS3, xml } from "./fixtures.ts";
import { multipartBytesMin, partBytes, partsInFlightMax, partTriesMax } from "./limits.ts";
import type { S3ObjectStore } from "./object-store.ts";
import { crcText } from "./s3-requests.ts";

const pieceBytes = 1_000;
const body = Uint8Array.from({ length: 9_500 }, (_, at) => (at * 7) & 0xff);
const parts = [body.subarray(0, 1_700), body.subarray(1_700, 1_701), body.subarray(1_701)];

let s3: ScriptedS3;
let store: S3ObjectStore;
let left: string[];
/** What the server does with each step of an upload; it does well if the test says nothing else. */
let steps: Record<"begin" | "part" | "complete" | "abort", Answer>;

beforeEach(async () => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "nobody");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "nothing");
  s3 = await ScriptedS3.start();
  left = [];
  const onLeftUpload = ({ uploadId }: { readonly uploadId: string }) => void left.push(uploadId);
  store = await s3.openStore({ partBytes: pieceBytes, multipartBytesMin: 5_000, onLeftUpload });
  steps = {
    begin: (_, response) => {
      response.end(xml("InitiateMultipartUploadResult", "<UploadId>upload</UploadId>"));
    },
    part: ({ query }, response) => {
      response.setHeader("etag", `"${query.get("partNumber")}"`);
      response.end();
    },
    complete: (_, response) => void response.end(xml("CompleteMultipartUploadResult", "")),
    abort: (_, response) => {
      response.statusCode = 204;
      response.end();
    },
  };
  s3.answer = (asked, response) => steps[stepOf(asked)](asked, response);
});

afterEach(async () => {
  await store.close();
  await s3.stop();
  vi.unstubAllEnvs();
});

function stepOf({ method, query }: Asked): keyof typeof steps {
  if (query.has("uploads")) return "begin";
  if (method === "PUT") return "part";
  return method === "POST" ? "complete" : "abort";
}

const asked = (step: keyof typeof steps): readonly Asked[] =>
  s3.asked.filter((request) => stepOf(request) === step);

async function failureOf(call: Promise<unknown>): Promise<ObjectError> {
  const [outcome] = await Promise.allSettled([call]);
  if (outcome?.status !== "rejected") throw new Error("it did not fail");
  expect(outcome.reason).toBeInstanceOf(ObjectError);
  return outcome.reason as ObjectError;
}

describe("a large object", () => {
  it("is put in parts with their CRCs, and completed on the condition that there is none", async () => {
    expect(await store.putIfAbsent("a", parts)).toBe("stored");
    const sent = asked("part").toSorted(
      (one, other) => Number(one.query.get("partNumber")) - Number(other.query.get("partNumber")),
    );
    expect(Buffer.compare(Buffer.concat(sent.map((part) => part.body)), body)).toBe(0);
    expect(sent.map((part) => part.body.length)).toEqual([...Array(9).fill(pieceBytes), 500]);
    for (const part of sent) {
      expect(part.headers["x-amz-checksum-crc32c"]).toBe(crcText(crc32c(part.body)));
      expect(part.headers["x-amz-content-sha256"]).toBe("UNSIGNED-PAYLOAD");
      expect(part.query.get("uploadId")).toBe("upload");
    }
    const [{ headers, body: xmlBody } = expect.fail()] = asked("complete");
    expect(headers).toMatchObject({
      "if-none-match": "*",
      "x-amz-checksum-crc32c": crcText(crc32c(body)),
      "x-amz-checksum-type": "FULL_OBJECT",
      "x-amz-mp-object-size": "9500",
    });
    const numbers = [...xmlBody.toString().matchAll(/<PartNumber>(\d+)</gu)].map(([, n]) => n);
    expect(numbers).toEqual(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    expect(asked("abort")).toEqual([]);
  });

  it("of the usual bounds goes in one piece below them, and in several from them on", async () => {
    const usual = await s3.openStore();
    expect(await usual.putIfAbsent("a", [new Uint8Array(multipartBytesMin - 1)])).toBe("stored");
    expect(asked("begin")).toHaveLength(0);
    expect(await usual.putIfAbsent("a", [new Uint8Array(multipartBytesMin)])).toBe("stored");
    const sizes = asked("part").map((part) => part.body.length);
    expect(sizes).toEqual([multipartBytesMin - 1, partBytes, partBytes, partBytes]);
    await usual.close();
  });

  it("has a bounded number of parts under way", async () => {
    let [underWay, most] = [0, 0];
    const { part } = steps;
    steps.part = (request, response) => {
      underWay += 1;
      most = Math.max(most, underWay);
      setTimeout(() => {
        underWay -= 1;
        part(request, response);
      }, 20);
    };
    await store.putIfAbsent("a", parts);
    expect(most).toBe(partsInFlightMax);
  });

  it("is stored although requests fail several times", async () => {
    steps.begin = inTurn(failing(503, "SlowDown"), cutting, steps.begin);
    steps.part = inTurn(
      failing(500, "InternalError"),
      cutting,
      failing(400, "BadDigest"),
      steps.part,
    );
    expect(await store.putIfAbsent("a", parts)).toBe("stored");
    expect(asked("part")).toHaveLength(13);
    expect(asked("complete")).toHaveLength(1);
  });

  it("is given up, and its upload aborted, when a part fails again and again", async () => {
    const { part } = steps;
    steps.part = (request, response) => {
      const isBad = request.query.get("partNumber") === "2";
      (isBad ? failing(500, "InternalError") : part)(request, response);
    };
    const failure = await failureOf(store.putIfAbsent("a", parts));
    expect(failure).toMatchObject({ retriable: true, applied: "no" });
    const second = asked("part").filter(({ query }) => query.get("partNumber") === "2");
    expect(second).toHaveLength(partTriesMax);
    expect(asked("complete")).toHaveLength(0);
    expect(asked("abort")).toHaveLength(1);
    expect(left).toEqual([]);
  });

  it("is given up at once when what failed will not pass", async () => {
    steps.part = failing(403, "AccessDenied");
    const failure = await failureOf(store.putIfAbsent("a", parts));
    expect(failure).toMatchObject({ retriable: false, applied: "no" });
    expect(asked("part").length).toBeLessThanOrEqual(partsInFlightMax);
    expect(asked("abort")).toHaveLength(1);
  });

  it("that is there already exists, and the upload is aborted", async () => {
    steps.complete = failing(412, "PreconditionFailed");
    expect(await store.putIfAbsent("a", parts)).toBe("exists");
    expect(asked("abort")).toHaveLength(1);
  });

  it.each([
    ["a racing put", failing(409, "ConditionalRequestConflict")],
    ["an error in an answer that began well", failing(200, "InternalError")],
    ["a lost connection", cutting],
    ["an upload that is gone", failing(404, "NoSuchUpload")],
  ])("may be there after %s, and is not completed twice", async (_, answer) => {
    steps.complete = answer;
    steps.abort = failing(404, "NoSuchUpload");
    const failure = await failureOf(store.putIfAbsent("a", parts));
    expect(failure).toMatchObject({ retriable: true, applied: "maybe" });
    expect(asked("complete")).toHaveLength(1);
    expect(asked("abort")).toHaveLength(1);
    expect(left).toEqual([]);
  });

  it("tells of an upload that it could not abort", async () => {
    steps.complete = failing(412, "PreconditionFailed");
    steps.abort = failing(403, "AccessDenied");
    expect(await store.putIfAbsent("a", parts)).toBe("exists");
    expect(left).toEqual(["upload"]);
  });
});
