/** Deviations from a rule, each of which a search or some walks must find. */
export const mutations = [
  "fence skipped",
  "claim not conditional on the head as read",
  "claim without a check of the own journal",
  "claim before the owner's journal is closed",
  "trim on a closing journal",
  "checkpoint registered on a closing journal",
  "replay ignores the source's epoch",
  "source dropped for a checkpoint of an earlier epoch",
  "epoch used again",
  "dead journal deleted while a head names it",
  "trim before the checkpoint is registered",
  "released before everything is acknowledged",
  "released before the pack is registered",
  "acknowledged out of order",
  "PUT not conditional",
  "claim over a copy of an older head",
  "a source copies before its claim",
  "replay begins with the oldest source",
] as const;

export type Mutation = (typeof mutations)[number];
