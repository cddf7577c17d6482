import {
  AuthenticationError as TransportAuthenticationError,
  MultipleErrors,
  NetworkError,
  ProtocolError,
  TimeoutError,
  UserError,
} from "@platformatic/kafka";
import { expect, test } from "vitest";
import { BrokerError, MillraceError } from "../../errors.ts";
import { brokerError, toMillraceError } from "./failures.ts";

test.for([
  [3, "UNKNOWN_TOPIC_OR_PARTITION", true],
  [36, "TOPIC_ALREADY_EXISTS", false],
  [-1, "UNKNOWN_SERVER_ERROR", false],
  [9_999, "UNKNOWN_SERVER_ERROR", false],
] as const)("error %d of a broker is %s", ([number, code, retriable]) => {
  expect(brokerError(number)).toMatchObject({ name: "BrokerError", code, retriable });
});

test("no error is none, and a broker's own words are kept", () => {
  expect(brokerError(0)).toBeUndefined();
  expect(brokerError(40, "segment.bytes is 3")?.message).toBe("segment.bytes is 3");
});

const refusedLogin = new NetworkError("failed", {
  cause: new TransportAuthenticationError("SASL authentication failed.", {
    cause: new ProtocolError("SASL_AUTHENTICATION_FAILED", "invalid credentials"),
  }),
});

test.for([
  [refusedLogin, "AuthenticationError", "SASL_AUTHENTICATION_FAILED", false],
  [
    new MultipleErrors("all", [refusedLogin]),
    "AuthenticationError",
    "SASL_AUTHENTICATION_FAILED",
    false,
  ],
  [new TimeoutError("late"), "ConnectionError", "REQUEST_TIMED_OUT", true],
  [new NetworkError("gone"), "ConnectionError", "CONNECTION_FAILED", true],
  [new UserError("no such thing"), "MillraceError", "INVALID_ARGUMENT", false],
  [new TypeError("undefined is not …"), "MillraceError", "INVALID_RESPONSE", false],
  ["text", "MillraceError", "INVALID_RESPONSE", false],
] as const)("%s of the transport is a %s", ([error, name, code, retriable]) => {
  const failure = toMillraceError(error);
  expect(failure).toMatchObject({ name, code, retriable });
  expect(failure).toBeInstanceOf(MillraceError);
});

test("an error of the SDK stays what it is", () => {
  const error = new BrokerError({ code: "X", message: "x", retriable: true });
  expect(toMillraceError(error)).toBe(error);
});
