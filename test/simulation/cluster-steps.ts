import { type Item, type ItemValue, keys, readHead, type Write } from "@millrace/core";
import { crc32c, decodeFence } from "@millrace/wire";
import { keyKind, objectKind } from "./fault-table.ts";
import type { StepNames } from "./step-names.ts";

/**
 * The steps of the cluster's protocols: a crash comes just before each of them has its effect, and
 * just after it, before the broker hears of it.
 */
export const clusterSteps: readonly string[] = [
  "incarnation registered",
  "heartbeat written",
  "leadership written",
  "slots moved",
  "journal put",
  "journal trimmed",
  "journals deleted",
  "journal closing",
  "fence put",
  "journal closed",
  "journal ended",
  "head created",
  "head claimed",
  "head taken",
  "head released",
  "sources dropped",
  "handover pack put",
  "checkpoint put",
  "checkpoint registered",
  "checkpoints deleted",
  "segment put",
  "segment named",
  "cold parts replaced",
  "segments forgotten",
  "segments deleted",
  "start stored",
  "offsets committed",
  "group written",
  "topic written",
];

const remembered: ReadonlySet<string> = new Set(["head", "incarnation", "leadership", "segment"]);

/** What the writes of all brokers of a cluster are; it remembers the items that have several ways. */
export class ClusterSteps implements StepNames {
  readonly #items = new Map<string, ItemValue>();

  ofTransaction(writes: readonly Write[]): readonly string[] {
    if (this.#isReplacement(writes)) return ["cold parts replaced"];
    const isBirth = writes.some((write) => this.#isBirth(write));
    if (isBirth) return ["incarnation registered"];
    return [...new Set(writes.flatMap((write) => this.#ofWrite(write) ?? []))];
  }

  made(writes: readonly Write[]): void {
    for (const write of writes) {
      if (!remembered.has(keyKind(write.key))) continue;
      if (write.kind === "put") this.#items.set(write.key, write.value);
      if (write.kind === "delete") this.#items.delete(write.key);
    }
  }

  ofObjects(
    operation: string,
    objectKeys: readonly string[],
    parts: readonly Uint8Array[] = [],
  ): readonly string[] {
    const kinds = [...new Set(objectKeys.map(objectKind))];
    const names = kinds.map((kind) => (kind === "data" ? "segment" : kind));
    if (operation === "delete") return names.map((name) => `${name}s deleted`);
    if (operation !== "put") return [];
    const [first] = parts;
    const isFence = first !== undefined && decodeFence(first, crc32c).kind !== "invalid";
    if (names[0] === "journal" && isFence) return ["fence put"];
    const [, , incarnation = ""] = (objectKeys[0] ?? "").split("/");
    if (names[0] === "checkpoint" && this.#isMoving(incarnation)) return ["handover pack put"];
    return names.map((name) => `${name} put`);
  }

  #isBirth({ key, kind }: Write): boolean {
    return kind === "put" && keyKind(key) === "incarnation" && !this.#items.has(key);
  }

  /** Somebody wishes that it hands slots over. */
  #isMoving(incarnation: string): boolean {
    const moves = this.#items.get(keys.leadership)?.["moves"];
    return Array.isArray(moves) && JSON.stringify(moves).includes(`"from":"${incarnation}"`);
  }

  #isReplacement(writes: readonly Write[]): boolean {
    const ofSegments = writes.filter(({ key }) => keyKind(key) === "segment");
    const puts = ofSegments.filter(({ kind }) => kind === "put");
    const isOver = puts.some(({ key }) => this.#items.has(key));
    return isOver || (puts.length > 0 && ofSegments.some(({ kind }) => kind === "delete"));
  }

  #ofWrite(write: Write): string | undefined {
    const kind = keyKind(write.key);
    if (write.kind === "delete") return kind === "segment" ? "segments forgotten" : undefined;
    if (write.kind !== "put") return undefined;
    const before = this.#items.get(write.key);
    if (kind === "head") return headStep(write.key, before, write.value);
    if (kind === "incarnation") return incarnationStep(before ?? {}, write.value);
    if (kind === "leadership") return leadershipStep(before ?? {}, write.value);
    return simple.get(kind);
  }
}

const simple: ReadonlyMap<string, string> = new Map([
  ["heartbeat", "heartbeat written"],
  ["segment", "segment named"],
  ["partition", "start stored"],
  ["offsets", "offsets committed"],
  ["group", "group written"],
  ["topic", "topic written"],
]);

function headStep(key: string, before: ItemValue | undefined, after: ItemValue): string {
  if (before === undefined) return "head created";
  const item = (value: ItemValue): Item => ({ key, version: 0, value });
  const [was, is] = [readHead(item(before)), readHead(item(after))];
  if (is.owner === undefined) return "head released";
  if (is.epoch === was.epoch) return "sources dropped";
  return was.owner === undefined ? "head claimed" : "head taken";
}

function incarnationStep(before: ItemValue, after: ItemValue): string | undefined {
  if (before["state"] !== after["state"]) {
    if (after["state"] === "closing") return "journal closing";
    return before["state"] === "closing" ? "journal closed" : "journal ended";
  }
  if (before["trim"] !== after["trim"]) return "journal trimmed";
  const isSame = JSON.stringify(before["checkpoint"]) === JSON.stringify(after["checkpoint"]);
  return isSame ? undefined : "checkpoint registered";
}

function leadershipStep(before: ItemValue, after: ItemValue): string {
  const isGiven = before["epoch"] !== after["epoch"];
  const isWished = Array.isArray(before["moves"]) && before["moves"].length > 0;
  return isGiven && isWished && before["moves"] !== after["moves"]
    ? "slots moved"
    : "leadership written";
}
