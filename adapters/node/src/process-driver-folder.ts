/**
 * What the process driver keeps of a cluster, in files:
 *
 *     DIR/{cluster}/metadata-host/  .log  .pid     the process that hosts its metadata
 *     DIR/{cluster}/metadata.sock
 *     DIR/{cluster}/secrets/{name}.pem             readable by its owner alone
 *     DIR/{cluster}/names/{broker}.json            its ports
 *     DIR/{cluster}/broker-{n}/                    what it has on its disk
 *     DIR/{cluster}/broker-{n}.r{revision}.properties  .pid
 *     DIR/{cluster}/broker-{n}.log  .stopping      `stopping`: it is being removed
 *     DIR/objects/{cluster}/                       unless objects lie elsewhere
 */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { asClusterId, type ClusterId, type SecretName } from "@millrace/core";

export interface BrokerFiles {
  readonly broker: number;
  readonly revision: number;
  readonly properties: string;
  readonly pid: string;
}

export class ClusterFolder {
  readonly path: string;

  constructor(root: string, cluster: ClusterId) {
    this.path = join(root, cluster);
  }

  get hostDirectory(): string {
    return join(this.path, "metadata-host");
  }

  get metadataSocket(): string {
    return join(this.path, "metadata.sock");
  }

  get names(): string {
    return join(this.path, "names");
  }

  secret(name: SecretName): string {
    return join(this.path, "secrets", `${name}.pem`);
  }

  name(broker: number): string {
    return join(this.names, `${broker}.json`);
  }

  brokerData(broker: number): string {
    return join(this.path, `broker-${broker}`);
  }

  brokerLog(broker: number): string {
    return `${this.brokerData(broker)}.log`;
  }

  stopping(broker: number): string {
    return `${this.brokerData(broker)}.stopping`;
  }

  brokerFiles(broker: number, revision: number): BrokerFiles {
    const stem = `${this.brokerData(broker)}.r${revision}`;
    return { broker, revision, properties: `${stem}.properties`, pid: `${stem}.pid` };
  }

  /** The brokers that have a name, ascending. */
  named(): readonly number[] {
    const files = entriesOf(this.names).flatMap((entry) => /^(\d+)\.json$/u.exec(entry)?.[1] ?? []);
    return files.map(Number).toSorted((a, b) => a - b);
  }

  /** Every revision of every broker that was ever to start, and is not removed; ascending. */
  brokers(): readonly BrokerFiles[] {
    const found = entriesOf(this.path).flatMap((entry) => {
      const [, broker, revision] = /^broker-(\d+)\.r(\d+)\.properties$/u.exec(entry) ?? [];
      if (broker === undefined) return [];
      return [this.brokerFiles(Number(broker), Number(revision))];
    });
    return found.toSorted((a, b) => a.broker - b.broker || a.revision - b.revision);
  }

  /**
   * Removes the folders that have nothing in them any more, and what somebody was killed while
   * writing. For who holds the folder: nobody else writes now.
   */
  removeEmpty(): void {
    for (const path of [join(this.path, "secrets"), this.names, this.path]) {
      const unfinished = entriesOf(path).filter((entry) => unfinishedPattern.test(entry));
      for (const entry of unfinished) rmSync(join(path, entry), { force: true });
      removeEmptyFolder(path);
    }
  }
}

/** Of the files of `writePrivate` before they have their names. */
const unfinishedPattern = /\.\d+\.new$/u;

/** Those of whom the folder has anything. */
export function clustersIn(root: string): readonly ClusterId[] {
  return entriesOf(root).flatMap((entry) => asClusterId(entry) ?? []);
}

/** Whole or not at all, and readable by its owner alone. */
export function writePrivate(path: string, text: string): void {
  mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.new`;
  writeFileSync(temporary, text, { mode: 0o600, flush: true });
  renameSync(temporary, path);
}

/** Undefined: there is no such file. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

export function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isCode(error, "ENOENT")) return [];
    throw error;
  }
}

export function removeTree(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

function removeEmptyFolder(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!isCode(error, "ENOENT") && !isCode(error, "ENOTEMPTY") && !isCode(error, "EEXIST")) {
      throw error;
    }
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}
