import { MemoryDisk } from "@millrace/adapter-memory";
import type {
  DiskFile,
  PlainValue,
  SideCall,
  SideQueueLimits,
  SideWork,
  SideWorkError,
} from "@millrace/core";
import { afterEach, describe, expect, test } from "vitest";

export interface SideWorkSubject {
  readonly sideWork: SideWork;
  /** What the promise settles to, with time passing as it has to. */
  settled<Result>(promise: Promise<Result>): Promise<Result>;
}

type Open = (limits: SideQueueLimits) => SideWorkSubject;

const limits: SideQueueLimits = { threadsMax: 2, waitingCallsMax: 3, waitingBytesMax: 1000 };

/** What every SideWork does. */
export function sideWorkContract(name: string, open: Open): void {
  describe(`side work ${name}`, () => {
    const opened: SideWorkSubject[] = [];
    const begin = (changes: Partial<SideQueueLimits> = {}): SideWorkSubject => {
      const subject = open({ ...limits, ...changes });
      opened.push(subject);
      return subject;
    };
    afterEach(async () => {
      for (const { settled, sideWork } of opened.splice(0)) await settled(sideWork.close());
    });
    whatItDoes(begin);
    whatItRefuses(begin);
  });
}

type Begin = (changes?: Partial<SideQueueLimits>) => SideWorkSubject;

function call(task: string, changes: Partial<SideCall> = {}): SideCall {
  return { task, urgency: "reply", told: null, bytes: [], bytesAre: "copied", ...changes };
}

function fileOf(...bytes: readonly number[]): DiskFile {
  const disk = new MemoryDisk();
  disk.makeDirectory("folder");
  const file = disk.open("folder/file", { create: "ifAbsent" });
  if (file === undefined) throw new Error("not made");
  file.write(0, [Uint8Array.from(bytes)]);
  return file;
}

function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "done",
    (error: SideWorkError) => error.reason,
  );
}

