import type { Random } from "@millrace/core";

/** `{prefix}-{uuid}`, as Kafka's: a random UUID of version 4 (RFC 9562). */
export function newMemberId(random: Random, prefix: string): string {
  const bytes = random.bytes(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Buffer.from(bytes).toString("hex");
  const parts = [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ] as const;
  return [prefix, ...parts.map(([from, to]) => hex.slice(from, to))].join("-");
}
