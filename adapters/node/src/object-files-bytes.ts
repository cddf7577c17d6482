import { ObjectError, objectPieces, type ObjectRange } from "@millrace/core";
import { objectPieceBytes, objectSyncBytes, objectWriteBytes, writevPartsMax } from "./limits.ts";
import type { OpenedFile } from "./object-files-calls.ts";

/** Writes the parts one after another into a new file; they are durable when it resolves. */
export async function writeObject(file: OpenedFile, parts: readonly Uint8Array[]): Promise<void> {
  let [position, synced] = [0, 0];
  for (const piece of objectPieces(parts, objectWriteBytes)) {
    position += await writePiece(file, piece, position);
    if (position - synced < objectSyncBytes) continue;
    // In one go at the end it would keep everybody else's syncs waiting.
    await file.datasync();
    synced = position;
  }
  await file.datasync();
}

/** The range of the file, undefined if it is a folder. Throws ObjectError if it gets shorter. */
export async function readObject(
  file: OpenedFile,
  key: string,
  { from, bytes, into: given }: ObjectRange,
): Promise<Uint8Array | undefined> {
  const found = await file.stat();
  if (found.isDirectory()) return undefined;
  const wanted = Math.max(0, Math.min(bytes, found.size - from));
  // Every byte of it is read before anyone sees it.
  const into = given?.subarray(0, wanted) ?? new Uint8Array(Buffer.allocUnsafeSlow(wanted).buffer);
  for (let done = 0; done < wanted; ) {
    const length = Math.min(objectPieceBytes, wanted - done);
    const { bytesRead } = await file.read(into, done, length, from + done);
    if (bytesRead === 0) {
      throw new ObjectError(`${key} was cut`, { retriable: false, applied: "no" });
    }
    done += bytesRead;
  }
  return into;
}

/** Writes all of it; returns its bytes. */
async function writePiece(
  file: OpenedFile,
  piece: readonly Uint8Array[],
  position: number,
): Promise<number> {
  let at = position;
  for (let first = 0; first < piece.length; first += writevPartsMax) {
    let rest: readonly Uint8Array[] = piece.slice(first, first + writevPartsMax);
    while (rest.length > 0) {
      const { bytesWritten } = await file.writev([...rest], at);
      at += bytesWritten;
      rest = without(rest, bytesWritten);
    }
  }
  return at - position;
}

/** What is left of the views when their first `bytes` are gone; none of it is empty. */
function without(views: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let gone = bytes;
  const left: Uint8Array[] = [];
  for (const view of views) {
    if (gone < view.length) left.push(view.subarray(gone));
    gone = Math.max(0, gone - view.length);
  }
  return left;
}
