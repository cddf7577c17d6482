import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { authorizerEvent, httpEvent } from "../../functions/src/fixtures.ts";
import type { LambdaFunction } from "./lambda.ts";

/**
 * What the HTTP API of the template does with a request, on loopback: /v1 asks the authorizer's
 * function, /iam/v1 takes for granted that IAM knows the caller, and both go on to the API's.
 */
export class Gateway {
  readonly #functions: { readonly api: LambdaFunction; readonly authorizer: LambdaFunction };
  readonly #server: Server;

  private constructor(functions: {
    readonly api: LambdaFunction;
    readonly authorizer: LambdaFunction;
  }) {
    this.#functions = functions;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        response.writeHead(500, { "content-type": "application/json" });
        response.end(JSON.stringify({ message: "Internal Server Error", cause: String(error) }));
      });
    });
  }

  static async start(functions: {
    readonly api: LambdaFunction;
    readonly authorizer: LambdaFunction;
  }): Promise<Gateway> {
    const gateway = new Gateway(functions);
    await new Promise<void>((resolve) => gateway.#server.listen(0, "127.0.0.1", resolve));
    return gateway;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, search } = new URL(request.url ?? "/", this.url);
    const authorizer = await this.#authorized(pathname, request.headers.authorization);
    if (typeof authorizer === "number") {
      const message = authorizer === 401 ? "Unauthorized" : "Forbidden";
      response.writeHead(authorizer, { "content-type": "application/json" });
      response.end(JSON.stringify({ message }));
      return;
    }
    const body = await textOf(request);
    const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
    const event = httpEvent({
      ...{ method: request.method ?? "GET", path: pathname, query: search.slice(1), authorizer },
      headers: Object.fromEntries(headers) as Record<string, string>,
      ...(body === "" ? {} : { body }),
    });
    const answer = await this.#functions.api.invoke(event);
    const given = answer as APIGatewayProxyStructuredResultV2;
    response.statusCode = given.statusCode ?? 200;
    for (const [name, value] of Object.entries(given.headers ?? {})) {
      response.setHeader(name, String(value));
    }
    response.end(Buffer.from(given.body ?? "", given.isBase64Encoded === true ? "base64" : "utf8"));
  }

  /** What the event's authorizer has, or the status with which the gateway answers by itself. */
  async #authorized(path: string, header: string | undefined): Promise<object | 401 | 403> {
    if (path.startsWith("/iam/v1/")) {
      return { iam: { userArn: "arn:aws:iam::123456789012:role/deployer" } };
    }
    if (!path.startsWith("/v1/")) return {};
    // The gateway itself refuses who has no identity source.
    if (header === undefined) return 401;
    const answer = await this.#functions.authorizer.invoke(authorizerEvent(header));
    const { context, isAuthorized } = answer as { isAuthorized: boolean; context?: object };
    return isAuthorized ? { lambda: context } : 403;
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
