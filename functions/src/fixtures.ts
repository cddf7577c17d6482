/** Events and contexts in the shapes in which Lambda gets them. */
import type {
  APIGatewayProxyEventV2,
  APIGatewayRequestAuthorizerEventV2,
  Context,
  DynamoDBStreamEvent,
} from "aws-lambda";

const accountId = "123456789012";
const apiId = "a1b2c3d4e5";
const host = `${apiId}.execute-api.eu-west-1.amazonaws.com`;
const at = { time: "21/Nov/2026:10:00:00 +0000", timeEpoch: 1_795_255_200_000 };

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** What the gateway's authorizer, or IAM, found. */
  readonly authorizer?: object;
}

/** Of an HTTP API, payload format 2.0. */
export function httpEvent(request: HttpRequest): APIGatewayProxyEventV2 {
  const { authorizer, body, headers = {}, method, path, query = "" } = request;
  const door = path.startsWith("/iam/") ? "/iam/v1/{proxy+}" : "/v1/{proxy+}";
  const http = {
    ...{ method, path, protocol: "HTTP/1.1", sourceIp: "203.0.113.7", userAgent: "test/1" },
  };
  const requestContext = {
    ...{ accountId, apiId, domainName: host, domainPrefix: apiId, http },
    ...{ requestId: "JKJaXmPLvHcESHA=", routeKey: `ANY ${door}`, stage: "$default", ...at },
    ...(authorizer === undefined ? {} : { authorizer }),
  };
  return {
    ...{ version: "2.0", routeKey: `ANY ${door}`, rawPath: path, rawQueryString: query },
    headers: { host, "x-forwarded-proto": "https", ...headers },
    requestContext,
    ...(query === ""
      ? {}
      : { queryStringParameters: Object.fromEntries(new URLSearchParams(query)) }),
    ...(body === undefined ? {} : { body }),
    isBase64Encoded: false,
  };
}

/** Of an HTTP API's Lambda authorizer, format 2.0: header names come in small letters. */
export function authorizerEvent(authorization?: string): APIGatewayRequestAuthorizerEventV2 {
  const { headers, requestContext } = httpEvent({ method: "GET", path: "/v1/clusters" });
  const given = authorization === undefined ? [] : [authorization];
  return {
    ...{ version: "2.0", type: "REQUEST", routeKey: "ANY /v1/{proxy+}" },
    routeArn: `arn:aws:execute-api:eu-west-1:${accountId}:${apiId}/$default/GET/v1/clusters`,
    identitySource: given,
    ...{ rawPath: "/v1/clusters", rawQueryString: "", cookies: [] },
    headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
    requestContext: { ...requestContext, authentication: { clientCert: undefined } },
  } as unknown as APIGatewayRequestAuthorizerEventV2;
}

/** Of the control table's stream, which has keys only. */
export function streamEvent(...keys: readonly string[]): DynamoDBStreamEvent {
  const table = "Millrace-ControlTable";
  const Records = keys.map((key, index) => ({
    ...{ eventID: `e${index}`, eventName: "INSERT", eventVersion: "1.1", awsRegion: "eu-west-1" },
    eventSource: "aws:dynamodb",
    dynamodb: {
      ApproximateCreationDateTime: at.timeEpoch / 1000,
      Keys: { pk: { S: key.split("/").slice(0, 2).join("/") }, sk: { S: key } },
      SequenceNumber: `${1000 + index}`,
      ...{ SizeBytes: 80, StreamViewType: "KEYS_ONLY" },
    },
    eventSourceARN: `arn:aws:dynamodb:eu-west-1:${accountId}:table/${table}/stream/2026-11-21T00:00:00.000`,
  }));
  return { Records } as DynamoDBStreamEvent;
}

export function context(remainingMs: number): Context {
  return {
    ...{ callbackWaitsForEmptyEventLoop: true, functionName: "test", functionVersion: "$LATEST" },
    ...{ invokedFunctionArn: `arn:aws:lambda:eu-west-1:${accountId}:function:test` },
    ...{ memoryLimitInMB: "512", awsRequestId: "c6af9ac6-7b61-11e6-9a41-93e8deadbeef" },
    ...{ logGroupName: "test", logStreamName: "test" },
    getRemainingTimeInMillis: () => remainingMs,
    ...{ done: () => undefined, fail: () => undefined, succeed: () => undefined },
  };
}
