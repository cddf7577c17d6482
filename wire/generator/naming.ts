import type { Message, SchemaFile, Struct } from "./schema.ts";

/** The TypeScript name of each struct, messages included. */
export interface Naming {
  typeName(message: Message, struct: string): string;
}

/** Names that generated types must not take, because they mean something else beside them. */
const takenNames = ["Reader", "Writer", "Uuid", "Error", "Record", "Partial", "Api", "ApiKey"];

/** Two structs of one name in different messages each get their message's name in front. */
export function nameStructs(files: readonly SchemaFile[]): Naming {
  const uses = new Map<string, number>(takenNames.map((name) => [name, 1]));
  for (const message of files.flatMap((file) => file.messages)) {
    for (const struct of [message.root, ...message.structs]) {
      uses.set(struct.name, (uses.get(struct.name) ?? 0) + 1);
    }
  }
  const typeName = (message: Message, struct: string): string =>
    struct === message.name || uses.get(struct) === 1 ? struct : message.name + struct;
  assertDistinct(files, typeName);
  return { typeName };
}

function assertDistinct(files: readonly SchemaFile[], typeName: Naming["typeName"]): void {
  const seen = new Set<string>();
  for (const message of files.flatMap((file) => file.messages)) {
    for (const struct of [message.root, ...message.structs]) {
      const name = typeName(message, struct.name);
      for (const each of [name, `${name}Input`]) {
        if (seen.has(each)) throw new Error(`two types named ${each}`);
        seen.add(each);
      }
    }
  }
}

const reservedLocals = new Set(
  "reader writer version message count tag tagged end mark default delete new in function".split(
    " ",
  ),
);

/** The local variable that holds a field while its struct is read or written. */
export function localName(property: string): string {
  return reservedLocals.has(property) ? `${property}Value` : property;
}

/** The versions in which `struct` occurs at all. */
export function structVersions(message: Message, struct: Struct): readonly number[] {
  if (struct === message.root) return message.versions;
  const found = new Set<number>();
  for (const parent of [message.root, ...message.structs]) {
    for (const field of parent.fields) {
      if (field.type.kind !== "struct" || field.type.struct !== struct.name) continue;
      for (const version of structVersions(message, parent)) {
        const { versions } = field;
        if (versions !== null && version >= versions.first && version <= versions.last) {
          found.add(version);
        }
      }
    }
  }
  return message.versions.filter((version) => found.has(version));
}
