import { describe, expect, test } from "vitest";
import { environmentEntries, type Options, readOptions, UsageError } from "./options.ts";

function read(args: readonly string[], file = "", environment = {}): Options {
  const options = readOptions({ args, environment, readFile: () => file });
  if (options === "help") throw new Error("asked for help");
  return options;
}

describe("the broker's options", () => {
  test("without any flag the data lies in ./data and nothing is configured", () => {
    expect(read([])).toMatchObject({ dataDirectory: "data", http: "on" });
    expect(Object.fromEntries(read([]).entries)).toEqual({
      listeners: "PLAINTEXT://127.0.0.1:9092",
      "log.dirs": "data",
    });
  });

  test("a flag wins over the environment, and that over the file", () => {
    const file = "num.partitions=1\nlog.retention.ms=1\nmessage.max.bytes = 10";
    const environment = { KAFKA_NUM_PARTITIONS: "2", KAFKA_LOG_RETENTION_MS: "2" };
    const options = read(["--config", "x", "--set", "num.partitions=3"], file, environment);
    expect(Object.fromEntries(options.entries)).toMatchObject({
      "num.partitions": "3",
      "log.retention.ms": "2",
      "message.max.bytes": "10",
    });
  });

  test("environment names map as the apache/kafka image maps them", () => {
    expect(environmentEntries({ KAFKA_A_B: "1", KAFKA_C__D: "2", KAFKA_E___F: "3" })).toEqual([
      ["a.b", "1"],
      ["c_d", "2"],
      ["e-f", "3"],
    ]);
    expect(environmentEntries({ KAFKA_HEAP_OPTS: "-Xmx1g", PATH: "/bin" })).toEqual([]);
  });

  test("--port replaces the port of the listener that the file names", () => {
    const options = read(["--config", "x", "--port", "0"], "listeners=PLAINTEXT://10.0.0.1:9092");
    expect(options.entries.get("listeners")).toBe("PLAINTEXT://10.0.0.1:0");
    expect(read(["--http-port", "0"]).entries.get("millrace.http.port")).toBe("0");
    expect(read(["--http-port", "off"]).http).toBe("off");
    expect(read(["--port", "1234"]).entries.get("listeners")).toBe("PLAINTEXT://127.0.0.1:1234");
  });

  test("what can't be understood is named", () => {
    expect(() => read(["--port", "70000"])).toThrow(UsageError);
    expect(() => read(["--set", "nothing"])).toThrow(/KEY=VALUE/);
    expect(() => read(["--frobnicate"])).toThrow(/frobnicate/);
    const delayed = (ms: string) => read([], "", { MILLRACE_TEST_OBJECT_READ_DELAY_MS: ms });
    expect(delayed("30").objectReadDelayMs).toBe(30);
    expect(() => delayed("soon")).toThrow(/wants 0 to 60000 milliseconds/);
    expect(() =>
      readOptions({
        args: ["--config", "gone"],
        environment: {},
        readFile: () => {
          throw new Error("ENOENT");
        },
      }),
    ).toThrow(/gone can't be read/);
  });
});
