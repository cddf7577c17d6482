import { keys } from "@millrace/core";
import {
  ApiKey,
  ErrorCode,
  Reader,
  requestDecoders,
  requestEncoders,
  responseDecoders,
  responseEncoders,
  type UpdateFeaturesRequestInput,
  type UpdateFeaturesResponse,
  Writer,
} from "@millrace/wire";
import { describe, expect, it } from "vitest";
import { type AdminTest, openAdminTest } from "../../../test/fixtures/admin-client.ts";
import { updateFeaturesHandler } from "./57-update-features.ts";

const feature = "millrace.version";
const type = { unknown: 0, upgrade: 1, safeDowngrade: 2, unsafeDowngrade: 3 } as const;
const versions = [0, 1, 2];

/** Over the bytes of the version, as a client does. */
async function update(
  { ask }: AdminTest,
  version: number,
  request: UpdateFeaturesRequestInput,
): Promise<UpdateFeaturesResponse> {
  const writer = new Writer();
  requestEncoders[ApiKey.UpdateFeatures](writer, version, request);
  const reader = new Reader(writer.finishBytes());
  const decoded = requestDecoders[ApiKey.UpdateFeatures](reader, version);
  const answer = await ask(updateFeaturesHandler, decoded, version);
  const reply = new Writer();
  responseEncoders[ApiKey.UpdateFeatures](reply, version, answer);
  return responseDecoders[ApiKey.UpdateFeatures](new Reader(reply.finishBytes()), version);
}

/** In the words of the version: 0 knows only whether lowering is allowed. */
function to(level: number, version: number, upgradeType: number): UpdateFeaturesRequestInput {
  const how = version === 0 ? { allowDowngrade: upgradeType !== type.upgrade } : { upgradeType };
  return { featureUpdates: [{ feature, maxVersionLevel: level, ...how }] };
}

function levelOf({ cluster }: AdminTest): number | undefined {
  return cluster.features.finalized.find(({ name }) => name === feature)?.maxVersionLevel;
}

describe("UpdateFeatures", () => {
  it.each(versions)("lowers and raises the level, and its epoch rises: v%i", async (version) => {
    const test = await openAdminTest();
    const lowered = await update(test, version, to(1, version, type.safeDowngrade));
    const results = version < 2 ? [{ feature, errorCode: 0, errorMessage: null }] : [];
    expect(lowered).toMatchObject({ errorCode: 0, errorMessage: null, results });
    expect([levelOf(test), test.cluster.features.finalizedEpoch]).toEqual([1, 2]);
    const stored = await test.memory.get(keys.leadership);
    expect(stored?.value["assignments"]).toMatchObject([{ firstSlot: 0, lastSlot: 1023 }]);
    expect((await test.memory.get(keys.version))?.value).toEqual({
      changed: [keys.features, keys.leadership],
    });
    const raised = await update(test, version, to(2, version, type.upgrade));
    expect(raised).toMatchObject({ errorCode: 0, results });
    expect([levelOf(test), test.cluster.features.finalizedEpoch]).toEqual([2, 3]);
    const after = await test.memory.get(keys.leadership);
    expect(after?.value["assignments"]).toMatchObject([{ slots: "0-1023" }]);
  });

  it("lowers by an unsafe downgrade as by a safe one", async () => {
    const test = await openAdminTest();
    await update(test, 1, to(1, 1, type.unsafeDowngrade));
    expect(levelOf(test)).toBe(1);
  });

  it.each(versions)(
    "answers for all features at once when one is refused: v%i",
    async (version) => {
      const test = await openAdminTest();
      const one = to(1, version, type.safeDowngrade).featureUpdates;
      const featureUpdates = [...one, { feature: "group.version", maxVersionLevel: 1 }];
      const answer = await update(test, version, { featureUpdates });
      expect(answer).toMatchObject({ errorCode: ErrorCode.INVALID_UPDATE_VERSION, results: [] });
      expect(answer.errorMessage).toMatch(/group.version 1: the only feature is millrace.version/);
      expect([levelOf(test), test.cluster.features.finalizedEpoch]).toEqual([2, 1]);
    },
  );

  it.each([
    [3, type.upgrade],
    [0, type.safeDowngrade],
    [-1, type.unsafeDowngrade],
    [1, type.upgrade],
    [2, type.unknown],
    [2, 9],
  ])("refuses level %i by upgrade type %i", async (level, upgradeType) => {
    const test = await openAdminTest();
    const answer = await update(test, 2, to(level, 2, upgradeType));
    expect(answer.errorCode).toBe(ErrorCode.INVALID_UPDATE_VERSION);
    expect(levelOf(test)).toBe(2);
  });

  it("does nothing when nothing is asked, or only whether it would be done", async () => {
    const test = await openAdminTest();
    expect(await update(test, 2, { featureUpdates: [] })).toMatchObject({ errorCode: 0 });
    const ask = { ...to(1, 1, type.safeDowngrade), validateOnly: true };
    expect(await update(test, 1, ask)).toMatchObject({ errorCode: 0, results: [{ feature }] });
    expect(await update(test, 1, { ...to(1, 1, type.upgrade), validateOnly: true })).toMatchObject({
      errorCode: ErrorCode.INVALID_UPDATE_VERSION,
    });
    expect(test.cluster.features.finalizedEpoch).toBe(1);
  });

  it("says that it does not know when the store does not answer", async () => {
    const test = await openAdminTest();
    test.store.rates = { perThousand: { throttled: 1000 } };
    const answer = await update(test, 2, to(1, 2, type.safeDowngrade));
    expect(answer.errorCode).toBe(ErrorCode.REQUEST_TIMED_OUT);
  });

  it("quotes no more than the start of a very long name", async () => {
    const test = await openAdminTest();
    const featureUpdates = [{ feature: "x".repeat(30_000), maxVersionLevel: 1 }];
    const { errorMessage } = await update(test, 2, { featureUpdates });
    expect(errorMessage?.length).toBeLessThan(2_000);
  });
});
