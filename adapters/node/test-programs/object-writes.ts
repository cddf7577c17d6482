/** A thread that writes objects, as `object-writer.test.ts` wants it: the query says how. */
import { parentPort } from "node:worker_threads";
import { writerPieceBytes } from "../src/limits.ts";
import { serveObjectWrites, type WrittenPiece } from "../src/object-writer-thread.ts";

// Before the writes: it dies of what it is sent.
parentPort?.on("message", ({ path }: WrittenPiece) => {
  if (path.endsWith("deadly")) process.exit(1);
});
const isCrooked = new URL(import.meta.url).searchParams.has("crooked");
// Past the page cache nothing can be written from there.
if (isCrooked) serveObjectWrites(new Uint8Array(writerPieceBytes + 8).subarray(8));
else serveObjectWrites();
