import {
  type BrokerId,
  type BrokerLayers,
  type ConfigChange,
  configCharactersMax,
  dynamicConfigFault,
  isDynamicConfig,
  jsonTextBytes,
  keys,
  MetadataError,
  parseSettings,
  readConfigs,
  type Settings,
  versionMoved,
  type Write,
} from "@millrace/core";
import { KeyedQueue } from "./keyed-queue.ts";
import { type OpenedCluster, readStoredConfigs, type StoredConfigs } from "./open-cluster.ts";
import { type StoreAccess, transact } from "./persist.ts";
import type { Intent, Unavailable } from "./topics.ts";

export type ConfigOutcome =
  | { readonly kind: "done" }
  | { readonly kind: "decided" }
  | {
      readonly kind: "refused";
      readonly reason: "invalidConfig" | "invalidRequest";
      readonly message: string;
    }
  | Unavailable;

export type ConfigScope = "broker" | "cluster";
type Scope = ConfigScope;
type Change = (before: ReadonlyMap<string, string>) => ConfigChange;

/** The broker's configs in their three layers, of which two change while it runs (KIP-226). */
export class DynamicConfigs {
  readonly #access: StoreAccess;
  readonly #brokerId: BrokerId;
  readonly #fixed: ReadonlyMap<string, string>;
  readonly #onChange: () => void;
  readonly #queue = new KeyedQueue();
  readonly #stored: Record<Scope, StoredConfigs>;
  #layers: BrokerLayers;
  #settings: Settings;

  constructor(
    access: StoreAccess,
    start: {
      readonly brokerId: BrokerId;
      readonly fixed: ReadonlyMap<string, string>;
      readonly opened: OpenedCluster;
      readonly onChange: () => void;
    },
  ) {
    this.#access = access;
    this.#brokerId = start.brokerId;
    this.#fixed = start.fixed;
    this.#onChange = start.onChange;
    this.#stored = { broker: start.opened.brokerConfigs, cluster: start.opened.clusterConfigs };
    this.#layers = this.#layersNow();
    this.#settings = settingsOf(this.#layers);
  }

  get layers(): BrokerLayers {
    return this.#layers;
  }

  get settings(): Settings {
    return this.#settings;
  }

  /** `change` is called again, on what is then there, if another writer was faster. */
  set(scope: Scope, change: Change, intent: Intent): Promise<ConfigOutcome> {
    return this.#queue.run(scope, async () => {
      try {
        return await this.#perform(scope, change, intent);
      } catch (error) {
        if (!(error instanceof MetadataError)) throw error;
        if (error.applied === "maybe") this.#followLater(scope);
        return { kind: "unavailable", error };
      }
    });
  }

  async #perform(scope: Scope, change: Change, intent: Intent): Promise<ConfigOutcome> {
    const key = this.key(scope);
    for (;;) {
      const before = this.#stored[scope];
      const changed = change(before.configs);
      if (!changed.ok) {
        return { kind: "refused", reason: "invalidConfig", message: changed.message };
      }
      const { configs } = changed;
      const fault = dynamicConfigFault(configs, scope) ?? this.#contradiction(scope, configs);
      if (fault !== undefined) return { kind: "refused", reason: "invalidRequest", message: fault };
      if (intent === "check") return { kind: "decided" };
      const value = { configs: Object.fromEntries(configs) };
      const condition =
        before.version === 0
          ? ({ is: "absent" } as const)
          : ({ is: "version", version: before.version } as const);
      const writes: readonly Write[] = [
        { kind: "put", key, value, condition },
        versionMoved([key]),
      ];
      // A lost reply is resolved below: what was found is taken over, and the change made again
      // on top of it, which has the same result when it was the change's own.
      const outcome = await transact(this.#access, writes, () => false);
      if (outcome.ok) {
        this.#take(scope, { configs, version: before.version + 1 });
        return { kind: "done" };
      }
      const found = outcome.refused.find((entry) => entry.key === key)?.found;
      this.#take(scope, {
        configs: found === undefined ? new Map() : readConfigs(key, found.value["configs"]),
        version: found?.version ?? 0,
      });
    }
  }

  /** Why the settings would not hold together, if the scope had these configs. */
  #contradiction(scope: Scope, configs: ReadonlyMap<string, string>): string | undefined {
    let characters = 0;
    for (const [name, value] of configs) characters += jsonTextBytes(name) + jsonTextBytes(value);
    if (characters > configCharactersMax) {
      return `the configs of a broker may have at most ${configCharactersMax} characters`;
    }
    const layers = { ...this.#layers, [scope]: configs };
    return parseSettings(entriesOf(layers)).invalid[0];
  }

  #take(scope: Scope, stored: StoredConfigs): void {
    this.#stored[scope] = stored;
    this.#layers = this.#layersNow();
    this.#settings = settingsOf(this.#layers);
    this.#onChange();
  }

  /**
   * Takes over what the store holds, in the order of the scope's changes; tells nobody when it is
   * what was known. Throws MetadataError.
   */
  follow(scope: Scope): Promise<void> {
    return this.#queue.run(scope, async () => {
      const stored = await readStoredConfigs(this.#access, this.key(scope));
      if (stored.version !== this.#stored[scope].version) this.#take(scope, stored);
    });
  }

  #followLater(scope: Scope): void {
    this.#access.clock.after(followAgainMs, () => {
      void this.follow(scope).catch((error: unknown) => {
        if (!(error instanceof MetadataError)) throw error;
        this.#followLater(scope);
      });
    });
  }

  #layersNow(): BrokerLayers {
    const { broker, cluster } = this.#stored;
    return { broker: broker.configs, cluster: cluster.configs, fixed: this.#fixed };
  }

  /** The item's key. */
  key(scope: Scope): string {
    return scope === "broker" ? keys.brokerConfigs(this.#brokerId) : keys.clusterConfigs;
  }
}

const followAgainMs = 1000;

/** The strongest layer's value of each key. What is stored and may not be dynamic has no effect. */
function entriesOf({ broker, cluster, fixed }: BrokerLayers): ReadonlyMap<string, string> {
  const dynamic = [...cluster, ...broker].filter(([name]) => isDynamicConfig(name));
  return new Map([...fixed, ...dynamic]);
}

function settingsOf(layers: BrokerLayers): Settings {
  return parseSettings(entriesOf(layers)).settings;
}
