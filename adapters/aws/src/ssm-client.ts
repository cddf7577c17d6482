import type * as Ssm from "@aws-sdk/client-ssm";
import { type AwsPlace, controlClientConfig } from "./control-client.ts";

/** The SDK for SSM, and a client of it. */
export interface SsmAccess {
  readonly sdk: typeof Ssm;
  readonly client: Ssm.SSMClient;
}

/** Loads the SDK. */
export async function openSsm(place: AwsPlace): Promise<SsmAccess> {
  const sdk = await import("@aws-sdk/client-ssm");
  return { sdk, client: new sdk.SSMClient(controlClientConfig(place)) };
}
