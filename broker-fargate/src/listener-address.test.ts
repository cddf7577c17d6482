import { describe, expect, test } from "vitest";
import { listenerAddresses, parseListener } from "./listener-address.ts";

describe("a listener's address", () => {
  test.each([
    ["PLAINTEXT://127.0.0.1:9092", { name: "PLAINTEXT", host: "127.0.0.1", port: 9092 }],
    ["PLAINTEXT://:0", { name: "PLAINTEXT", host: undefined, port: 0 }],
    [" PLAINTEXT://[::1]:9092 ", { name: "PLAINTEXT", host: "::1", port: 9092 }],
    [
      "PLAINTEXT_HOST://my-host.local:65535",
      { name: "PLAINTEXT_HOST", host: "my-host.local", port: 65_535 },
    ],
  ])("is read from %s", (text, address) => {
    expect(parseListener(text)).toEqual(address);
  });

  test.each(["9092", "PLAINTEXT://host", "PLAINTEXT://host:65536", "://host:1", ""])(
    "is not read from %j",
    (text) => {
      expect(parseListener(text)).toBeUndefined();
    },
  );
});

describe("the listeners of a broker", () => {
  test("are bound as listed, and advertised by their names", () => {
    const found = listenerAddresses({
      listeners: ["PLAINTEXT://:9092"],
      advertisedListeners: ["PLAINTEXT://broker.example:19092"],
    });
    expect(found).toMatchObject({ kind: "ok", bind: [{ host: undefined, port: 9092 }] });
    if (found.kind !== "ok") throw new Error(found.message);
    expect(found.advertised.get("PLAINTEXT")).toMatchObject({
      host: "broker.example",
      port: 19_092,
    });
  });

  test.each([
    [["SSL://:9092", "ssl://:9093"], [], /two listeners/],
    [["nonsense"], [], /listeners: "nonsense"/],
    [["PLAINTEXT://:9092"], ["PLAINTEXT://:9092"], /advertised\.listeners/],
  ])("are refused with a sentence: %j, %j", (listeners, advertisedListeners, message) => {
    const found = listenerAddresses({ listeners, advertisedListeners });
    expect(found.kind === "invalid" && found.message).toMatch(message);
  });
});
