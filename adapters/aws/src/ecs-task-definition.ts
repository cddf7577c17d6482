/** What a broker's task is, as ECS is told. Pure. */
import type { RegisterTaskDefinitionCommandInput } from "@aws-sdk/client-ecs";
import { type BrokerSpec, type ClusterId, noSuperUser } from "@millrace/core";
import { clusterTag } from "./control-client.ts";
import { brokerStartSecondsMax, brokerStopSecondsMax } from "./limits.ts";

export interface TaskOptions {
  /** What names of families and services begin with. */
  readonly prefix: string;
  readonly image: string;
  readonly executionRoleArn: string;
  readonly taskRoleArn: string;
  readonly logGroup: string;
  readonly region: string;
  /** Of the task's own disk; 20 are included in its price. */
  readonly diskGiB: number;
  /** Where brokers find their objects: `s3://{bucket}/{cluster}`. */
  readonly bucket: string;
  /** Beside what brokers need: Kafka's names and values. */
  readonly configs?: Readonly<Record<string, string>>;
}

export interface TaskPlace {
  /** What clients are told of it. */
  readonly hostName: string;
  readonly port: number;
  /** The cluster's metadata store, as brokers name it. */
  readonly metadata: string;
  /** SSM's name of the broker's key and certificates. */
  readonly secret: string;
}

/** Where brokers serve clients, and where their health check asks. */
export const brokerPort = 9_098;
const httpPort = 8_080;
export const containerName = "broker";
/** As often as CloudWatch keeps a metric. */
const signalsLogMs = 60_000;
/** What a task has without asking for more. */
const includedDiskGiB = 20;
const dataPath = "/data";
const readiness = `fetch("http://127.0.0.1:${httpPort}/readyz").then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`;

/** As `millrace-cl_…-1-r3`: what runs tells the revision by its name. */
export function familyOf(prefix: string, cluster: ClusterId, spec: BrokerSpec): string {
  return `${brokerFamilies(prefix, cluster, spec.broker)}${spec.revision}`;
}

/** What the names of one broker's families begin with. */
export function brokerFamilies(prefix: string, cluster: ClusterId, broker: number): string {
  return `${prefix}${cluster}-${broker}-r`;
}

export function taskDefinition(
  options: TaskOptions,
  cluster: ClusterId,
  spec: BrokerSpec,
  place: TaskPlace,
): RegisterTaskDefinitionCommandInput {
  const { diskGiB, executionRoleArn, prefix, taskRoleArn } = options;
  return {
    family: familyOf(prefix, cluster, spec),
    requiresCompatibilities: ["FARGATE"],
    networkMode: "awsvpc",
    cpu: String(spec.cpu),
    memory: String(spec.memoryMiB),
    runtimePlatform: { cpuArchitecture: "ARM64", operatingSystemFamily: "LINUX" },
    executionRoleArn,
    taskRoleArn,
    ...(diskGiB > includedDiskGiB ? { ephemeralStorage: { sizeInGiB: diskGiB } } : {}),
    // The root is read-only: what a broker writes goes here, and with the task.
    volumes: [{ name: "data" }, { name: "tmp" }],
    containerDefinitions: [container(options, cluster, spec, place)],
    tags: [{ key: clusterTag, value: cluster }],
  };
}

function container(
  options: TaskOptions,
  cluster: ClusterId,
  spec: BrokerSpec,
  place: TaskPlace,
): NonNullable<RegisterTaskDefinitionCommandInput["containerDefinitions"]>[number] {
  const configs = brokerConfigs(options, cluster, spec, place);
  return {
    name: containerName,
    image: options.image,
    essential: true,
    readonlyRootFilesystem: true,
    stopTimeout: brokerStopSecondsMax,
    ulimits: [{ name: "nofile", softLimit: 65_535, hardLimit: 65_535 }],
    mountPoints: [
      { sourceVolume: "data", containerPath: dataPath, readOnly: false },
      { sourceVolume: "tmp", containerPath: "/tmp", readOnly: false },
    ],
    portMappings: [{ containerPort: brokerPort, hostPort: brokerPort, protocol: "tcp" }],
    environment: Object.entries(configs).map(([key, value]) => ({
      ...{ name: kafkaVariable(key), value },
    })),
    // The broker takes from the one text what each key asks for.
    secrets: ["ssl.keystore.key", "ssl.keystore.certificate.chain"].map((key) => ({
      ...{ name: kafkaVariable(key), valueFrom: place.secret },
    })),
    healthCheck: {
      command: ["CMD", "node", "-e", readiness],
      ...{ interval: 10, timeout: 5, retries: 3, startPeriod: brokerStartSecondsMax },
    },
    logConfiguration: {
      logDriver: "awslogs",
      options: {
        "awslogs-group": options.logGroup,
        "awslogs-region": options.region,
        "awslogs-stream-prefix": cluster,
        // A log that is slow to be written must not hold up a broker.
        mode: "non-blocking",
        "max-buffer-size": "4m",
      },
    },
  };
}

function brokerConfigs(
  { bucket, configs, region }: TaskOptions,
  cluster: ClusterId,
  spec: BrokerSpec,
  { hostName, metadata, port }: TaskPlace,
): Readonly<Record<string, string>> {
  return {
    ...configs,
    ...spec.configs,
    "node.id": String(spec.broker),
    "log.dirs": dataPath,
    listeners: `SASL_SSL://:${brokerPort}`,
    "advertised.listeners": `SASL_SSL://${hostName}:${port}`,
    "sasl.enabled.mechanisms": "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN",
    "super.users": noSuperUser,
    "millrace.http.port": String(httpPort),
    // The deployment's alarms are made of these lines.
    "millrace.signals.log.interval.ms": String(signalsLogMs),
    "millrace.metadata.store": metadata,
    "millrace.metadata.store.region": region,
    "millrace.object.store": `s3://${bucket}/${cluster}`,
    "millrace.object.store.region": region,
  };
}

/** The variable of the apache/kafka image that stands for a key. */
export function kafkaVariable(key: string): string {
  const underscores: Readonly<Record<string, string>> = { ".": "_", _: "__", "-": "___" };
  const name = key.replaceAll(/[._-]/gu, (sign) => underscores[sign] ?? sign);
  return `KAFKA_${name.toUpperCase()}`;
}
