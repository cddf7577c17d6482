import { randomBytes } from "node:crypto";
import { S3ObjectStore } from "@millrace/adapter-aws";
import { crc32c, SystemClock, SystemRandom } from "@millrace/adapter-node";
import type { ObjectStore } from "@millrace/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ObjectStoreSubject, objectStoreContract } from "../object-store-contract.ts";
import type { StandIn } from "../stand-in.ts";
import { startMoto } from "./moto-server.ts";

const bucket = "contract";
let server: StandIn | undefined;

beforeAll(async () => {
  // The server takes any; the SDK looks for some.
  process.env["AWS_ACCESS_KEY_ID"] = "nobody";
  process.env["AWS_SECRET_ACCESS_KEY"] = "nothing";
  server = await startMoto();
  await ask("PUT", "");
}, 900_000);

afterAll(async () => {
  await server?.stop();
});

/** Asks the server about the bucket itself, which wants no signature. */
async function ask(method: "GET" | "PUT", query: string): Promise<string> {
  const response = await fetch(`${server?.endpoint}/${bucket}${query}`, { method });
  const text = await response.text();
  if (!response.ok) throw new Error(`moto said ${response.status}: ${text}`);
  return text;
}

function openStore(prefix: string): Promise<S3ObjectStore> {
  return S3ObjectStore.open({
    bucket,
    prefix,
    endpoint: server?.endpoint ?? "",
    addressing: "path",
    clock: new SystemClock(),
    random: new SystemRandom(),
    crc32c,
  });
}

/** Each store has a prefix of its own in the one bucket. */
function s3(): ObjectStoreSubject {
  const prefixes = new Map<ObjectStore, string>();
  const open = async (prefix: string): Promise<ObjectStore> => {
    const store = await openStore(prefix);
    prefixes.set(store, prefix);
    return store;
  };
  return {
    name: "S3, as moto serves it",
    open: () => open(`run/${randomBytes(8).toString("hex")}`),
    reopen: async (store) => {
      await store.close();
      return open(prefixes.get(store) ?? "");
    },
    cleanUp: async () => {
      for (const store of prefixes.keys()) await store.close();
      prefixes.clear();
    },
  };
}

objectStoreContract(s3());

it("leaves no upload in parts behind, whether its object was stored or was there", async () => {
  const store = await openStore("uploads");
  const body = randomBytes(20_000_000);
  expect(await store.putIfAbsent("large", [body])).toBe("stored");
  expect(await store.putIfAbsent("large", [body])).toBe("exists");
  const uploads = await ask("GET", "?uploads");
  expect(uploads).toContain("ListMultipartUploadsResult");
  expect(uploads).not.toContain("<Upload>");
  await store.close();
});

it("keeps to its prefix", async () => {
  const [one, other] = [await openStore("one"), await openStore("one-more")];
  await one.putIfAbsent("a", []);
  await other.putIfAbsent("b", []);
  expect(await one.list({ prefix: "", limit: 9 })).toEqual({ objects: [{ key: "a", bytes: 0 }] });
  expect(await other.readRange("a", { from: 0, bytes: 1 })).toBeUndefined();
  await Promise.all([one.close(), other.close()]);
});

it("is not opened while a rule of the bucket would delete its objects by their age", async () => {
  const rule =
    "<Rule><ID>tidy</ID><Filter><Prefix>ruled/</Prefix></Filter><Status>Enabled</Status>" +
    "<Expiration><Days>7</Days></Expiration></Rule>";
  const body = `<LifecycleConfiguration>${rule}</LifecycleConfiguration>`;
  const place = `${server?.endpoint}/${bucket}?lifecycle`;
  expect((await fetch(place, { method: "PUT", body })).ok).toBe(true);
  await expect(openStore("ruled")).rejects.toThrow(/away: tidy/u);
  await (await openStore("others")).close();
  expect((await fetch(place, { method: "DELETE" })).ok).toBe(true);
  await (await openStore("ruled")).close();
});
