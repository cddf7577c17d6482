import { ApiKey, apis, ErrorCode, kafkaError } from "@millrace/wire";
import type { CheckedReply } from "./check-reply.ts";
import { nameOf } from "./conversation.ts";
import type { Expectation } from "./expectation.ts";

/**
 * What a broker without logins and without an authorizer, as the one that is fuzzed, always refuses;
 * answers without an error would have to be asked for elsewhere.
 */
const refusals: ReadonlyMap<ApiKey, number> = new Map([
  [ApiKey.SaslHandshake, ErrorCode.ILLEGAL_SASL_STATE],
  [ApiKey.SaslAuthenticate, ErrorCode.ILLEGAL_SASL_STATE],
  [ApiKey.DescribeAcls, ErrorCode.SECURITY_DISABLED],
  [ApiKey.ConsumerGroupHeartbeat, ErrorCode.UNSUPPORTED_VERSION],
]);

interface Row {
  readonly apiKey: ApiKey;
  requests: number;
  answers: number;
  withoutError: number;
  readonly codes: Map<number, number>;
}

/** Which APIs in which versions were sent and answered, and how. */
export class Coverage {
  readonly #rows: ReadonlyMap<string, Row>;
  /** Of requests: before it is said that an API or a version was left out. */
  readonly #requestsToTell: number;
  #requests = 0;
  #refused = 0;

  constructor(
    served: readonly { readonly apiKey: ApiKey; readonly maxVersion: number }[],
    requestsToTell: number,
  ) {
    const rows = new Map<string, Row>();
    for (const { apiKey, maxVersion } of served) {
      for (let version = apis[apiKey].minVersion; version <= maxVersion; version += 1) {
        const counts = { apiKey, requests: 0, answers: 0, withoutError: 0, codes: new Map() };
        rows.set(nameOf(apiKey, version), counts);
      }
    }
    this.#rows = rows;
    this.#requestsToTell = requestsToTell;
  }

  get requests(): number {
    return this.#requests;
  }

  /** Requests after which the connection had to be closed. */
  get refused(): number {
    return this.#refused;
  }

  sent(expectation: Expectation): void {
    if (expectation.kind === "close") {
      this.#refused += 1;
      return;
    }
    this.#requests += 1;
    const row = this.#rows.get(nameOf(expectation.apiKey, expectation.version));
    if (row !== undefined) row.requests += 1;
  }

  replied(name: string, { errorCodes }: Pick<CheckedReply, "errorCodes">): void {
    const row = this.#rows.get(name);
    if (row === undefined) return;
    row.answers += 1;
    if (errorCodes.every((code) => code === 0)) row.withoutError += 1;
    for (const code of errorCodes) row.codes.set(code, (row.codes.get(code) ?? 0) + 1);
  }

  table(): readonly string[] {
    const rows = [...this.#rows].map(([name, row]) => {
      const share = ((100 * row.withoutError) / Math.max(1, row.answers)).toFixed(0);
      const codes = [...row.codes.keys()]
        .sort((a, b) => a - b)
        .map((code) => kafkaError(code).name);
      const counts = `${String(row.requests).padStart(7)} ${String(row.answers).padStart(7)}`;
      return `${name.padEnd(28)} ${counts} ${share.padStart(5)} %  ${codes.join(" ")}`;
    });
    return [`${"API".padEnd(28)} requests answers  no error  error codes`, ...rows];
  }

  missing(): readonly string[] {
    if (this.#requests < this.#requestsToTell) return [];
    return [...this.#rows].flatMap(([name, { answers, apiKey, codes, withoutError }]) => {
      if (answers === 0) return [`${name} was never answered`];
      const refusal = refusals.get(apiKey);
      if (refusal !== undefined) {
        const isMet = codes.has(refusal);
        return isMet ? [] : [`${name} was never answered with ${kafkaError(refusal).name}`];
      }
      return withoutError === 0 ? [`${name} was never answered without an error`] : [];
    });
  }
}
