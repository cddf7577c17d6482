/** From the start of the process to its first answer to a Metadata request. */
import { launch, makePlace, removePlace, shutDown } from "../brokers.ts";
import { alternate, type Bench, type Figure, type Measurements, type Subject } from "../figure.ts";
import { runAlone } from "../run-alone.ts";
import { spreadOf } from "../statistics.ts";

/** A start takes a tenth of a second, which anything on the machine blurs: the median counts. */
const warmStarts = 5;

async function measureOne(bench: Bench, subject: Subject): Promise<Measurements> {
  const place = await makePlace(bench, subject);
  try {
    // Whatever was edited last: what is measured is a start, not the making of the bundle (ADR 11).
    if (subject !== "kafka") await startElsewhere(bench, subject);
    const starts: number[] = [];
    // On an empty data directory first; then again, on what the first start left.
    for (let start = 0; start <= warmStarts; start += 1) {
      const broker = await launch(bench, place);
      starts.push(broker.readyMs);
      await shutDown(broker);
    }
    const [cold = Number.NaN, ...warm] = starts;
    return { cold, warm: spreadOf(warm).median };
  } finally {
    await removePlace(place);
  }
}

async function startElsewhere(bench: Bench, subject: Subject): Promise<void> {
  const place = await makePlace(bench, subject);
  try {
    await shutDown(await launch(bench, place));
  } finally {
    await removePlace(place);
  }
}

export const start: Figure = {
  name: "start",
  method: () =>
    "A start on an empty data directory with a cold cache of compiled code, then five on what the " +
    "first left, which find that cache warm: the median of these. Millrace's bundle is there. From the spawn of the process to the " +
    "first answer to a Metadata request, asked for every 4 ms.",
  rows: () => [
    {
      label: "start to first Metadata answer",
      unit: "ms",
      ours: { subject: "local", measurement: "warm" },
      kafkas: "warm",
      aim: { kind: "ratio", max: 0.05 },
    },
    {
      label: "the very first start, nothing compiled yet",
      unit: "ms",
      ours: { subject: "local", measurement: "cold" },
      kafkas: "cold",
      aim: { kind: "reported" },
    },
  ],
  measure: (bench) => alternate(bench, ["local", "kafka"], (subject) => measureOne(bench, subject)),
};

if (import.meta.main) await runAlone(start);
