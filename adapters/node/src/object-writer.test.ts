import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { writerPieceBytes, writtenBlockBytes } from "./limits.ts";
import { ObjectWriter } from "./object-writer.ts";

let folder: string;
let writer: ObjectWriter;
let made = 0;

function opened(how: "" | "?crooked" = "", limits: { readonly idleMsMax?: number } = {}): void {
  const url = new URL(`../test-programs/object-writes.ts${how}`, import.meta.url);
  writer = new ObjectWriter(() => ({ kind: "file", url }), limits);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-written-"));
});

afterEach(async () => {
  await writer.close();
  rmSync(folder, { recursive: true, force: true });
});

/**
 * Parts of these sizes, each of other bytes than the next one's. Of each two one lies in shared memory,
 * at an odd address.
 */
function partsOf(sizes: readonly number[]): readonly Uint8Array[] {
  return sizes.map((size, at) => {
    const bytes = Uint8Array.from({ length: size }, (_, byte) => byte * 7 + at);
    if (at % 2 === 0) return bytes;
    const shared = new Uint8Array(new SharedArrayBuffer(size + at), at);
    shared.set(bytes);
    return shared;
  });
}

async function written(sizes: readonly number[]): Promise<void> {
  made += 1;
  const path = join(folder, String(made));
  const parts = partsOf(sizes);
  await writer.write(path, parts);
  expect(readFileSync(path).equals(Buffer.concat(parts))).toBe(true);
}

const nearBounds = fc
  .tuple(fc.constantFrom(0, writtenBlockBytes, writerPieceBytes), fc.integer({ min: -3, max: 3 }))
  .map(([bound, more]) => Math.max(0, bound + more));
const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 20_000 }), nearBounds), { maxLength: 6 });

describe("files that a thread writes", () => {
  test("have the bytes of their parts, and no more", async () => {
    opened();
    const property = fc.asyncProperty(fc.array(sizes, { minLength: 1, maxLength: 4 }), (files) =>
      Promise.all(files.map(written)).then(() => undefined),
    );
    await fc.assert(property, { numRuns: 40, seed: 7 });
  });

  test("are many at once, in bounded memory", async () => {
    opened();
    await Promise.all(Array.from({ length: 12 }, (_, at) => written([writerPieceBytes + at, at])));
  });

  test("are written where the file system can't write past the page cache", async () => {
    opened("?crooked");
    await written([3, 2 * writerPieceBytes, 9 * writerPieceBytes]);
    await Promise.all([written([1, 20_000]), written([])]);
  });

  test("fail with the code of the call that failed, and no other one with them", async () => {
    opened();
    const large = partsOf([3 * writerPieceBytes, 5]);
    const failing = writer.write(join(folder, "absent", "x"), large);
    const others = [written([2 * writerPieceBytes]), written([17])];
    await expect(failing).rejects.toMatchObject({ code: "ENOENT" });
    await Promise.all(others);
    await written([4]);
  });

  test("are not written over one that is there", async () => {
    opened();
    const path = join(folder, "taken");
    await writer.write(path, partsOf([3]));
    await expect(writer.write(path, partsOf([9]))).rejects.toMatchObject({ code: "EEXIST" });
    expect(readFileSync(path)).toHaveLength(3);
  });

  test("fail with a thread that died, and the next ones have another", async () => {
    opened();
    const deadly = writer.write(join(folder, "deadly"), partsOf([9 * writerPieceBytes]));
    const beside = writer.write(join(folder, "beside"), partsOf([9 * writerPieceBytes]));
    await expect(deadly).rejects.toMatchObject({ code: "EIO" });
    await expect(beside).rejects.toMatchObject({ code: "EIO" });
    await written([10]);
  });

  test("leave no thread behind after a while", async () => {
    opened("", { idleMsMax: 20 });
    await written([10]);
    expect(writer.hasThread).toBe(true);
    await expect.poll(() => writer.hasThread).toBe(false);
    await written([11]);
  });

  test("are written however often the thread is given back meanwhile", async () => {
    opened("", { idleMsMax: 0 });
    for (let at = 0; at < 20; at += 1) {
      await written([at]);
      for (let turns = at % 3; turns > 0; turns -= 1) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  });
});
