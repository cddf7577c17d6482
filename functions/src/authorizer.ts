/**
 * Lambda entry point: asked by the HTTP API for each request to /v1, whether it may pass and as
 * whom. It reads one item of the control table for an API key, and the issuer's keys, once in a
 * while, for tokens.
 */
import { DynamoDbMetadataStore } from "@millrace/adapter-aws";
import { nodeHashing, SystemClock, SystemRandom } from "@millrace/adapter-node";
import { ApiKeys } from "@millrace/control-api";
import type { APIGatewayRequestAuthorizerEventV2 } from "aws-lambda";
import { authorizerFields, readEnvironment } from "./environment.ts";
import { login, type LoginAnswer, type Logins } from "./gateway-login.ts";
import { checkToken, remoteKeys } from "./jwt-login.ts";
import { makeLog } from "./log.ts";

const environment = readEnvironment(authorizerFields, process.env);
const clock = new SystemClock();
const log = makeLog(environment.logLevel, (line) => process.stdout.write(line));
const logins = openLogins();

async function openLogins(): Promise<Logins> {
  const random = new SystemRandom();
  const { controlTable: table } = environment;
  const store = await DynamoDbMetadataStore.open({ table, clock, random });
  const keys = new ApiKeys({ store, clock, random, hashing: nodeHashing });
  const key = (text: string): ReturnType<ApiKeys["verify"]> => keys.verify(text);
  return environment.jwtIssuer === "" ? { key, log } : { key, token: tokens(), log };
}

function tokens(): NonNullable<Logins["token"]> {
  const { jwtAudience: audience, jwtIssuer: issuer, jwtRoleClaim: roleClaim } = environment;
  const policy = { issuer, audience, roleClaim };
  const keys = remoteKeys(environment.jwtKeysUrl);
  return (text) => checkToken(text, { policy, keys, now: new Date(clock.wallMs()) });
}

export async function handler(event: APIGatewayRequestAuthorizerEventV2): Promise<LoginAnswer> {
  try {
    return await login(event.headers?.["authorization"], await logins);
  } catch (error) {
    log("error", "loginFailed", { requestId: event.requestContext.requestId, error });
    throw error;
  }
}
