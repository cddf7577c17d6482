/** One line of JSON: what Lambda hands to its log group, where metrics are read from it. */
export type LogLevel = "debug" | "info" | "warn" | "error";

export interface Log {
  (level: LogLevel, event: string, fields?: Readonly<Record<string, unknown>>): void;
}

const levels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Lines below the least level are left out; a word that is no level is `info`. */
export function makeLog(least: string, write: (line: string) => void): Log {
  const from = Math.max(0, levels.indexOf(levels.find((level) => level === least) ?? "info"));
  return (level, event, fields = {}) => {
    if (levels.indexOf(level) < from) return;
    const { error, ...others } = fields;
    const shown = error === undefined ? {} : { error: described(error) };
    write(`${JSON.stringify({ level, event, ...others, ...shown })}\n`);
  };
}

function described(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${described(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
