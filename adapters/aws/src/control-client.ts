/** What the clients of AWS's control planes have in common. */
import { controlConnectMsMax, controlRequestMsMax, controlTriesMax } from "./limits.ts";

export interface AwsPlace {
  /** From the environment or AWS's configuration files if absent. */
  readonly region?: string;
  /** Of a server that stands in for AWS. */
  readonly endpoint?: string;
  /** From the SDK's usual places if absent. */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
}

export interface ControlClientConfig extends AwsPlace {
  readonly maxAttempts: number;
  readonly requestHandler: {
    readonly connectionTimeout: number;
    readonly requestTimeout: number;
  };
}

/** The SDK's own tries with back-off are enough here: every call may be repeated. */
export function controlClientConfig(place: AwsPlace): ControlClientConfig {
  const { credentials, endpoint, region: named } = place;
  const region = named ?? (endpoint === undefined ? undefined : "us-east-1");
  return {
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    maxAttempts: controlTriesMax,
    requestHandler: {
      connectionTimeout: controlConnectMsMax,
      requestTimeout: controlRequestMsMax,
    },
  };
}

/** What is made for a cluster is tagged with it. */
export const clusterTag = "millrace:cluster";
