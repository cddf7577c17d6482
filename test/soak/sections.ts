/** docs/soak.md has a section for each kind of soak; a run writes its own and keeps the others. */

export const sectionNames = ["mixed", "tiers-files", "tiers-s3"] as const;
export type SectionName = (typeof sectionNames)[number];

function mark(name: SectionName): string {
  return `<!-- test/soak: ${name} -->`;
}

/** The document with this section's text in its place. */
export function withSection(document: string, name: SectionName, text: string): string {
  const sections = new Map(sectionsOf(document)).set(name, text.trim());
  return sectionNames
    .flatMap((known) => {
      const found = sections.get(known);
      return found === undefined ? [] : [`${mark(known)}\n\n${found}\n`];
    })
    .join("\n");
}

/** What stands before the first mark is of no section, and goes. */
function sectionsOf(document: string): readonly (readonly [SectionName, string])[] {
  return sectionNames.flatMap((name): [SectionName, string][] => {
    const at = document.indexOf(mark(name));
    if (at < 0) return [];
    const begin = at + mark(name).length;
    const ends = sectionNames.map((other) => document.indexOf(mark(other), begin));
    const end = Math.min(...ends.filter((found) => found >= 0), document.length);
    return [[name, document.slice(begin, end).trim()]];
  });
}
