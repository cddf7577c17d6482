import { epoch, MetadataError, ObjectError, slot } from "@millrace/core";
import { expect, it } from "vitest";
import { incarnation } from "./fixtures.ts";
import { CheckpointDamagedError } from "./former-checkpoints.ts";
import { forClaims } from "./open-tier.ts";

const source = { incarnation, epoch: epoch(1) };

it("lets a claim wait for the object store as for the metadata store", async () => {
  const away = new ObjectError("slow down", { retriable: true, applied: "no" });
  const asked = forClaims(() => Promise.reject(away))(source, slot(3));
  await expect(asked).rejects.toThrow(MetadataError);
  await expect(asked).rejects.toMatchObject({ retriable: true, applied: "no", cause: away });
});

it("refuses a claim whose checkpoints are damaged, and lets what is a bug through", async () => {
  const damaged = new CheckpointDamagedError("a checkpoint is missing");
  const asked = forClaims(() => Promise.reject(damaged))(source, slot(3));
  await expect(asked).rejects.toMatchObject({ retriable: false, cause: damaged });
  const bug = new RangeError("a bug");
  await expect(forClaims(() => Promise.reject(bug))(source, slot(3))).rejects.toBe(bug);
  await expect(forClaims(() => Promise.resolve(true))(source, slot(3))).resolves.toBe(true);
});
