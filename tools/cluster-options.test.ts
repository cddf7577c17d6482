import { describe, expect, it } from "vitest";
import { clusterPaths, readClusterCommand } from "./cluster-options.ts";

function runOptions(...args: readonly string[]): object {
  const command = readClusterCommand(args);
  if (command.kind !== "run") throw new Error(`it is ${command.kind}`);
  return command.options;
}

describe("the flags of a cluster", () => {
  it("make three brokers from port 9092 on, with everything below ./cluster-data", () => {
    expect(runOptions()).toEqual({
      ...{ directory: `${process.cwd()}/cluster-data`, brokers: 3, port: 9092 },
      ...{ httpPort: undefined, restarts: "none", settings: [] },
      ...{ metadata: undefined, objects: undefined },
    });
  });

  it("name what is shared elsewhere", () => {
    const found = runOptions(
      ...["--metadata", "dynamodb://table", "--metadata-endpoint", "http://127.0.0.1:8000"],
      ...["--objects", "s3://bucket/prefix", "--objects-region", "eu-west-1"],
    );
    expect(found).toMatchObject({
      metadata: { uri: "dynamodb://table", endpoint: "http://127.0.0.1:8000", region: undefined },
      objects: { uri: "s3://bucket/prefix", endpoint: undefined, region: "eu-west-1" },
    });
  });

  it("ask something of a cluster that runs", () => {
    expect(readClusterCommand(["--data", "/tmp/x", "--drain", "2"])).toEqual({
      ...{ kind: "ask", directory: "/tmp/x", asked: { what: "drain", broker: 2 } },
    });
    expect(readClusterCommand(["--add"])).toMatchObject({ asked: { what: "add" } });
    expect(readClusterCommand(["--help"])).toEqual({ kind: "help" });
  });

  it.each([
    [["--brokers", "0"], "--brokers 0 is not a number from 1 to 64"],
    [["--brokers", "three"], "--brokers three is not"],
    [["--port", "70000"], "--port 70000 is not"],
    [["--http-port", "9100"], "nearer than 64"],
    [["--broker", "3"], "Unknown option '--broker'"],
    [["--set", "nothing"], "--set nothing is not KEY=VALUE"],
    [["--metadata", "lmdb"], "--metadata lmdb is not like dynamodb://TABLE"],
    [["--objects-endpoint", "http://x"], "--objects-endpoint needs --objects"],
    [["--metadata-region", "eu"], "--metadata-region needs --metadata"],
    [["--objects", "s3://b", "--objects-endpoint", "x"], "--objects-endpoint x is not a URL"],
    [["--add", "--stop"], "one at a time"],
    [["--add", "--brokers", "3"], "--brokers is for the start of a cluster"],
    [["--drain", "no"], "--drain no is not a number"],
  ])("that make no sense are refused by name: %j", (args, message) => {
    expect(() => readClusterCommand(args)).toThrow(message);
  });

  it("whose directory has no room for a socket are refused", () => {
    expect(() => clusterPaths(`/${"d".repeat(100)}`)).toThrow("take a shorter --data");
    expect(clusterPaths("/d").metadataSocket).toBe("/d/metadata.sock");
  });
});
