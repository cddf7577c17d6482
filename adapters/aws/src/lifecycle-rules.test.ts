import type { LifecycleRule } from "@aws-sdk/client-s3";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Answer, failing, impatient, ScriptedS3, silent, xml } from "./fixtures.ts";
import { LifecycleRuleError, rulesAgainst } from "./lifecycle-rules.ts";

const clusterId = "s0Brlm8ko_JMoWtV_c1qXw";
const expiring: LifecycleRule = { ID: "old", Status: "Enabled", Expiration: { Days: 30 } };

describe("lifecycle rules of a bucket", () => {
  it.each<[string, Partial<LifecycleRule>]>([
    ["of the whole bucket", {}],
    ["of what the prefix lies in", { Filter: { Prefix: "some/" } }],
    ["of the prefix", { Filter: { Prefix: "some/prefix/" } }],
    ["of a cluster", { Filter: { Prefix: `some/prefix/${clusterId}` } }],
    ["of a part of one", { Filter: { Prefix: `some/prefix/${clusterId}/journal/` } }],
    ["of its larger objects", { Filter: { And: { Prefix: "some/", ObjectSizeGreaterThan: 1 } } }],
    ["in the older form", { Prefix: "some" }],
    ["from a day on", { Expiration: { Date: new Date(0) } }],
  ])("take objects of a prefix away: %s", (_, rule) => {
    expect(rulesAgainst([{ ...expiring, ...rule }], "some/prefix/")).toEqual(["old"]);
  });

  it.each(["GLACIER", "DEEP_ARCHIVE"] as const)(
    "take objects out of reach, to %s",
    (StorageClass) => {
      const rule: LifecycleRule = { Status: "Enabled", Transitions: [{ Days: 9, StorageClass }] };
      expect(rulesAgainst([rule], "")).toEqual(["one without a name"]);
    },
  );

  it.each<[string, LifecycleRule]>([
    ["of another prefix", { ...expiring, Filter: { Prefix: "some/prefix2/" } }],
    ["that is off", { ...expiring, Status: "Disabled" }],
    ["of objects with a tag", { ...expiring, Filter: { Tag: { Key: "a", Value: "b" } } }],
    [
      "of versions before",
      { Status: "Enabled", NoncurrentVersionExpiration: { NoncurrentDays: 3 } },
    ],
    [
      "of what marks a deletion",
      { Status: "Enabled", Expiration: { ExpiredObjectDeleteMarker: true } },
    ],
    [
      "to what is read at once",
      { Status: "Enabled", Transitions: [{ StorageClass: "GLACIER_IR" }] },
    ],
    [
      "of uploads that nobody finished",
      { Status: "Enabled", AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 } },
    ],
  ])("leave objects alone: one %s", (_, rule) => {
    expect(rulesAgainst([rule], "some/prefix/")).toEqual([]);
  });

  it("leave objects alone of a bucket without a prefix, where they are of somebody's folder", () => {
    const ofFolder = { ...expiring, Filter: { Prefix: "logs/" } };
    expect(rulesAgainst([ofFolder], "")).toEqual([]);
    expect(rulesAgainst([expiring], "")).toEqual(["old"]);
  });
});

describe("a store that is opened", () => {
  let s3: ScriptedS3;

  beforeEach(async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", "nobody");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "nothing");
    s3 = await ScriptedS3.start();
  });

  afterEach(async () => {
    await s3.stop();
    vi.unstubAllEnvs();
  });

  const answering = (rule: string): Answer => {
    return (_, response) =>
      void response.end(xml("LifecycleConfiguration", `<Rule>${rule}</Rule>`));
  };
  const days = "<Expiration><Days>7</Days></Expiration><Status>Enabled</Status>";

  it("is refused, by the rule's name, where a rule takes its objects away", async () => {
    s3.answer = answering(`<ID>tidy</ID><Filter><Prefix>some/</Prefix></Filter>${days}`);
    const opening = s3.openStore({ rules: "checked" });
    await expect(opening).rejects.toThrow(LifecycleRuleError);
    await expect(opening).rejects.toThrow(/bucket bucket .*"some\/prefix\/" away: tidy/u);
    expect(s3.asked.map(({ method, query }) => `${method} ${[...query.keys()].join()}`)).toEqual([
      "GET lifecycle",
    ]);
  });

  it.each<[string, Answer]>([
    ["no rule does", answering(`<ID>x</ID><Filter><Prefix>other/</Prefix></Filter>${days}`)],
    ["there are no rules", failing(404, "NoSuchLifecycleConfiguration")],
    ["nobody may ask for rules", failing(403, "AccessDenied")],
    ["the server knows no rules", failing(501, "NotImplemented")],
    ["the server says something else", (_, response) => void response.end("<html>")],
  ])("is opened where %s", async (_, answer) => {
    s3.answer = answer;
    const store = await s3.openStore({ rules: "checked" });
    expect(s3.asked).toHaveLength(1);
    await store.close();
  });

  it("is opened where the server does not say in time what rules there are", async () => {
    s3.answer = silent;
    const store = await s3.openStore({ rules: "checked", clock: impatient });
    await store.close();
  });
});
