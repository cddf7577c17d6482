import type { Metrics } from "../metrics/registry.ts";

/** What a member tells of itself, read at each scrape. docs/signals.md says what to make of it. */
export interface MemberReadings {
  /** Slots that leadership gives this broker. */
  readonly ledSlots: () => number;
  /** How long ago the last strong read of the version item that succeeded began. */
  readonly evidenceAgeMs: () => number;
  readonly takeover: {
    /** Slots whose heads are to be claimed. */
    readonly opening: () => number;
    /** Slots that serve, and whose former owners' leavings are to be copied. */
    readonly adopting: () => number;
  };
  /** Slots that a former owner's journal should have something of, and does not give. */
  readonly lostSlots: () => number;
  /** Writes of heads that somebody else was faster than. */
  readonly claimsRefused: () => number;
  readonly former: { readonly memoryBytes: number; readonly diskBytes: number };
}

export function observeMember(metrics: Metrics, readings: MemberReadings): void {
  const { former, takeover } = readings;
  const gauge = (name: string, help: string, read: () => number): void =>
    metrics.observe({ kind: "gauge", name: `millrace_${name}`, help }, read);
  gauge("slots_led", "Slots that leadership gives this broker.", readings.ledSlots);
  gauge(
    "evidence_age_seconds",
    "How long ago this broker's last strong read of the cluster's version began.",
    () => readings.evidenceAgeMs() / 1000,
  );
  const help = "Slots on their way to this broker, by stage: to be claimed, or to be copied.";
  metrics.observe({ kind: "gauge", name: "millrace_takeover_slots", help }, () => [
    { labels: { stage: "opening" }, value: takeover.opening() },
    { labels: { stage: "adopting" }, value: takeover.adopting() },
  ]);
  gauge(
    "takeover_lost_slots",
    "Slots of which a former owner's journal has lost something: their partitions are offline.",
    readings.lostSlots,
  );
  metrics.observe(
    {
      kind: "counter",
      name: "millrace_claims_refused_total",
      help: "Writes of slots' heads that were refused because somebody else wrote one first.",
    },
    readings.claimsRefused,
  );
  const places =
    "Bytes of former owners' journals that are not copied yet, by where they are kept.";
  metrics.observe({ kind: "gauge", name: "millrace_takeover_former_bytes", help: places }, () => [
    { labels: { in: "memory" }, value: former.memoryBytes },
    { labels: { in: "disk" }, value: former.diskBytes },
  ]);
}
