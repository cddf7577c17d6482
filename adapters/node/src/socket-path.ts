import { MetadataError } from "@millrace/core";
import { socketPathBytesMax } from "./limits.ts";

/** Throws MetadataError when the system would not take the path, or would cut it off. */
export function assertSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= socketPathBytesMax) return;
  const most = `at most ${socketPathBytesMax} may be`;
  throw unusable(`the socket's path has ${bytes} bytes, ${most}: ${path}`);
}

/** A metadata host or its socket can't be used as configured: another try would not help. */
export function unusable(message: string, cause?: unknown): MetadataError {
  return new MetadataError(message, { retriable: false, applied: "no", cause });
}
