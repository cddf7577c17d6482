import { describe, expect, it } from "vitest";
import { ErrorCode, kafkaError, kafkaErrors } from "./errors.ts";

describe("the table of errors", () => {
  it("has every code from -1 up, once and in order", () => {
    expect(kafkaErrors.map(({ code }) => code)).toEqual(kafkaErrors.map((_, index) => index - 1));
    expect(ErrorCode.UNKNOWN_SERVER_ERROR).toBe(-1);
    expect(ErrorCode.CONTROLLER_ID_NOT_REGISTERED).toBe(kafkaErrors.length - 2);
  });

  it("says something about every error but none", () => {
    const silent = kafkaErrors.filter(({ message }) => message === "");
    expect(silent.map(({ name }) => name)).toEqual(["NONE"]);
  });

  it("finds an error by its code, and calls an unknown code an unknown error", () => {
    expect(kafkaError(3).name).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    expect(kafkaError(3).retriable).toBe(true);
    expect(kafkaError(32_000).name).toBe("UNKNOWN_SERVER_ERROR");
  });
});
