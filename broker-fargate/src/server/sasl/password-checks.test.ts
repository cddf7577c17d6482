import { inlineHashing, SeededRandom } from "@millrace/adapter-memory";
import {
  type Credential,
  type Hashing,
  scramKeys,
  scramMechanisms,
  stretched,
} from "@millrace/core";
import { beforeAll, describe, expect, it } from "vitest";
import { HandClock, settled } from "../fixtures.ts";
import {
  stretchesInFlightMax,
  stretchesWaitingMax,
  verifiedLoginMsMax,
  verifiedLoginsMax,
} from "./limits.ts";
import { PasswordChecks } from "./password-checks.ts";

let credential: Credential;

async function credentialOf(password: string): Promise<Credential> {
  const secret = { password, salt: Uint8Array.of(1, 2), iterations: 4096 };
  const saltedPassword = await stretched(inlineHashing, "SCRAM-SHA-512", secret);
  const keys = scramKeys(inlineHashing, "SCRAM-SHA-512", { ...secret, saltedPassword });
  return { keys, stamp: "s" };
}

beforeAll(async () => {
  credential = await credentialOf("pw");
});

/** Stretches are answered by hand. */
function checks(hashing: Partial<Hashing> = {}) {
  const clock = new HandClock();
  let stretches = 0;
  const counted: Hashing = {
    ...inlineHashing,
    stretch: (name, secret) => {
      stretches += 1;
      return inlineHashing.stretch(name, secret);
    },
    ...hashing,
  };
  const passwords = new PasswordChecks({ hashing: counted, clock, random: new SeededRandom(3) });
  return { clock, passwords, stretches: () => stretches };
}

describe("a password of PLAIN", () => {
  it("is right or wrong, and takes PBKDF2 for who is not there, too", async () => {
    const { passwords, stretches } = checks();
    expect(await passwords.verify("a", "pw", credential)).toBe("right");
    expect(await passwords.verify("a", "no", credential)).toBe("wrong");
    expect(await passwords.verify("b", "pw", undefined)).toBe("wrong");
    expect(stretches()).toBe(3);
  });

  it("that was right is remembered for a short time, for this user and credential", async () => {
    const { clock, passwords, stretches } = checks();
    await passwords.verify("a", "pw", credential);
    expect(await passwords.verify("a", "pw", credential)).toBe("right");
    expect(stretches()).toBe(1);
    expect(await passwords.verify("a", "pw", await credentialOf("new"))).toBe("wrong");
    expect(await passwords.verify("b", "pw", undefined)).toBe("wrong");
    expect(stretches()).toBe(3);
    clock.advance(verifiedLoginMsMax);
    expect(await passwords.verify("a", "pw", credential)).toBe("right");
    expect(stretches()).toBe(4);
  });

  it("that was right is remembered for a bounded number of logins", async () => {
    const salted = new Uint8Array(64).fill(9);
    const { passwords } = checks({ stretch: () => Promise.resolve(salted) });
    const secret = { salt: Uint8Array.of(1), iterations: 4096, saltedPassword: salted };
    const keys = scramKeys(inlineHashing, "SCRAM-SHA-512", secret);
    for (let i = 0; i <= verifiedLoginsMax; i += 1) {
      await passwords.verify(`user-${i}`, "pw", { keys, stamp: "s" });
    }
    expect(passwords.remembered).toBe(verifiedLoginsMax);
  });

  it("waits for its turn while others are stretched, and is refused when too many wait", async () => {
    const pending: ((bytes: Uint8Array) => void)[] = [];
    const stretch = (): Promise<Uint8Array> => new Promise((resolve) => pending.push(resolve));
    const { passwords } = checks({ stretch });
    const logins = stretchesInFlightMax + stretchesWaitingMax;
    const verdicts = Array.from({ length: logins }, (_, i) =>
      passwords.verify(`user-${i}`, "pw", credential),
    );
    await settled();
    expect(pending.length).toBe(stretchesInFlightMax);
    expect(await passwords.verify("one-more", "pw", credential)).toBe("busy");
    while (pending.length > 0) {
      pending.shift()?.(new Uint8Array(64));
      await settled();
      expect(pending.length).toBeLessThanOrEqual(stretchesInFlightMax);
    }
    expect(new Set(await Promise.all(verdicts))).toEqual(new Set(["wrong"]));
  });

  it("of the configuration is compared as a whole", () => {
    const { passwords } = checks();
    expect(passwords.isSame("secret", "secret")).toBe(true);
    expect(passwords.isSame("secre", "secret")).toBe(false);
  });
});

it("every SCRAM mechanism has a hash of the size that it says", async () => {
  for (const mechanism of scramMechanisms) {
    const secret = { password: "x", salt: Uint8Array.of(1), iterations: 1 };
    const bytes = await stretched(inlineHashing, mechanism, secret);
    expect(bytes.length).toBe(mechanism === "SCRAM-SHA-256" ? 32 : 64);
  }
});
