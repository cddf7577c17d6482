/** A line of the table of limits: the test that meets one, or why nothing can. */

export interface MetBy {
  readonly outcome: string;
  readonly file: string;
  /** Of the test, as it stands in the file. */
  readonly title: string;
}

export interface Tuning {
  /** Why no input can reach it: it sets how work is cut up, not how much there may be. */
  readonly tuning: string;
}

export type LimitTest = MetBy | Tuning;

export function met(outcome: string, file: string, title: string): MetBy {
  return { outcome, file, title };
}
