/** What a deployment may be told, and what is said about a value that is none. */

/** Interface endpoints, by the word of AWS's own names. Each costs by the hour and zone. */
export const endpointNames = ["ecrApi", "ecrDkr", "logs", "ssm"] as const;
export type EndpointName = (typeof endpointNames)[number];

/** What tasks need that have no way to the internet. */
export const endpointsOfIsolatedBrokers: readonly EndpointName[] = endpointNames;

export interface DeploymentProps {
  /** Begins the names of what the control plane makes; another one for each deployment of an account. */
  readonly name?: string;
  /** What becomes of bucket, table and logs when the stack is deleted. */
  readonly onDelete?: "retain" | "destroy";
  /** For how many days deleted objects can be brought back; 0: the bucket keeps no versions. */
  readonly keepDeletedObjectsDays?: number;
  /** The private domain under which brokers have their names. */
  readonly domain?: string;
  readonly network?: NetworkProps;
  readonly brokers?: BrokerProps;
  readonly functions?: FunctionProps;
  readonly api?: ApiProps;
  readonly jwt?: JwtProps;
  readonly logRetentionDays?: number;
  /** An SNS topic that is told of alarms. */
  readonly alarmTopicArn?: string;
  readonly dashboard?: boolean;
  /** ECS's own metrics of each task; billed by metric. */
  readonly containerInsights?: boolean;
  /** Whether the API's description and its page are shown without a login. */
  readonly publicDocs?: boolean;
}

export interface NetworkProps {
  readonly cidr?: string;
  readonly zones?: number;
  /** `public`: a public address, no way in. `isolated`: only interface endpoints lead out. */
  readonly brokersIn?: "public" | "isolated";
  readonly interfaceEndpoints?: readonly EndpointName[];
  /** From where clients may reach brokers, beside who has the clients' security group. */
  readonly clientCidrs?: readonly string[];
  /**
   * Listeners of an internal load balancer, one for each broker of all clusters that are made from then
   * on; 0: there is none, and clients find brokers by their private names. Billed by the hour.
   */
  readonly loadBalancerListeners?: number;
  /** The network's traffic, to a log group; billed by GB. */
  readonly flowLogs?: boolean;
}

export interface BrokerProps {
  /** The image's URI; absent: made of broker-fargate/Dockerfile when it is deployed. */
  readonly image?: string;
  readonly diskGiB?: number;
}

export interface FunctionProps {
  readonly memoryMiB?: number;
  readonly apiTimeoutSeconds?: number;
  readonly provisionerTimeoutSeconds?: number;
}

/** What the gateway takes of all callers together, and answers by 429 above it: a bound on the bill. */
export interface ApiProps {
  readonly requestsPerSecond?: number;
  /** At once, above the rate. */
  readonly requestBurst?: number;
}

/** Whose tokens the API takes, beside its own keys. */
export interface JwtProps {
  readonly issuer: string;
  readonly audience: string;
  /** Where the issuer's keys are; absent: `{issuer}/.well-known/jwks.json`. */
  readonly keysUrl?: string;
  /** The claim that says viewer, operator or admin. */
  readonly roleClaim?: string;
}

type Filled<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };

export interface Settings
  extends Filled<
    Omit<DeploymentProps, "network" | "brokers" | "functions" | "api" | "jwt" | "alarmTopicArn">
  > {
  readonly network: Filled<NetworkProps>;
  readonly brokers: { readonly diskGiB: number; readonly image: string | undefined };
  readonly functions: Filled<FunctionProps>;
  readonly api: Filled<ApiProps>;
  readonly jwt: Filled<JwtProps> | undefined;
  readonly alarmTopicArn: string | undefined;
}

/** Of CloudWatch's own list. */
const retentionDays = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653];

interface Rule {
  readonly allowed: string;
  readonly holds: (value: unknown) => boolean;
}

const flag: Rule = { allowed: "true or false", holds: (value) => typeof value === "boolean" };

const cidrPattern = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/u;

