import type { Random } from "@millrace/core";

/** Of a member id's prefix: three bytes each and the UUID are what one string can carry. */
const prefixUnitsMax = 10_900;

/**
 * `{prefix}-{uuid}`, as Kafka's: a random UUID of version 4 (RFC 9562). A client's or instance's
 * name that leaves no room for one in a string of the protocol is cut.
 */
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
  const start = prefix.slice(0, prefixUnitsMax).toWellFormed();
  return [start, ...parts.map(([from, to]) => hex.slice(from, to))].join("-");
}
