import { describe, expect, it } from "vitest";
import { DecodeError } from "./codec/errors.ts";
import { Reader } from "./codec/reader.ts";
import { Writer } from "./codec/writer.ts";
import { ApiKey, apis } from "./generated/apis.ts";
import {
  requestDecoders,
  requestEncoders,
  responseDecoders,
  responseEncoders,
} from "./generated/codecs.ts";
import * as protocol from "./protocol.ts";

describe("the protocol", () => {
  it("answers ApiVersions with the plain header in every version", () => {
    const api = apis[ApiKey.ApiVersions];
    expect(protocol.responseHeaderVersion(api, 0)).toBe(0);
    expect(protocol.responseHeaderVersion(api, 4)).toBe(0);
    expect(protocol.requestHeaderVersion(api, 4)).toBe(2);
  });

  it("does not advertise a version that is not final", () => {
    const { latestStableVersion, maxVersion } = apis[ApiKey.InitProducerId];
    expect([latestStableVersion, maxVersion]).toEqual([5, 6]);
  });

  it("reads and writes both headers of requests", () => {
    for (const requestApiVersion of [8, 9]) {
      const writer = new Writer();
      const header = {
        requestApiKey: ApiKey.Metadata,
        requestApiVersion,
        correlationId: 7,
        clientId: "größe",
      };
      protocol.encodeRequestHeader(writer, header);
      const reader = new Reader(writer.finishBytes());
      expect(protocol.peekRequestKind(reader)).toEqual({
        apiKey: 3,
        apiVersion: requestApiVersion,
      });
      expect(protocol.decodeRequestHeader(reader)).toEqual(header);
      reader.expectEnd();
    }
  });

  it("reads the header of an ApiVersions request from a client of tomorrow", () => {
    const bytes = Uint8Array.from([0, 18, 0, 99, 0, 0, 0, 5, 0, 1, 0x61, 0]);
    const header = protocol.decodeRequestHeader(new Reader(bytes));
    expect(header).toMatchObject({ requestApiVersion: 99, correlationId: 5, clientId: "a" });
  });

  it("knows which numbers are APIs of a broker", () => {
    expect(protocol.apiOf(0)?.name).toBe("Produce");
    expect(protocol.apiOf(4)).toBeNull();
    expect(protocol.apiOf(-1)).toBeNull();
    expect(protocol.isApiKey(1_000)).toBe(false);
    expect(protocol.hasVersion(apis[0], 2)).toBe(false);
    expect(protocol.hasVersion(apis[0], 13)).toBe(true);
    expect(() => protocol.decodeRequestHeader(new Reader(new Uint8Array(3)))).toThrow(DecodeError);
  });

  it("finds the codecs of every API by its number", () => {
    for (const { key } of Object.values(apis)) {
      for (const table of [requestDecoders, requestEncoders, responseDecoders, responseEncoders]) {
        expect(table[key]).toBeTypeOf("function");
      }
    }
  });

  it("writes the response's header before the response", () => {
    const writer = new Writer();
    const api = apis[ApiKey.Heartbeat];
    protocol.encodeResponseHeader(writer, { api, apiVersion: 4, correlationId: 9 });
    responseEncoders[ApiKey.Heartbeat](writer, 4, { errorCode: 27 });
    expect([...writer.finishBytes()]).toEqual([0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 27, 0]);
  });
});
