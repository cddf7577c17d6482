import type { Chance } from "./chance.ts";
import { mutateBytes } from "./mutate-bytes.ts";

/** What JSON can say where something else is expected. */
const edges: readonly unknown[] = [
  ...[null, true, false, "", "x", "0", "__proto__", [], {}, [null], { x: null }],
  ...[0, 1, -1, 0.5, 0x7fffffff, 0x80000000, -0x80000000, 2 ** 53, 1e300, -0, 4_294_967_296],
];

type Box = Record<string, unknown> | unknown[];

/** Where a value stands: in a list or an object, at an index or under a name. */
interface Place {
  readonly box: Box;
  readonly name: string;
}

/** One to four changes of what lies in the value; the result is its own. */
export function mutateJson(value: unknown, chance: Chance): unknown {
  const root = { value: structuredClone(value) };
  for (let left = chance.between(1, 4); left > 0; left -= 1) {
    const places = placesIn(root);
    chance.pick(mutations)(chance.pick(places), { chance, places });
  }
  return root.value;
}

interface Tools {
  readonly chance: Chance;
  readonly places: readonly Place[];
}

type Mutation = (place: Place, tools: Tools) => void;

const setEdge: Mutation = (place, { chance }) => put(place, structuredClone(chance.pick(edges)));

/** A little off what it was. */
const shift: Mutation = (place, { chance }) => {
  const value = get(place);
  if (typeof value === "number") put(place, value + chance.pick([-1, 1, 0.5, 0x80000000, -1e12]));
  else if (typeof value === "boolean") put(place, !value);
  else if (typeof value === "string") put(place, changedText(value, chance));
};

const remove: Mutation = ({ box, name }, { chance }) => {
  if (Array.isArray(box)) box.splice(Number(name), chance.between(1, 2));
  else if (name !== "value" || Object.keys(box).length > 1) Reflect.deleteProperty(box, name);
};

/** Of another place: a list where an object was, a text of another kind, the same entry twice. */
const copy: Mutation = (place, { chance, places }) => {
  const other: unknown = structuredClone(get(chance.pick(places)));
  if (Array.isArray(place.box) && chance.perThousand(500)) place.box.push(other);
  else put(place, other);
};

/** Changes of what is there come most often: they get deepest. */
const mutations: readonly Mutation[] = [setEdge, setEdge, shift, shift, shift, remove, copy];

function changedText(text: string, chance: Chance): string {
  const bytes = mutateBytes(new TextEncoder().encode(text), chance);
  return new TextDecoder().decode(bytes);
}

/** All values inside `root`, however deep. */
function placesIn(root: Box): readonly Place[] {
  const places: Place[] = [];
  const boxes: Box[] = [root];
  for (let box = boxes.pop(); box !== undefined; box = boxes.pop()) {
    for (const name of Object.keys(box)) {
      places.push({ box, name });
      const value = get({ box, name });
      if (typeof value === "object" && value !== null) boxes.push(value as Box);
    }
  }
  return places;
}

function get({ box, name }: Place): unknown {
  return Array.isArray(box) ? box[Number(name)] : box[name];
}

function put({ box, name }: Place, value: unknown): void {
  if (Array.isArray(box)) box[Number(name)] = value;
  else box[name] = value;
}
