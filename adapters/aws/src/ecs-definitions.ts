import type * as Ecs from "@aws-sdk/client-ecs";
import { asClusterId, type BrokerSpec, type ClusterId, type DriverResource } from "@millrace/core";
import { asked, askedPlainly } from "./driver-errors.ts";
import {
  brokerFamilies,
  familyOf,
  taskDefinition,
  type TaskOptions,
  type TaskPlace,
} from "./ecs-task-definition.ts";
import { deletedDefinitionsMax } from "./limits.ts";

export interface BrokerDefinition {
  readonly broker: number;
  /** The newest one's. */
  readonly revision: number;
}

/** Task definitions of brokers: a family for each revision of each. All calls throw DriverError. */
export class EcsDefinitions {
  readonly #sdk: typeof Ecs;
  readonly #client: Ecs.ECSClient;
  readonly #options: TaskOptions;

  constructor(sdk: typeof Ecs, client: Ecs.ECSClient, options: TaskOptions) {
    this.#sdk = sdk;
    this.#client = client;
    this.#options = options;
  }

  /** The ARN of the one for this revision, which is made if it is not there. */
  async ensure(cluster: ClusterId, spec: BrokerSpec, place: TaskPlace): Promise<string> {
    const family = familyOf(this.#options.prefix, cluster, spec);
    const command = new this.#sdk.DescribeTaskDefinitionCommand({ taskDefinition: family });
    const found = await asked("a task definition can't be read", () => this.#client.send(command), {
      // Also ECS's word for one that is not there.
      names: ["ClientException"],
      otherwise: undefined,
    });
    const { containerDefinitions, status, taskDefinitionArn: arn } = found?.taskDefinition ?? {};
    // Of another image: the deployment was brought up to date since, perhaps because that one failed.
    const isOf = containerDefinitions?.[0]?.image === this.#options.image;
    if (arn !== undefined && status !== "INACTIVE" && isOf) return arn;
    const input = taskDefinition(this.#options, cluster, spec, place);
    const registering = new this.#sdk.RegisterTaskDefinitionCommand(input);
    const made = await askedPlainly("a task definition can't be made", () =>
      this.#client.send(registering),
    );
    return made.taskDefinition?.taskDefinitionArn ?? family;
  }

  /** Those that are active, by broker. */
  async of(cluster: ClusterId): Promise<readonly BrokerDefinition[]> {
    const found = new Map<number, number>();
    const prefix = `${this.#options.prefix}${cluster}-`;
    for (const family of await this.#families(prefix)) {
      const [, broker, revision] = /^(\d+)-r(\d+)$/u.exec(family.slice(prefix.length)) ?? [];
      if (broker === undefined) continue;
      found.set(Number(broker), Math.max(Number(revision), found.get(Number(broker)) ?? 0));
    }
    return [...found].map(([broker, revision]) => ({ broker, revision }));
  }

  /** All of a broker's. */
  async remove(cluster: ClusterId, broker: number): Promise<void> {
    const families = await this.#families(brokerFamilies(this.#options.prefix, cluster, broker));
    const arns: string[] = [];
    for (const family of families) arns.push(...(await this.#activeArns(family)));
    for (const arn of arns) {
      const command = new this.#sdk.DeregisterTaskDefinitionCommand({ taskDefinition: arn });
      await askedPlainly("a task definition can't be deregistered", () =>
        this.#client.send(command),
      );
    }
    for (let at = 0; at < arns.length; at += deletedDefinitionsMax) {
      const taskDefinitions = arns.slice(at, at + deletedDefinitionsMax);
      const command = new this.#sdk.DeleteTaskDefinitionsCommand({ taskDefinitions });
      await askedPlainly("task definitions can't be deleted", () => this.#client.send(command));
    }
  }

  async list(): Promise<readonly DriverResource[]> {
    const { prefix } = this.#options;
    const families = await this.#families(`${prefix}cl_`);
    return families.flatMap((name) => {
      const cluster = asClusterId(name.slice(prefix.length).split("-")[0] ?? "");
      return cluster === undefined ? [] : [{ cluster, kind: "ecs task definition", name }];
    });
  }

  async #families(familyPrefix: string): Promise<readonly string[]> {
    const found: string[] = [];
    let nextToken: string | undefined;
    do {
      const command = new this.#sdk.ListTaskDefinitionFamiliesCommand({
        ...{ familyPrefix, status: "ACTIVE", maxResults: 100, nextToken },
      });
      const call = () => this.#client.send(command);
      const page = await askedPlainly("task definitions can't be listed", call);
      found.push(...(page.families ?? []));
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
    return found;
  }

  async #activeArns(familyPrefix: string): Promise<readonly string[]> {
    const command = new this.#sdk.ListTaskDefinitionsCommand({ familyPrefix, status: "ACTIVE" });
    const page = await askedPlainly("task definitions can't be listed", () =>
      this.#client.send(command),
    );
    return page.taskDefinitionArns ?? [];
  }
}
