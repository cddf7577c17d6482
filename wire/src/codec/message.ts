import { DecodeError, EncodeError } from "./errors.ts";

/** The default of every field of bytes. Nobody can change it: it has no bytes. */
export const emptyBytes: Uint8Array = new Uint8Array(0);

/** The value, which must not be null in this version. */
export function present<T>(value: T | null, field: string, version: number): T {
  if (value === null) throw new EncodeError(`${field} may not be null in version ${version}`);
  return value;
}

/** A value other than the default in a field that the version lacks, and that may not be dropped. */
export function refuse(field: string, version: number): never {
  throw new EncodeError(`version ${version} has no ${field}`);
}

export function unreadableVersion(message: string, version: number, position: number): never {
  throw new DecodeError(`${message} has no version ${version}`, position);
}

export function unwritableVersion(message: string, version: number): never {
  throw new EncodeError(`${message} has no version ${version}`);
}
