import type * as Ssm from "@aws-sdk/client-ssm";
import {
  asClusterId,
  type ClusterId,
  type DriverResource,
  type Secret,
  type SecretName,
} from "@millrace/core";
import { type AwsPlace, clusterTag } from "./control-client.ts";
import { asked, askedPlainly } from "./driver-errors.ts";
import { openSsm, type SsmAccess } from "./ssm-client.ts";

export interface SsmSecretsOptions extends AwsPlace {
  /** A secret's name is this, the cluster's id, `/` and its own: `/millrace/cl_…/broker`. */
  readonly parameterPrefix: string;
}

const secretNames: readonly SecretName[] = ["authority", "broker"];

/** Clusters' secrets as SecureStrings of SSM's standard tier, which cost nothing. */
export class SsmSecrets {
  readonly #sdk: typeof Ssm;
  readonly #client: Ssm.SSMClient;
  readonly #prefix: string;

  private constructor({ client, sdk }: SsmAccess, { parameterPrefix }: SsmSecretsOptions) {
    this.#sdk = sdk;
    this.#client = client;
    this.#prefix = parameterPrefix;
  }

  static async open(options: SsmSecretsOptions): Promise<SsmSecrets> {
    return new SsmSecrets(await openSsm(options), options);
  }

  parameterName(cluster: ClusterId, name: SecretName): string {
    return `${this.#prefix}${cluster}/${name}`;
  }

  async put(cluster: ClusterId, { name, over, value }: Secret): Promise<"kept" | "exists"> {
    const isNew = over === "nothing";
    const command = new this.#sdk.PutParameterCommand({
      ...{ Name: this.parameterName(cluster, name), Value: value },
      ...{ Type: "SecureString", Tier: "Standard", Overwrite: !isNew },
      // With Overwrite, SSM takes no tags.
      ...(isNew ? { Tags: [{ Key: clusterTag, Value: cluster }] } : {}),
    });
    const put = await asked("a secret can't be kept", () => this.#client.send(command), {
      names: ["ParameterAlreadyExists"],
      otherwise: "exists",
    } as const);
    return put === "exists" ? put : "kept";
  }

  async read(cluster: ClusterId, name: SecretName): Promise<string | undefined> {
    const command = new this.#sdk.GetParameterCommand({
      ...{ Name: this.parameterName(cluster, name), WithDecryption: true },
    });
    const found = await asked("a secret can't be read", () => this.#client.send(command), {
      names: ["ParameterNotFound"],
      otherwise: undefined,
    });
    return found?.Parameter?.Value;
  }

  /** Those that there are. */
  async kept(cluster: ClusterId): Promise<readonly SecretName[]> {
    const names = secretNames.map((name) => this.parameterName(cluster, name));
    const command = new this.#sdk.GetParametersCommand({ Names: names, WithDecryption: false });
    const call = () => this.#client.send(command);
    const { Parameters = [] } = await askedPlainly("secrets can't be looked at", call);
    const found = new Set(Parameters.map(({ Name }) => Name));
    return secretNames.filter((name) => found.has(this.parameterName(cluster, name)));
  }

  async remove(cluster: ClusterId, name: SecretName): Promise<void> {
    const command = new this.#sdk.DeleteParameterCommand({
      Name: this.parameterName(cluster, name),
    });
    await asked("a secret can't be removed", () => this.#client.send(command), {
      names: ["ParameterNotFound"],
      otherwise: undefined,
    });
  }

  async list(): Promise<readonly DriverResource[]> {
    const found: DriverResource[] = [];
    let token: string | undefined;
    do {
      const command = new this.#sdk.GetParametersByPathCommand({
        ...{ Path: this.#prefix, Recursive: true, WithDecryption: false, NextToken: token },
      });
      const call = () => this.#client.send(command);
      const page = await askedPlainly("secrets can't be listed", call);
      for (const { Name: name = "" } of page.Parameters ?? []) {
        const cluster = asClusterId(name.slice(this.#prefix.length).split("/")[0] ?? "");
        if (cluster !== undefined) found.push({ cluster, kind: "ssm parameter", name });
      }
      token = page.NextToken;
    } while (token !== undefined);
    return found;
  }

  close(): void {
    this.#client.destroy();
  }
}
