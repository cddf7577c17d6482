import type { Message, SchemaFile, Struct } from "./schema.ts";
import { contains } from "./versions.ts";

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
  const names = files
    .flatMap((file) => file.messages)
    .flatMap((message) =>
      [message.root, ...message.structs].map((struct) => typeName(message, struct.name)),
    );
  for (const name of names.flatMap((each) => [each, `${each}Input`])) {
    if (seen.has(name)) throw new Error(`two types named ${name}`);
    seen.add(name);
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
  const found = [message.root, ...message.structs].flatMap((parent) =>
    parent.fields
      .filter(({ type }) => type.kind === "struct" && type.struct === struct.name)
      .flatMap(({ versions }) =>
        structVersions(message, parent).filter((version) => contains(versions, version)),
      ),
  );
  return message.versions.filter((version) => found.includes(version));
}
