import type * as S3 from "@aws-sdk/client-s3";
import type { Clock } from "@millrace/core";
import { rulesMsMax } from "./limits.ts";
import { withinTime } from "./s3-requests.ts";

/** A lifecycle rule of the bucket would take objects away that only a broker may delete. */
export class LifecycleRuleError extends Error {
  override readonly name = "LifecycleRuleError";
}

interface Place {
  readonly bucket: string;
  /** Empty, or ends with `/`. */
  readonly prefix: string;
}

/**
 * Asks for the bucket's lifecycle rules, and throws LifecycleRuleError where one would delete
 * current objects of the prefix by their age, or move them where they can't be read at once: a
 * journal that loses an object, or a fence, loses records (ownership rule 5). What can't be asked is
 * not known, and no reason not to start: the right to ask may be missing, a server may have no such
 * rules, and one that is away has to be waited for by whoever reads and writes.
 */
export async function checkLifecycleRules(
  deps: { readonly sdk: typeof S3; readonly client: S3.S3Client; readonly clock: Clock },
  { bucket, prefix }: Place,
): Promise<void> {
  const { client, clock, sdk } = deps;
  const command = new sdk.GetBucketLifecycleConfigurationCommand({ Bucket: bucket });
  const told = await withinTime({ clock, msMax: rulesMsMax }, (abortSignal) =>
    client.send(command, { abortSignal }),
  ).catch(() => undefined);
  const names = rulesAgainst(told?.Rules ?? [], prefix);
  if (names.length === 0) return;
  throw new LifecycleRuleError(
    `lifecycle rules of the bucket ${bucket} would take objects below "${prefix}" away: ` +
      `${names.join(", ")}. Records would be lost: remove these rules, or let them leave it out`,
  );
}

/** The names of the rules that would take objects of the prefix away, or out of reach. */
export function rulesAgainst(
  rules: readonly S3.LifecycleRule[],
  prefix: string,
): readonly string[] {
  return rules
    .filter((rule) => rule.Status === "Enabled" && takesAway(rule) && mayMatch(rule, prefix))
    .map(({ ID }) => ID ?? "one without a name");
}

function takesAway({ Expiration, Transitions = [] }: S3.LifecycleRule): boolean {
  // Of markers of what is deleted already there is a rule of this kind, too.
  const expires = Expiration?.Days !== undefined || Expiration?.Date !== undefined;
  return expires || Transitions.some(({ StorageClass = "" }) => archives.has(StorageClass));
}

/** Objects in these have to be restored before they can be read. */
const archives: ReadonlySet<string> = new Set(["GLACIER", "DEEP_ARCHIVE"]);

/** No object of ours has a tag, and each lies below a cluster's id. */
function mayMatch(rule: S3.LifecycleRule, prefix: string): boolean {
  const { Filter } = rule;
  const isTagged = Filter?.Tag !== undefined || (Filter?.And?.Tags?.length ?? 0) > 0;
  if (isTagged) return false;
  const of = Filter?.Prefix ?? Filter?.And?.Prefix ?? rule.Prefix ?? "";
  return (
    prefix.startsWith(of) || (of.startsWith(prefix) && inCluster.test(of.slice(prefix.length)))
  );
}

/** What is shorter than an id, 22 random characters, is a folder of somebody else's. */
const inCluster = /^[\w-]{22}(\/|$)/u;
