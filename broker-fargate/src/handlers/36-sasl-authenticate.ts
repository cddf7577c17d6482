/**
 * SaslAuthenticate v0–v2 (KIP-152): one token of the exchange that SaslHandshake began, and the
 * answer to it; with the time for which the authentication holds from v1 on (KIP-368).
 *
 * What fails is answered after a delay, with a sentence that does not tell whether the user exists,
 * and ends the connection.
 */
import {
  ApiKey,
  ErrorCode,
  type SaslAuthenticateRequest,
  type SaslAuthenticateResponseInput,
} from "@millrace/wire";
import type { AuthenticateOutcome, Handler } from "./handler.ts";

const noSasl: AuthenticateOutcome = {
  kind: "illegal",
  // As on Kafka's listeners without SASL, where everybody counts as authenticated.
  message: "SaslAuthenticate request received after successful authentication",
};
const noBytes = new Uint8Array(0);

export function saslAuthenticateHandler(): Handler<
  SaslAuthenticateRequest,
  SaslAuthenticateResponseInput
> {
  return {
    apiKey: ApiKey.SaslAuthenticate,
    versions: { min: 0, max: 2 },
    handle: async ({ authBytes }, { connection }) => {
      const outcome = (await connection.sasl?.authenticate(authBytes)) ?? noSasl;
      switch (outcome.kind) {
        case "continue":
          return { errorCode: ErrorCode.NONE, errorMessage: "", authBytes: outcome.token };
        case "authenticated":
          return {
            errorCode: ErrorCode.NONE,
            errorMessage: "",
            authBytes: outcome.token,
            sessionLifetimeMs: outcome.sessionLifetimeMs,
          };
        case "failed":
          return refusal(ErrorCode.SASL_AUTHENTICATION_FAILED, outcome.message);
        case "illegal":
          return refusal(ErrorCode.ILLEGAL_SASL_STATE, outcome.message);
      }
    },
  };
}

function refusal(errorCode: number, errorMessage: string): SaslAuthenticateResponseInput {
  return { errorCode, errorMessage, authBytes: noBytes };
}
