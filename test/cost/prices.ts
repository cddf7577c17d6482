import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The table of list prices, beside the document that is made with it. */
export const pricesPath: string = join(import.meta.dirname, "../../docs/cost-prices.json");

const priceNames = [
  "s3PutPerThousand",
  "s3GetPerThousand",
  "s3GbMonth",
  "dynamoDbReadPerMillion",
  "dynamoDbWritePerMillion",
  "dynamoDbGbMonth",
  "fargateVcpuHour",
  "fargateGbHour",
  "fargateDiskGbHour",
  "publicIpv4Hour",
  "zoneGb",
  "logsGb",
  "lambdaMillion",
  "lambdaGbSecond",
  "alarmMetricMonth",
  "metricMonth",
  "dashboardMonth",
  "hostedZoneMonth",
  "interfaceEndpointHour",
  "registryGbMonth",
  "mskServerlessHour",
] as const;

export type PriceName = (typeof priceNames)[number];

export interface Price {
  /** List price in US dollars, without taxes, discounts and free tiers. */
  readonly usd: number;
  /** What it is the price of. */
  readonly of: string;
  /** The page that has it. */
  readonly published: string;
}

export interface Prices {
  readonly region: string;
  /** The day on which the prices were noted. */
  readonly noted: string;
  readonly hoursPerMonth: number;
  readonly of: Readonly<Record<PriceName, Price>>;
}

/** Throws where the table is not whole. */
export function readPrices(path: string = pricesPath): Prices {
  const table: unknown = JSON.parse(readFileSync(path, "utf8"));
  const { hoursPerMonth, noted, prices, region } = fieldsOf(table, "the table");
  const all = fieldsOf(prices, "prices");
  const strange = Object.keys(all).filter((name) => !isPriceName(name));
  if (strange.length > 0) throw new Error(`nobody asks for the price ${strange.join(", ")}`);
  const entries = priceNames.map((name) => [name, priceOf(all[name], name)] as const);
  return {
    region: textOf(region, "region"),
    noted: textOf(noted, "noted"),
    hoursPerMonth: numberOf(hoursPerMonth, "hoursPerMonth"),
    of: Object.fromEntries(entries) as Record<PriceName, Price>,
  };
}

function isPriceName(name: string): boolean {
  return priceNames.some((known) => known === name);
}

function priceOf(value: unknown, name: string): Price {
  const { of, published, usd } = fieldsOf(value, name);
  return {
    usd: numberOf(usd, `${name}.usd`),
    of: textOf(of, `${name}.of`),
    published: textOf(published, `${name}.published`),
  };
}

function fieldsOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw new Error(`${what} is missing`);
  return value as Readonly<Record<string, unknown>>;
}

function textOf(value: unknown, what: string): string {
  if (typeof value !== "string" || value === "") throw new Error(`${what} is no text`);
  return value;
}

function numberOf(value: unknown, what: string): number {
  if (typeof value !== "number" || !(value > 0)) throw new Error(`${what} is no number above 0`);
  return value;
}
