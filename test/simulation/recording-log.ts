import { DiskError, MetadataError, ObjectError } from "@millrace/core";
import type { Ports } from "../../broker-fargate/src/open-broker.ts";
import type { TraceLines } from "./trace.ts";

/**
 * The broker's log: every line goes into the trace. An error that is neither the disk's nor the
 * store's is a bug of the broker, whatever it did afterwards.
 */
export function recordingLog(
  trace: TraceLines,
  judge: {
    readonly bug: (what: string) => void;
    /** Whether records were taken from the broker's disk. */
    readonly mayMissRecords: () => boolean;
  },
): Ports["log"] {
  /** Partitions whose files the disk did not give: what is then said of them follows from that. */
  const unreadable = new Set<string>();
  const write =
    (level: "info" | "warn" | "error") =>
    (fields: unknown, message?: string): void => {
      const error = errorOf(fields);
      trace.add(`log ${level} ${message ?? ""} ${nameOf(error)}`);
      const isOperational =
        error instanceof DiskError ||
        error instanceof MetadataError ||
        error instanceof ObjectError;
      const partition = partitionIn(fields);
      if (error instanceof DiskError && partition !== "") unreadable.add(partition);
      const isKnown = judge.mayMissRecords() || unreadable.has(partition);
      const isOfLoss = isKnown && lossMessages.some((one) => message?.startsWith(one));
      if (level === "error" && !isOperational && !isOfLoss) {
        const why = error === undefined ? reasonOf(fields) : stackOf(error);
        judge.bug(`the broker logged: ${message ?? ""} ${why}`);
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

const lossMessages: readonly string[] = [
  "synced records of a partition are gone from the disk",
  "a former owner's journal is lost",
];

function errorOf(fields: unknown): unknown {
  return typeof fields === "object" && fields !== null && "err" in fields ? fields.err : undefined;
}

/** Empty where the line is of no partition. */
function partitionIn(fields: unknown): string {
  const isOfOne = typeof fields === "object" && fields !== null && "topicId" in fields;
  const partition = isOfOne && "partition" in fields ? fields.partition : "";
  return isOfOne ? `${String(fields.topicId)}/${String(partition)}` : "";
}

function reasonOf(fields: unknown): string {
  const hasReason = typeof fields === "object" && fields !== null && "reason" in fields;
  return hasReason ? String(fields.reason) : "";
}

function nameOf(error: unknown): string {
  if (error instanceof Error) return `${error.name}: ${error.message}`;
  return typeof error === "string" ? error : "";
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error.stack ?? error.message).split("\n").slice(0, 6).join(" | ");
}
