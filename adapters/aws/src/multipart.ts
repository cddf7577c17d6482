import type * as S3 from "@aws-sdk/client-s3";
import {
  type Clock,
  inLanes,
  objectBytes,
  ObjectError,
  objectPieces,
  type Random,
} from "@millrace/core";
import { combineCrc32c, type Crc32c } from "@millrace/wire";
import { partBackoffMsFirst, partsInFlightMax, partTriesMax, uploadMsMax } from "./limits.ts";
import { s3Error, s3Failure } from "./s3-errors.ts";
import { bodyOf, crcOf, crcText, withinTime } from "./s3-requests.ts";

/** Where an object is put in parts, and with what. */
export interface MultipartDeps {
  readonly sdk: typeof S3;
  readonly client: S3.S3Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly crc32c: Crc32c;
  readonly partBytes: number;
  /** Told of an upload that could not be aborted: its parts lie in the bucket, and cost. */
  readonly onLeftUpload: (left: { readonly uploadId: string; readonly cause: unknown }) => void;
}

interface Upload {
  readonly Bucket: string;
  readonly Key: string;
  readonly UploadId: string;
}

interface Part {
  readonly number: number;
  readonly views: readonly Uint8Array[];
}

interface UploadedPart {
  readonly etag: string;
  readonly crc: number;
  readonly bytes: number;
}

/**
 * Puts a large object in parts, some of them at once, each tried several times. The object comes to
 * be with the last request, on the condition that the key has none; that request is tried once,
 * because only the caller can tell what an unknown outcome was. An upload that does not end in an
 * object is aborted. The process's death leaves its parts: a lifecycle rule of the bucket
 * (AbortIncompleteMultipartUpload) has to remove them.
 */
export async function putInParts(
  deps: MultipartDeps,
  place: { readonly Bucket: string; readonly Key: string },
  parts: readonly Uint8Array[],
): Promise<"stored" | "exists"> {
  const upload = await begin(deps, place);
  try {
    const uploaded = await uploadAll(deps, upload, parts);
    await complete(deps, upload, uploaded);
    return "stored";
  } catch (error) {
    await abort(deps, upload);
    if (s3Failure(error)?.status === 412) return "exists";
    throw s3Error(`${place.Key} could not be put in parts`, error, "lasting");
  }
}

async function begin(
  deps: MultipartDeps,
  place: { readonly Bucket: string; readonly Key: string },
): Promise<Upload> {
  const { sdk, client } = deps;
  const input = { ...place, ChecksumAlgorithm: "CRC32C", ChecksumType: "FULL_OBJECT" } as const;
  const { UploadId } = await tried(deps, `an upload of ${place.Key} did not begin`, (abortSignal) =>
    client.send(new sdk.CreateMultipartUploadCommand(input), { abortSignal }),
  );
  if (UploadId === undefined) throw incomplete("an upload without an id");
  return { ...place, UploadId };
}

async function uploadAll(
  deps: MultipartDeps,
  upload: Upload,
  parts: readonly Uint8Array[],
): Promise<readonly UploadedPart[]> {
  const pieces = [...objectPieces(parts, deps.partBytes)];
  const numbered = pieces.map((views, index) => ({ number: index + 1, views }));
  const uploaded: UploadedPart[] = [];
  let hasFailed = false;
  await inLanes(numbered, partsInFlightMax, async (part) => {
    // One that is missing makes all others worthless.
    if (hasFailed) return;
    try {
      uploaded[part.number - 1] = await uploadPart(deps, upload, part);
    } catch (error) {
      hasFailed = true;
      throw error;
    }
  });
  return uploaded;
}

async function uploadPart(deps: MultipartDeps, upload: Upload, part: Part): Promise<UploadedPart> {
  const { sdk, client, crc32c } = deps;
  const crc = crcOf(part.views, crc32c);
  const command = { ...upload, PartNumber: part.number, ChecksumCRC32C: crcText(crc) };
  const what = `part ${part.number} of ${upload.Key} could not be put`;
  const { ETag } = await tried(deps, what, (abortSignal) =>
    client.send(new sdk.UploadPartCommand({ ...command, ...bodyOf(part.views) }), { abortSignal }),
  );
  if (ETag === undefined) throw incomplete("a part without an ETag");
  return { etag: ETag, crc, bytes: objectBytes(part.views) };
}

async function complete(
  { sdk, client, clock }: MultipartDeps,
  upload: Upload,
  uploaded: readonly UploadedPart[],
): Promise<void> {
  const Parts = uploaded.map(({ etag, crc }, index) => ({
    PartNumber: index + 1,
    ETag: etag,
    ChecksumCRC32C: crcText(crc),
  }));
  const whole = uploaded.reduce((sum, part) => combineCrc32c(sum, part.crc, part.bytes), 0);
  const command = new sdk.CompleteMultipartUploadCommand({
    ...upload,
    MultipartUpload: { Parts },
    ChecksumCRC32C: crcText(whole),
    ChecksumType: "FULL_OBJECT",
    MpuObjectSize: uploaded.reduce((sum, { bytes }) => sum + bytes, 0),
    IfNoneMatch: "*",
  });
  const time = { clock, msMax: uploadMsMax };
  await withinTime(time, (abortSignal) => client.send(command, { abortSignal }));
}

/** Never throws what a request may do: the failure that led here is the one to be told. */
async function abort(deps: MultipartDeps, upload: Upload): Promise<void> {
  const { sdk, client } = deps;
  try {
    await tried(deps, `the upload of ${upload.Key} could not be aborted`, (abortSignal) =>
      client.send(new sdk.AbortMultipartUploadCommand(upload), { abortSignal }),
    );
  } catch (error) {
    if (!(error instanceof ObjectError)) throw error;
    // It is gone already: an earlier try, or the request that completed it, had its effect.
    if (s3Failure(error.cause)?.name === "NoSuchUpload") return;
    deps.onLeftUpload({ uploadId: upload.UploadId, cause: error });
  }
}

/**
 * A request whose repetition does no harm, with bounded retries, each after a wait with jitter. No
 * object comes of it, so its failure has no effect.
 */
async function tried<Result>(
  { clock, random }: MultipartDeps,
  what: string,
  request: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const time = { clock, msMax: uploadMsMax };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await withinTime(time, request);
    } catch (cause) {
      const error = s3Error(what, cause, "none");
      const isGone = s3Failure(cause)?.name === "NoSuchUpload";
      if (!error.retriable || isGone || attempt === partTriesMax) throw error;
    }
    const longestMs = partBackoffMsFirst * 2 ** (attempt - 1);
    const waitMs = longestMs / 2 + random.below(longestMs / 2);
    await new Promise<void>((resolve) => clock.after(waitMs, resolve));
  }
}

function incomplete(what: string): ObjectError {
  return new ObjectError(`S3 answered with ${what}`, { retriable: false, applied: "no" });
}
