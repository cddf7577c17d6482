import {
  decodeCleanedOffset,
  decodeCompactedGaps,
  decodeLeaderEpochs,
  decodeProducers,
  decodeSnapshot,
} from "@millrace/core";
import type { Dump } from "./dumper.ts";
import type { Report } from "./report.ts";

/** Where a snapshot's producers begin. */
const producersAt = 20;

/** `leader-epochs`: one CRC over all of it. */
export function dumpLeaderEpochs({ crc32c, report, source }: Dump): void {
  const epochs = decodeLeaderEpochs(source.read(0, source.bytes), crc32c);
  if (epochs === undefined) return report.damage(0, "bad-header-length-or-crc");
  for (const { epoch, startOffset } of epochs) {
    report.count("epochs");
    report.line("epoch", { epoch, startOffset });
  }
}

/** `cleaned-offset`: one CRC over all of it. */
export function dumpCleanedOffset({ crc32c, report, source }: Dump): void {
  const cleanedTo = decodeCleanedOffset(source.read(0, source.bytes), crc32c);
  if (cleanedTo === undefined) return report.damage(0, "bad-header-length-or-crc");
  report.line("cleaned", { at: 0, to: cleanedTo });
}

/** `compacted-gaps`: one CRC over all of it. */
export function dumpCompactedGaps({ crc32c, report, source }: Dump): void {
  const gaps = decodeCompactedGaps(source.read(0, source.bytes), crc32c);
  if (gaps === undefined) return report.damage(0, "bad-header-length-or-crc");
  for (const { from, to } of gaps) {
    report.count("gaps");
    report.line("gap", { from, to });
  }
}

/** `.snapshot`: one CRC over all of its producers. */
export function dumpSnapshot({ crc32c, path, report, source }: Dump): void {
  const snapshot = decodeSnapshot(source.read(0, source.bytes), crc32c);
  if (snapshot === undefined) return report.damage(0, "bad-header-or-crc");
  report.line("header", { at: 0, offset: snapshot.offset });
  const named = /(\d{20})\.snapshot$/u.exec(path)?.[1];
  if (named !== undefined && Number(named) !== snapshot.offset) {
    report.damage(0, `as of offset ${snapshot.offset}, not of the one in its name`);
  }
  dumpProducers(report, snapshot.body, producersAt);
}

/** The producers that a snapshot or an image holds, `at` in the file. */
export function dumpProducers(report: Report, bytes: Uint8Array, at: number): void {
  const producers = decodeProducers(bytes);
  if (producers === undefined) return report.damage(at, "bad-producers");
  for (const [producerId, producer] of producers) {
    const { batches, epoch, lastTimestamp, transactionFirstOffset } = producer;
    report.count("producers");
    report.line("producer", {
      ...{ producerId, producerEpoch: epoch, lastTimestamp },
      openTransactionFrom: transactionFirstOffset < 0 ? undefined : transactionFirstOffset,
      batches: batches.map((batch) => ({ ...batch })),
    });
  }
}
