import { atLeast, type ConfigDefinition, key, oneOf, someOf } from "./definition.ts";

const perListener = "Before it may stand listener.name.{name in small letters}.";

/**
 * Authentication and encryption of listeners. Each of these may also be set for one listener, as
 * `listener.name.{name}.{key}`; see `core/src/security/listener-security.ts`.
 */
export const securityConfigs: readonly ConfigDefinition[] = [
  key("list", "sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512").says(
    `The mechanisms of listeners that authenticate by SASL; all that there are. ${perListener}`,
  ),
  key("int", "sasl.server.max.receive.size", 524_288, atLeast(1)).says(
    "The largest request of a client that has not authenticated; a larger one closes its connection.",
  ),
  key("long", "connections.max.reauth.ms", 0).says(
    "How long an authentication holds before the client has to authenticate again; 0: for ever. " +
      perListener,
  ),
  key("int", "connection.failed.authentication.delay.ms", 100, atLeast(0)).says(
    "How long a failed authentication is not answered.",
  ),
  key("string", "ssl.client.auth", "none", oneOf("none", "requested", "required")).says(
    "Whether clients of SSL listeners show a certificate; of SASL_SSL listeners only where it is set for the listener.",
  ),
  key("list", "ssl.enabled.protocols", "TLSv1.2,TLSv1.3", someOf("TLSv1.2", "TLSv1.3")).says(
    `The versions of TLS that are spoken. ${perListener}`,
  ),
  key("string", "ssl.keystore.type", "PEM").says(
    `The form of the key and its certificates; only PEM is read. ${perListener}`,
  ),
  key("string", "ssl.keystore.location", null).says(
    `A PEM file with the private key and the certificates of TLS listeners. ${perListener}`,
  ),
  key("password", "ssl.keystore.key", null).says(
    `The private key itself, PEM, instead of a file. ${perListener}`,
  ),
  key("password", "ssl.keystore.certificate.chain", null).says(
    `The certificates themselves, PEM, instead of a file. ${perListener}`,
  ),
  key("password", "ssl.key.password", null).says(
    `What the private key is encrypted with. ${perListener}`,
  ),
  key("string", "ssl.truststore.type", "PEM").says(
    `The form of trusted certificates; only PEM is read. ${perListener}`,
  ),
  key("string", "ssl.truststore.location", null).says(
    `A PEM file with the certificates that vouch for clients' own. ${perListener}`,
  ),
  key("password", "ssl.truststore.certificates", null).says(
    `These certificates themselves, PEM, instead of a file. ${perListener}`,
  ),
  key("string", "millrace.admin.user", null).says(
    "A user who is made at the start, with millrace.admin.password, if there is none of this name.",
  ),
  key("password", "millrace.admin.password", null).says(
    "The password that millrace.admin.user gets; it is never shown and never stored.",
  ),
  key("string", "super.users", "").says(
    "Who may change what users log in by: principals, separated by semicolons. None: millrace.admin.user, or everybody where there is none.",
  ),
];

/** Kafka's static users of PLAIN: only for a listener and a mechanism. */
export const jaasKey = "sasl.jaas.config";

const perListenerKeys: readonly string[] = [...securityConfigs.map(({ name }) => name), jaasKey];

/** The key of which this is a listener's own value, `listener.name.{name}.[{mechanism}.]{key}`. */
export function listenerKey(name: string): string | undefined {
  if (!name.startsWith("listener.name.")) return undefined;
  return perListenerKeys.find((candidate) => name.endsWith(`.${candidate}`));
}
