import { mkdtempSync, rmSync } from "node:fs";
import { PartitionLog, summarizeBatch, viewOf, decideAppend, ProducerState } from "@millrace/core";
import * as wire from "@millrace/wire";
import { NodeDisk, crc32c } from "@millrace/adapter-node";
const root = mkdtempSync(process.argv[2] ?? "/tmp/lb-");
const disk = new NodeDisk(root);
const config = { segmentBytes: 256<<20, segmentMs: 1e15, segmentIndexBytes: 10<<20, indexIntervalBytes: 4096 };
const pooled = process.argv[3] === "pooled" ? new Uint8Array(1<<20) : undefined;
const open = (recovery: any) => PartitionLog.open({ disk, directory: "partitions/x-0", config, format: wire, crc32c, findTimestamp: () => undefined, recovery, startOffset: 0, ...(pooled ? { allocate: (n: number) => n <= pooled.length ? pooled.subarray(0, n) : new Uint8Array(n) } : {}) });
let log = open({ kind: "clean" });
const rec = wire.buildBatch(Array.from({ length: 16 }, (_, i) => ({ key: null, value: new Uint8Array(1000), timestamp: 1 })), { crc32c });
const frame = new Uint8Array(rec.length * 64);
for (let i = 0; i < 64; i++) frame.set(rec, i * rec.length);
const view = viewOf(frame);
const total = 2 * 1024;
const rules: any = { maxMessageBytes: 1<<20, segmentBytes: 1<<30, compressionType: "producer", messageTimestampType: "CreateTime", messageTimestampBeforeMaxMs: 2**53-1, messageTimestampAfterMaxMs: 2**53-1, cleanupPolicy: { compact: false } };
const measure = (name: string, bytes: number, run: () => void) => {
  const c = process.cpuUsage(), t = performance.now();
  run();
  const u = process.cpuUsage(c), s = (performance.now() - t) / 1000;
  console.log(name, (bytes / s / 1e6).toFixed(0), "MB/s, cpu s/GB", ((u.user + u.system) / 1e6 / (bytes / 1e9)).toFixed(3), "user", (u.user/1e6/(bytes/1e9)).toFixed(3));
};
const bytes = frame.length * total;
measure("append 1MiB frames (offsets written, no crc)", bytes, () => {
  for (let n = 0; n < total; n++) {
    const sums = [];
    for (let i = 0; i < 64; i++) {
      const at = i * rec.length;
      wire.writeBaseOffset(view, at, log.endOffset + i * 16);
      sums.push(summarizeBatch(wire, view, at));
    }
    log.append([frame], sums, 0);
  }
});
measure("read sequential 1MiB", bytes, () => {
  let from = 0;
  while (from < log.endOffset) {
    const r = log.read({ from, maxBytes: 1 << 20, upTo: log.endOffset, atLeastOneBatch: true });
    if (r.kind !== "ok") throw new Error();
    from = r.nextOffset;
  }
});
measure("read sequential 64KiB", bytes / 4, () => {
  let from = 0;
  while (from < log.endOffset / 4) {
    const r = log.read({ from, maxBytes: 1 << 16, upTo: log.endOffset, atLeastOneBatch: true });
    if (r.kind !== "ok") throw new Error();
    from = r.nextOffset;
  }
});
{ const t = performance.now(); for (let i = 0; i < 20000; i++) { const r = log.read({ from: Math.floor(Math.random() * log.endOffset), maxBytes: 1, upTo: log.endOffset, atLeastOneBatch: true }); } console.log("random read us", ((performance.now() - t) / 20).toFixed(1)); }
{ const one = rec.slice(); const producers = ProducerState.empty(); const t = performance.now(); const N = 100000; for (let i = 0; i < N; i++) { wire.writeBaseOffset(viewOf(one), 0, 0); decideAppend(one, { endOffset: i, leaderEpoch: 1, producers, nowMs: 5 }, rules, { format: wire, crc32c, validateRecords: () => ({ kind: "ok" }) }); } const s = (performance.now() - t); console.log("decide 16KB us", (s * 1000 / N).toFixed(2)); }
await log.sync(); log.close();
for (const kind of ["clean", "verifyFrom"]) { const t = performance.now(); log = open(kind === "clean" ? { kind } : { kind, offset: 0 }); console.log("open", kind, "2 GiB, ms", (performance.now() - t).toFixed(1)); log.close(); }
{ // small frames
  const N = 50000; const small = wire.buildBatch([{ key: null, value: new Uint8Array(100), timestamp: 1 }], { crc32c }); const v = viewOf(small); const l2 = PartitionLog.open({ disk, directory: "partitions/y-0", config, format: wire, crc32c, findTimestamp: () => undefined, recovery: { kind: "clean" }, startOffset: 0 });
  const t = performance.now(); for (let i = 0; i < N; i++) { wire.writeBaseOffset(v, 0, i); l2.append([small], [summarizeBatch(wire, v, 0)], 0); } console.log("append small us", ((performance.now() - t) * 1000 / N).toFixed(2)); }
{ const N = 1000; const mk = (i: number, k: any) => PartitionLog.open({ disk, directory: `partitions/z-${i}`, config, format: wire, crc32c, findTimestamp: () => undefined, recovery: { kind: k }, startOffset: 0 } as any);
  const logs = []; for (let i = 0; i < N; i++) { const l = mk(i, "clean"); wire.writeBaseOffset(viewOf(rec), 0, 0); l.append([rec], [summarizeBatch(wire, viewOf(rec), 0)], 0); logs.push(l); }
  let t = performance.now(); await Promise.all(logs.map(l => { l.settle(); return l.sync(); })); console.log("settle+sync 1000 partitions ms", (performance.now() - t).toFixed(0)); for (const l of logs) l.close();
  t = performance.now(); for (let i = 0; i < N; i++) mk(i, "clean"); console.log("clean open, us each", ((performance.now() - t) * 1000 / N).toFixed(0)); }
rmSync(root, { recursive: true });
