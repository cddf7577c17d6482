/** A range of versions, both ends included; `last` is Infinity for an open one. `null` is the empty range. */
export interface VersionRange {
  readonly first: number;
  readonly last: number;
}

/** Reads "none", "4", "4-18" and "4+". Throws on anything else. */
export function parseVersions(text: string): VersionRange | null {
  if (text === "none") return null;
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text);
  if (match === null) throw new Error(`not a version range: ${text}`);
  const first = Number(match[1]);
  if (match[2] === "+") return { first, last: Number.POSITIVE_INFINITY };
  return { first, last: match[3] === undefined ? first : Number(match[3]) };
}

export function contains(range: VersionRange | null, version: number): boolean {
  return range !== null && version >= range.first && version <= range.last;
}

export function versionsOf(range: VersionRange): readonly number[] {
  return Array.from({ length: range.last - range.first + 1 }, (_, index) => range.first + index);
}

/** Consecutive versions in which the same holds. */
export interface Segment<T> {
  readonly first: number;
  readonly last: number;
  readonly value: T;
}

/** Splits `versions`, ascending, where `describe` changes. */
export function segments<T>(
  versions: readonly number[],
  describe: (version: number) => T,
): readonly Segment<T>[] {
  const found: Segment<T>[] = [];
  for (const version of versions) {
    const value = describe(version);
    const previous = found.at(-1);
    if (previous !== undefined && previous.value === value) {
      found[found.length - 1] = { ...previous, last: version };
    } else {
      found.push({ first: version, last: version, value });
    }
  }
  return found;
}

/** An expression that picks each segment's expression by `version`. */
export function selectExpression(parts: readonly Segment<string>[]): string {
  return parts
    .map((part, index) =>
      index === parts.length - 1 ? part.value : `version <= ${part.last} ? ${part.value} : `,
    )
    .join("");
}

/** Statements that run each segment's statements by `version`; a segment without any is left out. */
export function selectStatements(parts: readonly Segment<string>[]): string {
  const first = parts[0]?.first;
  const last = parts.at(-1)?.last;
  const within = (part: Segment<string>): string => {
    if (part.first === first) return part.last === last ? "" : `version <= ${part.last}`;
    if (part.last === last) return `version >= ${part.first}`;
    if (part.first === part.last) return `version === ${part.first}`;
    return `version >= ${part.first} && version <= ${part.last}`;
  };
  return parts
    .filter((part) => part.value !== "")
    .map((part) => {
      const test = within(part);
      return test === "" ? part.value : `if (${test}) {\n${part.value}\n}`;
    })
    .join("\n");
}
