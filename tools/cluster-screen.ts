/** What `npm run cluster` shows: one screen. */
import type { LedSlots } from "./cluster-slots.ts";

export interface ShownBroker {
  readonly broker: number;
  readonly port: number;
  readonly httpPort: number | undefined;
  readonly pid: number;
  /** `runs`, `leaving`, `ended: SIGKILL` … */
  readonly state: string;
}

export interface ShownCluster {
  readonly directory: string;
  readonly brokers: readonly ShownBroker[];
  readonly host: { readonly pid: number; readonly state: string } | undefined;
  readonly metadata: string;
  readonly objects: string;
  /** Undefined: the metadata store does not answer. */
  readonly slots: LedSlots | undefined;
}

export function clusterScreen(shown: ShownCluster): string {
  const { brokers, directory, host, metadata, objects, slots } = shown;
  const rows = brokers.map((one) => [
    String(one.broker),
    `127.0.0.1:${one.port}`,
    ...(one.httpPort === undefined ? [] : [`127.0.0.1:${one.httpPort}`]),
    String(one.pid),
    slots === undefined ? "?" : String(slots.led.get(one.broker) ?? 0),
    slots?.controller === one.broker ? "yes" : "",
    one.state,
  ]);
  const hasHttp = brokers.some(({ httpPort }) => httpPort !== undefined);
  const head = [
    "broker",
    "Kafka",
    ...(hasHttp ? ["HTTP"] : []),
    "pid",
    "slots",
    "controller",
    "state",
  ];
  const hosted = host === undefined ? "" : `   (pid ${host.pid}, ${host.state})`;
  const moving =
    slots === undefined || slots.moving === 0 ? "" : `   ${slots.moving} slots are moving`;
  return [
    `Millrace cluster of ${brokers.length}${moving}`,
    "",
    ...table([head, ...rows]).map((line) => `  ${line}`),
    "",
    `  Metadata  ${metadata}${hosted}`,
    `  Objects   ${objects}`,
    `  Data      ${directory}   (logs, pid files)`,
    "",
    `  npm run cluster -- --data ${directory} --add | --drain N | --stop     kill -9 works, too`,
    "  Ctrl-C stops all of it; the data stays.",
    "",
  ].join("\n");
}

/** Columns are as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => (row[at] ?? "").length)),
  );
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
