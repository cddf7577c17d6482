/** What `npm start` prints: where it listens, where data is, and what to try next. One screen. */
export interface Started {
  readonly version: string;
  readonly addresses: readonly string[];
  readonly httpAddress: string | undefined;
  readonly dataDirectory: string;
  readonly durability: string;
  readonly readyMs: number;
}

export function startScreen(started: Started): string {
  const [bootstrap = ""] = started.addresses;
  const lines = [
    `Millrace ${started.version} is ready after ${Math.round(started.readyMs)} ms`,
    "",
    `  Kafka   ${started.addresses.join(", ")}`,
    ...(started.httpAddress === undefined ? [] : [`  HTTP    http://${started.httpAddress}`]),
    `  Data    ${started.dataDirectory}`,
    `  Acks    ${promise(started.durability)}`,
    "",
    "Try, in another terminal (with kcat; any Kafka client will do):",
    "",
    `  echo hello | kcat -b ${bootstrap} -t greetings -P`,
    `  kcat -b ${bootstrap} -t greetings -C -e`,
    `  kcat -b ${bootstrap} -L`,
    "",
    "Ctrl-C stops it; the data stays.",
  ];
  return `${lines.join("\n")}\n`;
}

function promise(durability: string): string {
  return durability === "journal"
    ? "after fdatasync of the journal (millrace.durability=journal)"
    : "when written to this disk (millrace.durability=local; journal survives power loss too)";
}
