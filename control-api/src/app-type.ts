import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Clock, Hashing, MetadataStore, Random } from "@millrace/core";
import type { ClusterCatalogue } from "./clusters/cluster-record.ts";
import type { Attempt } from "./idempotency/attempt.ts";
import type { OperationCatalogue } from "./operations/operation-record.ts";
import type { ClusterAccess } from "./ports/cluster-access.ts";
import type { Principal, PrincipalOf } from "./principal.ts";
import type { RequestRates } from "./request-rates.ts";

/** As much of the catalogue as the routes ask. */
export type ShownClusters = Pick<
  ClusterCatalogue,
  "list" | "find" | "findByName" | "create" | "change" | "remove" | "retry" | "upgrade"
>;

/** What the API is put together over. */
export interface ControlDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly hashing: Hashing;
  /** Of the control plane itself: API keys, and replies that are kept for repeats. */
  readonly store: MetadataStore;
  readonly clusters: ShownClusters;
  readonly operations: OperationCatalogue;
  readonly access: ClusterAccess;
  /** `none`: clusters are shown, and neither made, changed nor deleted (a broker's own process). */
  readonly provisioning: "full" | "none";
  readonly principalOf: PrincipalOf;
  /** How often each principal may ask. Absent: as often as it likes, or as a gateway allows. */
  readonly requestRates?: RequestRates;
  /** For what is a defect. */
  readonly failed: (error: Error, requestId: string) => void;
  /** Told of every answer. */
  readonly answered?: (answer: Answer) => void;
}

/** One line of an access log. */
export interface Answer {
  readonly requestId: string;
  readonly principal: Principal | undefined;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly durationMs: number;
}

export interface AppVariables {
  principal: Principal;
  requestId: string;
  attempt: Attempt;
}

/** What a server hands over beside the request: hono gives it to `principalOf` as it is. */
export interface AppEnvironment {
  Variables: AppVariables;
  Bindings: object;
}

export type App = OpenAPIHono<AppEnvironment>;
