/** Kafka's `listeners`: NAME://host:port, where an empty host means every interface. */
import type { Settings } from "@millrace/core";

export interface ListenerAddress {
  readonly name: string;
  /** `undefined`: every interface. */
  readonly host: string | undefined;
  readonly port: number;
}

const pattern = /^([A-Za-z0-9_.-]+):\/\/(?:\[([^\]]+)\]|([^:/]*)):(\d{1,5})$/;

/** `undefined` when the text is no listener. */
export function parseListener(text: string): ListenerAddress | undefined {
  const match = pattern.exec(text.trim());
  if (match === null) return undefined;
  const port = Number(match[4]);
  const host = match[2] ?? match[3] ?? "";
  if (port > 65_535) return undefined;
  return { name: match[1] ?? "", host: host === "" ? undefined : host, port };
}

/** Where to listen, and by listener name what clients are told. */
export interface ListenerAddresses {
  readonly bind: readonly ListenerAddress[];
  readonly advertised: ReadonlyMap<string, ListenerAddress>;
}

/** Or why not, in a sentence. What each listener speaks is in `Settings.security`. */
export function listenerAddresses(
  settings: Pick<Settings, "listeners" | "advertisedListeners">,
):
  | ({ readonly kind: "ok" } & ListenerAddresses)
  | { readonly kind: "invalid"; readonly message: string } {
  const bind: ListenerAddress[] = [];
  const advertised = new Map<string, ListenerAddress>();
  for (const text of settings.listeners) {
    const address = parseListener(text);
    if (address === undefined) return invalid("listeners", text);
    if (bind.some(({ name }) => name.toLowerCase() === address.name.toLowerCase())) {
      return { kind: "invalid", message: `listeners: two listeners have the name ${address.name}` };
    }
    bind.push(address);
  }
  for (const text of settings.advertisedListeners) {
    const address = parseListener(text);
    if (address?.host === undefined) return invalid("advertised.listeners", text);
    advertised.set(address.name, address);
  }
  return { kind: "ok", bind, advertised };
}

function invalid(key: string, text: string): { kind: "invalid"; message: string } {
  return { kind: "invalid", message: `${key}: "${text}" is not NAME://host:port` };
}
