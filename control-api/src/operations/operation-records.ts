import { type ClusterId, keysUnder } from "@millrace/core";
import type { PageOf, PageRequest } from "../clusters/cluster-record.ts";
import { pageItemsMax } from "../clusters/limits.ts";
import { ControlStore, type ControlStoreDependencies } from "./control-store.ts";
import {
  isUnderWay,
  type OperationCatalogue,
  type OperationId,
  operationKeys,
  type OperationRecord,
  readOperation,
} from "./operation-record.ts";

/** The operations in the control store, for who shows them and who looks for work. */
export class OperationRecords implements OperationCatalogue {
  readonly #store: ControlStore;

  constructor(deps: ControlStoreDependencies) {
    this.#store = new ControlStore(deps);
  }

  async find(id: OperationId): Promise<OperationRecord | undefined> {
    const item = await this.#store.get(operationKeys.operation(id));
    return item === undefined ? undefined : readOperation(item);
  }

  async list({
    after,
    clusterId,
    limit,
  }: PageRequest<OperationId> & { readonly clusterId?: ClusterId }): Promise<
    PageOf<OperationRecord, OperationId>
  > {
    const most = Math.min(limit, pageItemsMax);
    const items: OperationRecord[] = [];
    for await (const operation of this.#from(after)) {
      if (clusterId !== undefined && operation.clusterId !== clusterId) continue;
      const last = items.at(-1);
      if (items.length === most && last !== undefined) return { items, next: last.id };
      items.push(operation);
    }
    return { items };
  }

  /** Those that a runner should look at, whoever began them. */
  async underWay(): Promise<readonly OperationRecord[]> {
    const found: OperationRecord[] = [];
    for await (const operation of this.#from(undefined)) {
      if (isUnderWay(operation)) found.push(operation);
    }
    return found;
  }

  /** Those that ended before this moment. */
  async endedBefore(ms: number): Promise<readonly OperationRecord[]> {
    const found: OperationRecord[] = [];
    for await (const operation of this.#from(undefined)) {
      if ((operation.finishedAtMs ?? ms) < ms) found.push(operation);
    }
    return found;
  }

  async *#from(after: OperationId | undefined): AsyncGenerator<OperationRecord> {
    const range = keysUnder(operationKeys.prefix, pageItemsMax);
    // "!" is the first character that can follow an id.
    let from = after === undefined ? range.from : `${operationKeys.operation(after)}!`;
    for (;;) {
      const page = await this.#store.range({ ...range, from });
      for (const item of page.items) yield readOperation(item);
      if (page.next === undefined) return;
      from = page.next;
    }
  }
}
