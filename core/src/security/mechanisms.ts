import type { HashName } from "../ports/hashing.ts";

/** The SASL mechanisms that are served, by their IANA names. */
export type SaslMechanism = "PLAIN" | ScramMechanism;
export type ScramMechanism = "SCRAM-SHA-256" | "SCRAM-SHA-512";

export const saslMechanisms: readonly SaslMechanism[] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];
export const scramMechanisms: readonly ScramMechanism[] = ["SCRAM-SHA-256", "SCRAM-SHA-512"];

interface ScramTraits {
  readonly hash: HashName;
  readonly hashBytes: number;
  /** What Kafka's requests call it (KIP-554). */
  readonly code: number;
}

export const scramTraits: Readonly<Record<ScramMechanism, ScramTraits>> = {
  "SCRAM-SHA-256": { hash: "SHA-256", hashBytes: 32, code: 1 },
  "SCRAM-SHA-512": { hash: "SHA-512", hashBytes: 64, code: 2 },
};

export function isSaslMechanism(name: string): name is SaslMechanism {
  return (saslMechanisms as readonly string[]).includes(name);
}

/** `undefined`: the code is of no mechanism. */
export function scramMechanismOf(code: number): ScramMechanism | undefined {
  return scramMechanisms.find((mechanism) => scramTraits[mechanism].code === code);
}

/** The credential that a login by the mechanism rests on. */
export function credentialMechanism(mechanism: SaslMechanism): ScramMechanism {
  return mechanism === "PLAIN" ? "SCRAM-SHA-512" : mechanism;
}