function isCidr(
  value: unknown,
  { from, to }: { readonly from: number; readonly to: number },
): boolean {
  const parts =
    typeof value === "string" ? cidrPattern.exec(value)?.slice(1).map(Number) : undefined;
  if (parts === undefined) return false;
  const length = parts.at(-1) ?? 0;
  return parts.slice(0, 4).every((part) => part <= 255) && length >= from && length <= to;
}

function whole(from: number, to: number): Rule {
  const holds = (value: unknown): boolean =>
    typeof value === "number" && Number.isInteger(value) && value >= from && value <= to;
  return { allowed: `a whole number from ${from} to ${to}`, holds };
}

function oneOf(...values: readonly (string | number)[]): Rule {
  return { allowed: values.join(", "), holds: (value) => values.some((each) => each === value) };
}

function text(pattern: RegExp, allowed: string): Rule {
  return { allowed, holds: (value) => typeof value === "string" && pattern.test(value) };
}

function listOf(rule: Rule): Rule {
  const holds = (value: unknown): boolean => Array.isArray(value) && value.every(rule.holds);
  return { allowed: `a list, each ${rule.allowed}`, holds };
}

const httpsUrl = text(/^https:\/\/[^\s/]+\S*$/u, "an https URL");

const rules: Readonly<Record<string, Rule>> = {
  name: text(/^[a-z][a-z0-9-]{0,15}$/u, "1 to 16 of a-z, 0-9 and -, a letter first"),
  onDelete: oneOf("retain", "destroy"),
  keepDeletedObjectsDays: whole(0, 365),
  domain: text(
    /^(?=.{1,180}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/u,
    "a domain of at least two labels in small letters, as millrace.internal",
  ),
  "network.cidr": {
    allowed: "an IPv4 block from /16 to /24, as 10.20.0.0/20",
    holds: (value) => isCidr(value, { from: 16, to: 24 }),
  },
  "network.zones": whole(2, 3),
  "network.brokersIn": oneOf("public", "isolated"),
  "network.interfaceEndpoints": listOf(oneOf(...endpointNames)),
  "network.clientCidrs": listOf({
    allowed: "an IPv4 block from /8 to /32, as 10.0.0.0/8",
    holds: (value) => isCidr(value, { from: 8, to: 32 }),
  }),
  // What they are is told to the provisioner in an environment, which Lambda bounds by 4 KB.
  "network.loadBalancerListeners": whole(0, 16),
  "network.flowLogs": flag,
  "brokers.image": text(/^\S+[:@]\S+$/u, "an image's URI with a tag or a digest"),
  "brokers.diskGiB": whole(20, 200),
  "functions.memoryMiB": whole(256, 3008),
  "functions.apiTimeoutSeconds": whole(3, 29),
  "functions.provisionerTimeoutSeconds": whole(30, 900),
  "api.requestsPerSecond": whole(1, 10_000),
  "api.requestBurst": whole(1, 5_000),
  "jwt.issuer": httpsUrl,
  "jwt.audience": text(/^\S+$/u, "a text without blanks"),
  "jwt.keysUrl": httpsUrl,
  "jwt.roleClaim": text(/^\S+$/u, "a claim's name"),
  logRetentionDays: oneOf(...retentionDays),
  alarmTopicArn: text(/^arn:[\w-]+:sns:[\w-]+:\d{12}:\S+$/u, "the ARN of an SNS topic"),
  dashboard: flag,
  containerInsights: flag,
  publicDocs: flag,
};

/** Reached by one that is none: an object's members are checked for themselves. */
const section: Rule = { allowed: "an object", holds: () => false };

const sections = ["network", "brokers", "functions", "api", "jwt"];

/** What the user wrote can't be deployed; the message says it all. */
export class PropsError extends Error {
  override readonly name = "PropsError";
}

/** Throws a PropsError with a line for each value that is none: the prop, the value, what is allowed. */
export function settingsOf(props: DeploymentProps): Settings {
  const problems = [...problemsOf(props), ...relationsOf(props)];
  if (problems.length > 0)
    throw new PropsError(`Millrace can't be deployed so:\n${problems.join("\n")}`);
  const { api, brokers, functions, jwt, network } = props;
  return {
    name: props.name ?? "millrace",
    onDelete: props.onDelete ?? "retain",
    keepDeletedObjectsDays: props.keepDeletedObjectsDays ?? 0,
    domain: props.domain ?? "millrace.internal",
    network: {
      cidr: network?.cidr ?? "10.20.0.0/20",
      zones: network?.zones ?? 2,
      brokersIn: network?.brokersIn ?? "public",
      interfaceEndpoints: network?.interfaceEndpoints ?? [],
      clientCidrs: network?.clientCidrs ?? [],
      loadBalancerListeners: network?.loadBalancerListeners ?? 0,
      flowLogs: network?.flowLogs ?? false,
    },
    brokers: { image: brokers?.image, diskGiB: brokers?.diskGiB ?? 20 },
    functions: {
      memoryMiB: functions?.memoryMiB ?? 512,
      apiTimeoutSeconds: functions?.apiTimeoutSeconds ?? 29,
      provisionerTimeoutSeconds: functions?.provisionerTimeoutSeconds ?? 900,
    },
    api: {
      requestsPerSecond: api?.requestsPerSecond ?? 50,
      requestBurst: api?.requestBurst ?? 100,
    },
    jwt: jwt === undefined ? undefined : jwtOf(jwt),
    logRetentionDays: props.logRetentionDays ?? 30,
    alarmTopicArn: props.alarmTopicArn,
    dashboard: props.dashboard ?? true,
    containerInsights: props.containerInsights ?? false,
    publicDocs: props.publicDocs ?? true,
  };
}

function jwtOf({ audience, issuer, keysUrl, roleClaim }: JwtProps): Filled<JwtProps> {
  const usual = `${issuer.replace(/\/$/u, "")}/.well-known/jwks.json`;
  return { issuer, audience, keysUrl: keysUrl ?? usual, roleClaim: roleClaim ?? "millrace_role" };
}

function problemsOf(props: object): readonly string[] {
  return entriesOf(props).flatMap(([path, value]) => {
    const rule = sections.includes(path) ? section : rules[path];
    if (rule === undefined) return [`${path} is not a prop: there are ${allowedBeside(path)}`];
    if (value === undefined || rule.holds(value)) return [];
    return [`${path} is ${JSON.stringify(value)}: allowed is ${rule.allowed}`];
  });
}

/** Sections are opened; one that is no object stands for itself. */
function entriesOf(props: object): readonly (readonly [string, unknown])[] {
  return Object.entries(props).flatMap(([key, value]): readonly (readonly [string, unknown])[] => {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    const isSection = sections.includes(key) && isObject;
    if (!isSection) return [[key, value]];
    return Object.entries(value as object).map(([name, each]) => [`${key}.${name}`, each]);
  });
}

function allowedBeside(path: string): string {
  const inside = sections.find((each) => path === each || path.startsWith(`${each}.`));
  const names = Object.keys(rules).filter((name) =>
    inside === undefined ? !name.includes(".") : name.startsWith(`${inside}.`),
  );
  return [...names, ...(inside === undefined ? sections : [])].join(", ");
}

/** What holds between values. */
function relationsOf({ jwt, network }: DeploymentProps): readonly string[] {
  const problems: string[] = [];
  const present = network?.interfaceEndpoints ?? [];
  const missing = endpointsOfIsolatedBrokers.filter((name) => !present.includes(name));
  if (network?.brokersIn === "isolated" && missing.length > 0) {
    problems.push(
      `network.brokersIn is "isolated": network.interfaceEndpoints must then have ${missing.join(", ")} too`,
    );
  }
  if (typeof jwt === "object" && jwt !== null) {
    for (const name of ["issuer", "audience"] as const) {
      if (jwt[name] === undefined)
        problems.push(`jwt.${name} is absent: allowed is ${rules[`jwt.${name}`]?.allowed}`);
    }
  }
  return problems;
}
