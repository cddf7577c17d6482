/** Kafka's rules for topic names, and which names its metrics cannot tell apart. */

const legalName = /^[a-zA-Z0-9._-]+$/;
/** Kafka's bound: the name and a partition's number must fit a file's name. */
export const topicNameCharactersMax = 249;

/** Why `name` cannot be a topic's, in Kafka's words; `undefined` when it can. */
export function topicNameFault(name: string): string | undefined {
  if (name === "") return "the empty string is not allowed";
  if (name === "." || name === "..") return `'${name}' is not allowed`;
  if (name.length > topicNameCharactersMax) {
    const most = topicNameCharactersMax;
    return `the length of '${name}' is longer than the max allowed length ${most}`;
  }
  if (!legalName.test(name)) {
    const legal = "ASCII alphanumerics, '.', '_' and '-'";
    return `'${name}' contains one or more characters other than ${legal}`;
  }
  return undefined;
}

/** Two names with one collision key cannot both exist: metrics turn `.` into `_`. */
export function collisionKey(name: string): string {
  return name.replaceAll(".", "_");
}

/** Names that only the broker itself creates and writes. */
export const internalTopicNames: readonly string[] = ["__consumer_offsets", "__transaction_state"];

export function isInternalTopicName(name: string): boolean {
  return internalTopicNames.includes(name);
}
