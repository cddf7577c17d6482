import { describe, expect, it } from "vitest";
import { brokerId, incarnationId } from "../ids.ts";
import {
  decideFeatureUpdates,
  type FeatureDecision,
  type FeatureSight,
} from "./feature-updates.ts";
import { initialFeatures, readFeatures } from "./features.ts";
import { rangedSlotsMax } from "./limits.ts";
import type { Member } from "./member.ts";

const name = "millrace.version";

function read(value: Parameters<typeof readFeatures>[0]["value"], version = 3): object {
  return readFeatures({ key: "features", version, value }, { min: 1, max: 2 });
}

describe("finalised features", () => {
  it("begin at the newest level of the version that makes the cluster", () => {
    expect(initialFeatures({ min: 1, max: 4 })).toEqual({ [name]: 4 });
  });

  it("are shown with their epoch, beside what this version supports", () => {
    expect(read({ [name]: 1 })).toEqual({
      features: {
        supported: [{ name, minVersion: 1, maxVersion: 2 }],
        finalizedEpoch: 3,
        finalized: [{ name, minVersionLevel: 1, maxVersionLevel: 1 }],
      },
      level: 1,
      fault: undefined,
    });
  });

  it("that this version does not cover are shown as they are, and say why it takes no slot", () => {
    expect(read({ [name]: 3 })).toMatchObject({
      features: { finalized: [{ maxVersionLevel: 3 }] },
      level: 3,
      fault: "millrace.version is finalised at 3; this version supports 1 to 2",
    });
    expect(read({})).toMatchObject({ level: 0, fault: expect.stringMatching(/at 0/) });
  });

  it("are not read from a damaged item", () => {
    expect(() => read({ [name]: "2" })).toThrow(/cannot be read/);
    expect(() => read({ [name]: 1.5 })).toThrow(/cannot be read/);
  });
});

const upgrade = { feature: name, direction: "upgrade" } as const;
const downgrade = { feature: name, direction: "downgrade" } as const;

function sight(more: Partial<FeatureSight> = {}): FeatureSight {
  return { level: 1, supported: { min: 1, max: 2 }, slots: 1024, members: [], ...more };
}

function member(id: number, min: number, max: number): Member {
  const incarnation = incarnationId(`${id}-${"ab".repeat(16)}`);
  const versions = { min, max };
  return { brokerId: brokerId(id), incarnation, state: "open", listeners: [], rack: "", versions };
}

const refused = (reason: "invalid" | "failed", message: RegExp): object => {
  return { kind: "refused", reason, message: expect.stringMatching(message) };
};

describe("an update of features", () => {
  const changed = (level: number): FeatureDecision => ({ kind: "changed", level });

  it("raises and lowers the level, each as it was asked for", () => {
    expect(decideFeatureUpdates(sight(), [{ ...upgrade, level: 2 }])).toEqual(changed(2));
    const high = sight({ level: 2 });
    expect(decideFeatureUpdates(high, [{ ...downgrade, level: 1 }])).toEqual(changed(1));
    const any = { feature: name, direction: "any" } as const;
    expect(decideFeatureUpdates(sight(), [{ ...any, level: 2 }])).toEqual(changed(2));
    expect(decideFeatureUpdates(high, [{ ...any, level: 1 }])).toEqual(changed(1));
  });

  it("to the level that it has changes nothing, whatever it was asked as", () => {
    for (const update of [upgrade, downgrade]) {
      const same = [{ ...update, level: 1 }];
      expect(decideFeatureUpdates(sight(), same)).toEqual({ kind: "unchanged" });
    }
    expect(decideFeatureUpdates(sight(), [])).toEqual({ kind: "unchanged" });
    const back = [
      { ...upgrade, level: 2 },
      { ...downgrade, level: 1 },
    ];
    expect(decideFeatureUpdates(sight(), back)).toEqual({ kind: "unchanged" });
  });

  it.each([
    ["another feature", { feature: "metadata.version", level: 1 }, /only feature/],
    ["a type that is not known", { direction: "unknown", level: 2 }, /type is not known/],
    ["a level that is too new", { level: 3 }, /supports 1 to 2/],
    ["no level at all", { level: 0, direction: "downgrade" }, /supports 1 to 2/],
    ["less than none", { level: -1, direction: "any" }, /supports 1 to 2/],
    ["raising as a downgrade", { level: 2, direction: "downgrade" }, /raising it is no downgrade/],
  ] as const)("is invalid with %s", (_, update, message) => {
    const asked = [
      { ...upgrade, level: 1 },
      { ...upgrade, ...update },
    ];
    expect(decideFeatureUpdates(sight(), asked)).toEqual(refused("invalid", message));
  });

  it("does not lower what is asked to be raised", () => {
    const decision = decideFeatureUpdates(sight({ level: 2 }), [{ ...upgrade, level: 1 }]);
    expect(decision).toEqual(refused("invalid", /asked for as a downgrade/));
  });

  it("fails while a member cannot work under the level, and names it with what it can", () => {
    const members = [member(1, 1, 2), member(4, 1, 1), member(7, 2, 3)];
    const raise = [{ ...upgrade, level: 2 }];
    expect(decideFeatureUpdates(sight({ members }), raise)).toEqual(
      refused("failed", /stays at 1: broker 4 \(supports 1\) cannot work under 2/),
    );
    const lower = [{ ...downgrade, level: 1 }];
    expect(decideFeatureUpdates(sight({ level: 2, members }), lower)).toEqual(
      refused("failed", /stays at 2: broker 7 \(supports 2 to 3\) cannot work under 1/),
    );
  });

  it("fails at a broker that does not know what is written at the present level", () => {
    const old = sight({ level: 2, supported: { min: 1, max: 1 } });
    expect(decideFeatureUpdates(old, [{ ...downgrade, level: 1 }])).toEqual(
      refused("failed", /ask another one/),
    );
  });

  it("does not lower below what several brokers have written of very many slots", () => {
    const lower = [{ ...downgrade, level: 1 }];
    const most = sight({ level: 2, slots: rangedSlotsMax });
    expect(decideFeatureUpdates(most, lower)).toEqual(changed(1));
    const more = { ...most, slots: rangedSlotsMax + 1 };
    expect(decideFeatureUpdates(more, lower)).toEqual(refused("failed", /may not fit/));
    expect(decideFeatureUpdates({ ...more, members: undefined }, lower)).toEqual(changed(1));
  });
});
