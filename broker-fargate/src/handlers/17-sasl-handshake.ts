/**
 * SaslHandshake v0–v1 (KIP-43): the client chooses a mechanism, and is told which there are. After
 * v1 its tokens come in SaslAuthenticate; after v0 bare.
 *
 * An unserved mechanism is answered after a delay, and ends the connection. On a listener without
 * SASL, and within a second of the last authentication, there is nothing to begin.
 */
import {
  ApiKey,
  ErrorCode,
  type SaslHandshakeRequest,
  type SaslHandshakeResponseInput,
} from "@millrace/wire";
import type { Handler } from "./handler.ts";

const illegal: SaslHandshakeResponseInput = {
  errorCode: ErrorCode.ILLEGAL_SASL_STATE,
  mechanisms: [],
};

export function saslHandshakeHandler(): Handler<SaslHandshakeRequest, SaslHandshakeResponseInput> {
  return {
    apiKey: ApiKey.SaslHandshake,
    versions: { min: 0, max: 1 },
    handle: async ({ mechanism }, { apiVersion, connection }) => {
      const outcome = await connection.sasl?.handshake(mechanism, apiVersion);
      switch (outcome?.kind) {
        case "accepted":
          return { errorCode: ErrorCode.NONE, mechanisms: outcome.mechanisms };
        case "unsupported":
          return {
            errorCode: ErrorCode.UNSUPPORTED_SASL_MECHANISM,
            mechanisms: outcome.mechanisms,
          };
        case "illegal":
        case undefined:
          return illegal;
      }
    },
  };
}
