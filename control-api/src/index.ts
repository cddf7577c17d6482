/** The control plane's API over ports: see `controlApp`. */
export { ApiKeys } from "./access/api-keys.ts";
export { controlApp } from "./app.ts";
export type { Answer, App, ControlDependencies, ShownClusters } from "./app-type.ts";
export * from "./clusters/cluster-record.ts";
export { begunClusters } from "./clusters/begun-clusters.ts";
export { ClusterRecords } from "./clusters/cluster-records.ts";
export { limitConfigs } from "./clusters/cluster-rules.ts";
export { provisionedConnection } from "./connection/provisioned-connection.ts";
export { openApiInfo } from "./docs/document.ts";
export * from "./operations/operation-record.ts";
export { OperationRecords } from "./operations/operation-records.ts";
export { OperationRunner, type RunnerDependencies, type RunOutcome } from "./operations/runner.ts";
export { Sweeper } from "./operations/sweep.ts";
export * from "./ports/cluster-access.ts";
export * from "./ports/cluster-admin.ts";
export * from "./principal.ts";
export { RequestRates } from "./request-rates.ts";
export { type Problem, type ProblemKind, problemKinds } from "./problems.ts";
