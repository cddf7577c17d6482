import { describe, expect, it } from "vitest";
import {
  apiFields,
  authorizerFields,
  environmentOf,
  provisionerFields,
  readEnvironment,
  variableName,
} from "./environment.ts";

describe("the functions' environment", () => {
  it("is read as it was set, the empty ones too", () => {
    const values = { controlTable: "t", tablePrefix: "millrace-", logLevel: "" };
    const set = environmentOf(apiFields, values);
    expect(set).toEqual({
      MILLRACE_CONTROL_TABLE: "t",
      MILLRACE_TABLE_PREFIX: "millrace-",
      MILLRACE_LOG_LEVEL: "",
    });
    expect(readEnvironment(apiFields, set)).toEqual(values);
  });

  it("says in one message all that is missing, and what it is for", () => {
    const read = (): unknown => readEnvironment(apiFields, { MILLRACE_LOG_LEVEL: "info" });
    expect(read).toThrow(/MILLRACE_CONTROL_TABLE: the table of clusters.*\nMILLRACE_TABLE_PREFIX/u);
  });

  it("has each variable once, and Lambda sets the region itself", () => {
    const fields = [...new Set([...apiFields, ...authorizerFields, ...provisionerFields])];
    const names = fields.map(variableName);
    expect(new Set(names).size).toBe(fields.length);
    expect(names.filter((name) => !name.startsWith("MILLRACE_"))).toEqual([]);
    expect(variableName("region")).toBe("AWS_REGION");
  });
});
