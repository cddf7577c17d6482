/** Requests of AWS's services, unsigned but for the name of the service: for what stands in for it. */
export class Aws {
  readonly #endpoint: string;

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  /** Services of the Query protocol; the answer is XML. */
  query(
    service: string,
    version: string,
    parameters: Readonly<Record<string, string>>,
  ): Promise<string> {
    return this.#send(service, {
      method: "POST",
      path: "/",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ Version: version, ...parameters }).toString(),
    });
  }

  /** Services whose requests name a target. */
  json(service: string, target: string, input: object): Promise<string> {
    const headers = { "content-type": "application/x-amz-json-1.1", "x-amz-target": target };
    return this.#send(service, { method: "POST", path: "/", headers, body: JSON.stringify(input) });
  }

  rest(service: string, path: string): Promise<string> {
    return this.#send(service, { method: "GET", path, headers: {} });
  }

  put(service: string, path: string, body: Uint8Array | string = ""): Promise<string> {
    return this.#send(service, { method: "PUT", path, headers: {}, body });
  }

  async #send(
    service: string,
    request: {
      readonly method: string;
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body?: Uint8Array | string;
    },
  ): Promise<string> {
    const { body, headers, method, path } = request;
    const credential = `nobody/20260101/us-east-1/${service}/aws4_request`;
    const authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=0`;
    const response = await fetch(`${this.#endpoint}${path}`, {
      ...{ method, headers: { ...headers, authorization } },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    if (!response.ok)
      throw new Error(`${service} ${path}: ${response.status} ${text.slice(0, 800)}`);
    return text;
  }
}
