import { DiskError, MetadataError, ObjectError } from "@millrace/core";
import { CheckpointDamagedError } from "../tier/former-checkpoints.ts";

/** A failure of the disk or of a store, of which one partition suffers: it is no bug. */
export type StoreError = DiskError | MetadataError | ObjectError | CheckpointDamagedError;

export function isStoreError(error: unknown): error is StoreError {
  return (
    error instanceof DiskError ||
    error instanceof MetadataError ||
    error instanceof ObjectError ||
    error instanceof CheckpointDamagedError
  );
}

/** Whether the same may succeed a little later. */
export function isRetriable(error: StoreError): boolean {
  return !(error instanceof CheckpointDamagedError) && error.retriable;
}
