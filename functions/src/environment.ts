/**
 * Every environment variable of the functions, and of the broker tasks that they start: the one
 * contract between `infra`, which sets them, and `functions`, which reads them.
 *
 * A function reads its variables once, at its start, by `readEnvironment`: what is missing ends the
 * start with one message that names all of it.
 */
interface Variable {
  readonly name: string;
  /** What it says. */
  readonly about: string;
}

export type ApiField = "controlTable" | "tablePrefix" | "logLevel";
export type AuthorizerField =
  | "controlTable"
  | "jwtIssuer"
  | "jwtAudience"
  | "jwtKeysUrl"
  | "jwtRoleClaim"
  | "logLevel";
export type ProvisionerField =
  | ApiField
  | "brokersIn"
  | "bucket"
  | "bucketAddressing"
  | "namespaceName"
  | "parameterPrefix"
  | "namespaceId"
  | "ecsCluster"
  | "subnets"
  | "securityGroups"
  | "assignPublicIp"
  | "brokerImage"
  | "brokerTaskRole"
  | "brokerExecutionRole"
  | "brokerLogGroup"
  | "brokerDiskGiB"
  | "loadBalancer";

/** `region` is set by Lambda itself, and by nobody else. */
export type Field = ProvisionerField | AuthorizerField | "region";

const variables: Readonly<Record<Field, Variable>> = {
  controlTable: {
    name: "MILLRACE_CONTROL_TABLE",
    about: "the table of clusters, operations and API keys",
  },
  bucket: { name: "MILLRACE_BUCKET", about: "the bucket of all clusters' objects" },
  bucketAddressing: {
    name: "MILLRACE_BUCKET_ADDRESSING",
    about: "`path` where the bucket's name can't be in a host's name, as for stand-ins",
  },
  tablePrefix: {
    name: "MILLRACE_TABLE_PREFIX",
    about: "what the names of clusters' tables begin with; the cluster's id follows",
  },
  parameterPrefix: {
    name: "MILLRACE_PARAMETER_PREFIX",
    about: "the path of clusters' secrets in the parameter store",
  },
  namespaceId: { name: "MILLRACE_NAMESPACE_ID", about: "the private DNS namespace of brokers" },
  namespaceName: { name: "MILLRACE_NAMESPACE_NAME", about: "its domain" },
  ecsCluster: { name: "MILLRACE_ECS_CLUSTER", about: "where brokers' tasks run: its ARN" },
  subnets: { name: "MILLRACE_SUBNETS", about: "of brokers: ids, separated by commas" },
  securityGroups: {
    name: "MILLRACE_SECURITY_GROUPS",
    about: "of brokers: ids, separated by commas",
  },
  assignPublicIp: {
    name: "MILLRACE_ASSIGN_PUBLIC_IP",
    about: "`true` in subnets whose way out is an internet gateway, `false` otherwise",
  },
  brokerImage: { name: "MILLRACE_BROKER_IMAGE", about: "of broker tasks: its URI" },
  brokerTaskRole: { name: "MILLRACE_BROKER_TASK_ROLE", about: "what brokers may do: its ARN" },
  brokerExecutionRole: {
    name: "MILLRACE_BROKER_EXECUTION_ROLE",
    about: "what ECS may do to start them: its ARN",
  },
  brokerLogGroup: { name: "MILLRACE_BROKER_LOG_GROUP", about: "where brokers' logs go" },
  brokerDiskGiB: {
    name: "MILLRACE_BROKER_DISK_GIB",
    about: "a task's ephemeral storage; 20 are included in its price",
  },
  loadBalancer: {
    name: "MILLRACE_LOAD_BALANCER",
    about: "`host|port=target group,…`, of which brokers get one each; empty: there is none",
  },
  brokersIn: {
    name: "MILLRACE_BROKERS_IN",
    about: "`ecs`, or the URL of a module that opens another driver, for tests (`OtherBrokers`)",
  },
  jwtIssuer: { name: "MILLRACE_JWT_ISSUER", about: "whose tokens are taken; empty: no tokens are" },
  jwtAudience: { name: "MILLRACE_JWT_AUDIENCE", about: "for whom a token must be made" },
  jwtKeysUrl: { name: "MILLRACE_JWT_KEYS_URL", about: "the issuer's key set (JWKS)" },
  jwtRoleClaim: {
    name: "MILLRACE_JWT_ROLE_CLAIM",
    about: "the claim whose value is viewer, operator or admin",
  },
  region: { name: "AWS_REGION", about: "where all of it is" },
  logLevel: { name: "MILLRACE_LOG_LEVEL", about: "debug, info, warn or error" },
};

/** What each function is given. One that is empty was set to nothing, which is an answer. */
export const apiFields: readonly ApiField[] = ["controlTable", "tablePrefix", "logLevel"];

export const authorizerFields: readonly AuthorizerField[] = [
  "controlTable",
  "jwtIssuer",
  "jwtAudience",
  "jwtKeysUrl",
  "jwtRoleClaim",
  "logLevel",
];

export const provisionerFields: readonly ProvisionerField[] = [
  ...apiFields,
  "brokersIn",
  "bucket",
  "bucketAddressing",
  "namespaceName",
  "parameterPrefix",
  "namespaceId",
  "ecsCluster",
  "subnets",
  "securityGroups",
  "assignPublicIp",
  "brokerImage",
  "brokerTaskRole",
  "brokerExecutionRole",
  "brokerLogGroup",
  "brokerDiskGiB",
  "loadBalancer",
];

export type Environment<Of extends Field> = Readonly<Record<Of, string>>;

/** As a function's configuration has it. */
export function environmentOf<Of extends Field>(
  fields: readonly Of[],
  values: Environment<Of>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(fields.map((field) => [variables[field].name, values[field]]));
}

/** Throws an Error that names every variable that is not there. */
export function readEnvironment<Of extends Field>(
  fields: readonly Of[],
  environment: Readonly<Record<string, string | undefined>>,
): Environment<Of> {
  const absent = fields.filter((field) => environment[variables[field].name] === undefined);
  if (absent.length > 0) {
    const lines = absent.map((field) => `${variables[field].name}: ${variables[field].about}`);
    throw new Error(`the environment lacks\n${lines.join("\n")}`);
  }
  const entries = fields.map((field) => [field, environment[variables[field].name]]);
  return Object.fromEntries(entries) as Environment<Of>;
}

export function variableName(field: Field): string {
  return variables[field].name;
}
