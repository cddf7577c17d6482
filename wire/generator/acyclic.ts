import type { Struct } from "./schema.ts";

/**
 * The structs that `root` needs, each after those that it needs itself. Throws on a cycle, so that the depth of what a
 * decoder reads is bounded by its schema, and on a struct that nobody declares.
 */
export function assertAcyclic(
  root: Struct,
  structs: ReadonlyMap<string, Struct>,
): readonly Struct[] {
  const done = new Set<Struct>();
  const open = new Set<Struct>();
  const visit = (struct: Struct): void => {
    if (open.has(struct)) throw new Error(`${root.name}: ${struct.name} contains itself`);
    if (done.has(struct)) return;
    open.add(struct);
    for (const field of struct.fields) {
      if (field.type.kind === "struct") visit(declared(root, structs, field.type.struct));
    }
    open.delete(struct);
    done.add(struct);
  };
  visit(root);
  done.delete(root);
  return [...done];
}

function declared(root: Struct, structs: ReadonlyMap<string, Struct>, name: string): Struct {
  const struct = structs.get(name);
  if (struct === undefined) throw new Error(`${root.name}: no struct named ${name}`);
  return struct;
}
