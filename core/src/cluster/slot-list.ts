import type { Slot } from "../ids.ts";

/** Slots, ascending and each once, as text: `0,3,6-9`. */
export function formatSlots(slots: readonly Slot[]): string {
  const parts: string[] = [];
  for (let at = 0; at < slots.length; ) {
    const first = slots[at];
    let end = at + 1;
    while (end < slots.length && slots[end] === (slots[end - 1] ?? 0) + 1) end += 1;
    parts.push(end - at === 1 ? `${first}` : `${first}-${slots[end - 1]}`);
    at = end;
  }
  return parts.join(",");
}

/** The slots that `formatSlots` wrote; undefined where the text is no such list below `slots`. */
export function parseSlots(text: string, slots: number): readonly Slot[] | undefined {
  if (text === "") return [];
  const found: Slot[] = [];
  let next = 0;
  for (const part of text.split(",")) {
    const range = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(part);
    if (range === null) return undefined;
    const first = Number(range[1]);
    const last = Number(range[2] ?? range[1]);
    if (first < next || last < first || last >= slots) return undefined;
    for (let slot = first; slot <= last; slot += 1) found.push(slot as Slot);
    next = last + 1;
  }
  return found;
}