function whatItDoes(begin: Begin): void {
  test("gives a task what it is told, and gives back what it says", async () => {
    const { settled, sideWork } = begin();
    const told: PlainValue = { text: "…", numbers: [1, -2.5], nothing: null, yes: true };
    const bytes = [Uint8Array.of(1, 2, 3), new Uint8Array(0), Uint8Array.of(9)];
    const outcome = await settled(sideWork.run(call("echo", { told, bytes })));
    expect(outcome.says).toEqual(told);
    expect(outcome.bytes.map((each) => [...each])).toEqual([[1, 2, 3], [], [9]]);
  });

  test("leaves what is copied as it was, whatever the task does with it", async () => {
    const { settled, sideWork } = begin();
    const around = Uint8Array.of(1, 2, 3, 4, 5, 6);
    const bytes = [around.subarray(1, 5)];
    const { bytes: results } = await settled(sideWork.run(call("overwrite", { bytes })));
    expect([...around]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(results.map((each) => [...each])).toEqual([[7, 7]]);
    expect(results[0]?.buffer.byteLength).toBe(2);
  });

  test("takes what is moved away from its caller, and gives it back", async () => {
    const { settled, sideWork } = begin();
    const bytes = [Uint8Array.of(1, 2, 3)];
    const outcome = await settled(sideWork.run(call("echo", { bytes, bytesAre: "moved" })));
    expect(bytes[0]?.length).toBe(0);
    expect(outcome.bytes.map((each) => [...each])).toEqual([[1, 2, 3]]);
  });

  test("lets a task work in what is shared, whether the rest is copied or moved", async () => {
    const { settled, sideWork } = begin({ waitingBytesMax: 2 });
    for (const bytesAre of ["copied", "moved"] as const) {
      const shared = new Uint8Array(new SharedArrayBuffer(100)).subarray(1, 5);
      const bytes = [shared, Uint8Array.of(1)];
      const calls = [1, 2, 3].map(() =>
        sideWork.run(call("overwrite", { bytes: bytes.slice(0, 1), bytesAre })),
      );
      await settled(Promise.all(calls));
      const outcome = await settled(sideWork.run(call("echo", { bytes, bytesAre })));
      expect(new Set(shared)).toEqual(new Set([7]));
      expect(shared.buffer.byteLength).toBe(100);
      expect(outcome.bytes.map((each) => [...each])).toEqual([[7, 7, 7, 7], [1]]);
    }
  });

  test("gives each of the results memory of its own", async () => {
    const { settled, sideWork } = begin();
    const { bytes } = await settled(sideWork.run(call("twice", { bytes: [Uint8Array.of(4)] })));
    bytes[0]?.fill(0);
    expect(bytes.map((each) => [...each])).toEqual([[0], [4]]);
  });

  test("reads a part of a file for a task, into memory that is moved", async () => {
    const { settled, sideWork } = begin();
    const bytes = [Uint8Array.of(1)];
    const into = new Uint8Array(8);
    const part = { file: fileOf(5, 6, 7, 8, 9), position: 1, bytes: 3, into };
    const outcome = await settled(sideWork.run(call("echo", { bytes, part })));
    expect([bytes[0]?.length, into.length]).toEqual([1, 0]);
    expect(outcome.bytes.map((each) => [...each])).toEqual([[1], [6, 7, 8, 0, 0, 0, 0, 0]]);
  });

  test("works on large bytes, and on more calls than it has threads", async () => {
    const { settled, sideWork } = begin({ waitingBytesMax: 1e9, waitingCallsMax: 100 });
    const large = new Uint8Array(9_000_001).fill(1);
    const calls = Array.from({ length: 5 }, (_, index) =>
      sideWork.run(call("sum", { bytes: [large.subarray(0, 8_000_000 + index)] })),
    );
    const outcomes = await settled(Promise.all(calls));
    expect(outcomes.map(({ says }) => says)).toEqual([0, 1, 2, 3, 4].map((n) => 8_000_000 + n));
  });
}

function whatItRefuses(begin: Begin): void {
  test("rejects what a task throws, and goes on", async () => {
    const { settled, sideWork } = begin();
    const failing = sideWork.run(call("fail"));
    await expect(settled(failing)).rejects.toMatchObject({
      ...{ name: "SideWorkError", reason: "threw", retriable: false },
    });
    expect((await settled(sideWork.run(call("echo", { told: 5 })))).says).toBe(5);
  });

  test("rejects when the file ends before its part, or is closed", async () => {
    const { settled, sideWork } = begin();
    const file = fileOf(5, 6, 7);
    const reason = (): Promise<unknown> => {
      const part = { file, position: 1, bytes: 3, into: new Uint8Array(3) };
      return settled(reasonOf(sideWork.run(call("echo", { part }))));
    };
    expect(await reason()).toBe("unread");
    file.close();
    expect(await reason()).toBe("unread");
  });

  test("does not know every name", async () => {
    const { settled, sideWork } = begin();
    const reasons = ["missing", "toString", "__proto__"].map((name) =>
      reasonOf(sideWork.run(call(name))),
    );
    expect(await settled(Promise.all(reasons))).toEqual(["unknown", "unknown", "unknown"]);
  });

  test("refuses more calls and bytes than may wait, and takes others again later", async () => {
    const { settled, sideWork } = begin();
    const bytes = [new Uint8Array(600)];
    // Two run, one waits, and two of 600 bytes are more than 1,000.
    const sized = Array.from({ length: 4 }, () => reasonOf(sideWork.run(call("sum", { bytes }))));
    expect(await settled(Promise.all(sized))).toEqual(["done", "done", "done", "busy"]);
    const counted = Array.from({ length: 6 }, () => reasonOf(sideWork.run(call("echo"))));
    const done = Array.from({ length: 5 }, () => "done");
    expect(await settled(Promise.all(counted))).toEqual([...done, "busy"]);
    expect(await settled(reasonOf(sideWork.run(call("sum", { bytes }))))).toBe("done");
  });

  test("rejects everything once it is closed, whether it waits, runs or comes later", async () => {
    const { settled, sideWork } = begin({ threadsMax: 1 });
    const before = [1, 2, 3].map(() => reasonOf(sideWork.run(call("echo"))));
    const closing = sideWork.close();
    const after = reasonOf(sideWork.run(call("echo")));
    await settled(closing);
    const reasons = await settled(Promise.all([...before, after]));
    expect(reasons).toEqual(["closed", "closed", "closed", "closed"]);
    await settled(sideWork.close());
  });
}
