import { describe, expect, test } from "vitest";
import {
  compareTranscripts,
  type Exception,
  normalise,
  parseExceptions,
  scenariosOf,
  staleExceptions,
} from "./compare.ts";

const created = '{"at":"topics/create","error":"NONE","partitions":3}';
const duplicate = '{"at":"topics/create-duplicate","error":"TOPIC_ALREADY_EXISTS"}';
const produced = '{"at":"records/offsets","offsets":[0,1,2]}';
const kafka = [created, duplicate, produced];

function compare(millrace: readonly string[], exceptions: readonly Exception[] = []) {
  return compareTranscripts({ kafka, millrace }, exceptions);
}

describe("the comparison of two transcripts", () => {
  test("equal transcripts have no difference, whatever the order of their keys", () => {
    const reordered = ['{"partitions":3,"error":"NONE","at":"topics/create"}', duplicate, produced];
    expect(compare(reordered)).toEqual({ compared: 3, differences: [], used: [] });
  });

  test("a changed offset is reported with both sides", () => {
    const { differences } = compare([
      created,
      duplicate,
      '{"at":"records/offsets","offsets":[0,1,3]}',
    ]);
    expect(differences).toEqual([
      { at: "records/offsets", kafka: { offsets: [0, 1, 2] }, millrace: { offsets: [0, 1, 3] } },
    ]);
  });

  test("a changed error code is reported", () => {
    const { differences } = compare([
      created,
      '{"at":"topics/create-duplicate","error":"NONE"}',
      produced,
    ]);
    expect(differences.map(({ at }) => at)).toEqual(["topics/create-duplicate"]);
  });

  test("a missing line and an additional line are reported", () => {
    const { differences } = compare([created, produced, produced]);
    expect(differences).toEqual([
      { at: "topics/create-duplicate", kafka: { error: "TOPIC_ALREADY_EXISTS" }, millrace: null },
      { at: "records/offsets", kafka: null, millrace: { offsets: [0, 1, 2] } },
    ]);
  });

  test("lines of one step are compared in their order", () => {
    const transcripts = {
      kafka: ['{"at":"records/polled","offset":0}', '{"at":"records/polled","offset":1}'],
      millrace: ['{"at":"records/polled","offset":1}', '{"at":"records/polled","offset":0}'],
    };
    expect(compareTranscripts(transcripts, []).differences).toHaveLength(2);
  });
});

describe("exceptions", () => {
  const allowed: Exception = {
    program: "java",
    at: "topics/create-duplicate",
    kafka: { error: "TOPIC_ALREADY_EXISTS" },
    millrace: { error: "NONE" },
    reason: "for this test",
  };
  const differing = [created, '{"at":"topics/create-duplicate","error":"NONE"}', produced];

  test("a stated difference passes and its exception is used", () => {
    expect(compare(differing, [allowed])).toEqual({
      compared: 3,
      differences: [],
      used: [allowed],
    });
  });

  test("an exception covers only what it states: another answer at the same step is reported", () => {
    const other = [
      created,
      '{"at":"topics/create-duplicate","error":"UNKNOWN_SERVER_ERROR"}',
      produced,
    ];
    expect(compare(other, [allowed]).differences).toHaveLength(1);
  });

  test("an exception that nothing needed is stale, as is one of a program that there is not", () => {
    const used = new Set(compare(kafka, [allowed]).used);
    const stale = (judged: readonly string[], known: readonly string[]) =>
      staleExceptions([allowed], used, { judged, known });
    expect(stale(["java"], ["java", "go"])).toEqual([allowed]);
    expect(stale(["go"], ["go"])).toEqual([allowed]);
    expect(stale(["go"], ["java", "go"])).toEqual([]);
  });

  test("an exception that was needed is not stale", () => {
    const used = new Set(compare(differing, [allowed]).used);
    expect(staleExceptions([allowed], used, { judged: ["java"], known: ["java"] })).toEqual([]);
  });

  test("an entry without a reason is refused", () => {
    expect(() => parseExceptions('[{"program":"java","at":"a/b","reason":" "}]')).toThrow(
      "no reason",
    );
    expect(() => parseExceptions('[{"program":"java","at":"a/b"}]')).toThrow("are strings");
  });
});

describe("normalisation", () => {
  test("replaces the run's prefix and port, and keeps everything else", () => {
    const output =
      '{"at":"topics/list","topics":["p1-a"],"host":"127.0.0.1:4711","offset":4711}\n\n';
    expect(normalise(output, { prefix: "p1-", port: 4711 })).toEqual([
      '{"at":"topics/list","topics":["~a"],"host":"127.0.0.1:PORT","offset":4711}',
    ]);
  });

  test("refuses output that is no transcript, so that a program's noise can't pass as equal", () => {
    expect(() => normalise("Exception in thread main", { prefix: "p-", port: 1 })).toThrow(
      "not a line",
    );
    expect(() => normalise('{"error":"NONE"}', { prefix: "p-", port: 1 })).toThrow('without "at"');
  });

  test("names the scenarios that a transcript covers", () => {
    expect([...scenariosOf(kafka)]).toEqual(["topics", "records"]);
  });
});
