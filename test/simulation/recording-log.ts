import { DiskError, MetadataError, ObjectError } from "@millrace/core";
import type { Ports } from "../../broker-fargate/src/open-broker.ts";
import type { Trace } from "./trace.ts";

/**
 * The broker's log: every line goes into the trace. An error that is neither the disk's nor the
 * store's is a bug of the broker, whatever it did afterwards.
 */
export function recordingLog(
  trace: Trace,
  judge: {
    readonly bug: (what: string) => void;
    /** Whether records were taken from the broker's disk. */
    readonly mayMissRecords: () => boolean;
  },
): Ports["log"] {
  const write =
    (level: "info" | "warn" | "error") =>
    (fields: unknown, message?: string): void => {
      const error = errorOf(fields);
      trace.add(`log ${level} ${message ?? ""} ${nameOf(error)}`);
      const isOperational =
        error instanceof DiskError ||
        error instanceof MetadataError ||
        error instanceof ObjectError;
      const isOfLoss = message === lossMessage && judge.mayMissRecords();
      if (level === "error" && !isOperational && !isOfLoss) {
        judge.bug(`the broker logged: ${message ?? ""} ${stackOf(error)}`);
      }
    };
  const silent = (): void => undefined;
  const log = {
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    fatal: write("error"),
    debug: silent,
    trace: silent,
  };
  // The broker writes lines and nothing else; of pino's logger that is all it needs.
  return log as unknown as Ports["log"];
}

const lossMessage = "synced records of a partition are gone from the disk";

function errorOf(fields: unknown): unknown {
  return typeof fields === "object" && fields !== null && "err" in fields ? fields.err : undefined;
}

function nameOf(error: unknown): string {
  if (error instanceof Error) return `${error.name}: ${error.message}`;
  return typeof error === "string" ? error : "";
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error.stack ?? error.message).split("\n").slice(0, 6).join(" | ");
}
