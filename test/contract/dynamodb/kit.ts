import { randomBytes } from "node:crypto";
import {
  createMetadataTable,
  DynamoDbMetadataStore,
  type DynamoDbMetadataStoreOptions,
} from "@millrace/adapter-aws";
import { SystemClock, SystemRandom } from "@millrace/adapter-node";
import type { ConsumedUnits } from "@millrace/core";
import { ReplyLosingProxy } from "./reply-losing-proxy.ts";

const common = {
  credentials: { accessKeyId: "nobody", secretAccessKey: "nothing" },
  clock: new SystemClock(),
  random: new SystemRandom(),
};

export async function makeTable(endpoint: string): Promise<string> {
  const table = `contract-${randomBytes(8).toString("hex")}`;
  await createMetadataTable({ ...common, endpoint, table });
  return table;
}

export function openStore(
  options: Pick<DynamoDbMetadataStoreOptions, "endpoint" | "table" | "onConsumed">,
): Promise<DynamoDbMetadataStore> {
  return DynamoDbMetadataStore.open({ ...common, ...options });
}

/** A store behind a proxy, and another one of the same table with a straight way. */
export class FaultyWay {
  readonly proxy: ReplyLosingProxy;
  readonly store: DynamoDbMetadataStore;
  readonly other: DynamoDbMetadataStore;
  /** What the first one was billed. */
  readonly consumed: ConsumedUnits[];

  private constructor(
    proxy: ReplyLosingProxy,
    stores: readonly [DynamoDbMetadataStore, DynamoDbMetadataStore],
    consumed: ConsumedUnits[],
  ) {
    this.proxy = proxy;
    [this.store, this.other] = stores;
    this.consumed = consumed;
  }

  static async open(endpoint: string): Promise<FaultyWay> {
    const table = await makeTable(endpoint);
    const proxy = await ReplyLosingProxy.start(endpoint);
    const consumed: ConsumedUnits[] = [];
    const onConsumed = (each: ConsumedUnits): void => void consumed.push(each);
    const store = await openStore({ endpoint: proxy.endpoint, table, onConsumed });
    return new FaultyWay(proxy, [store, await openStore({ endpoint, table })], consumed);
  }

  async close(): Promise<void> {
    await Promise.all([this.store.close(), this.other.close()]);
    await this.proxy.stop();
  }
}
