/** Collisions of aircraft with wildlife, as the FAA recorded them: 10,000 rows of npm's vega-datasets. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod";

/** What the topic holds. The compiler knows it where messages are sent, and where they are read. */
export const strikeSchema = z.object({
  airport: z.string().min(1),
  date: z.iso.date(),
  airline: z.string(),
  phase: z.string(),
  species: z.string().min(1),
  size: z.enum(["Small", "Medium", "Large"]),
  /** US dollars. */
  cost: z.int().nonnegative(),
  knots: z.int().nullable(),
});

export type Strike = z.infer<typeof strikeSchema>;

const columns = {
  airport: "Airport Name",
  date: "Flight Date",
  airline: "Aircraft Airline Operator",
  phase: "Phase of flight",
  species: "Wildlife Species",
  size: "Wildlife Size",
  cost: "Cost Total $",
  knots: "Speed IAS in knots",
} as const;

/** In the order of the file. Throws where a row does not fit the schema. */
export function readStrikes(): readonly Strike[] {
  const file = new URL("../data/birdstrikes.csv", import.meta.resolve("vega-datasets"));
  const [head = "", ...rows] = readFileSync(fileURLToPath(file), "utf8").trim().split(/\r?\n/u);
  const names = head.split(",");
  return rows.map((row) => {
    const cells = row.split(",");
    const cell = (column: keyof typeof columns): string =>
      cells[names.indexOf(columns[column])] ?? "";
    return strikeSchema.parse({
      ...{ airport: cell("airport"), date: cell("date"), airline: cell("airline") },
      ...{ phase: cell("phase"), species: cell("species"), size: cell("size") },
      cost: Number(cell("cost")),
      knots: cell("knots") === "" ? null : Number(cell("knots")),
    });
  });
}
