/**
 * DynamoDB Local, AWS's own stand-in, in a process of its own: installed by Maven into the cache at
 * the first use, each file held to its checksum, on loopback, on a free port. What fails on the way
 * is an error: a lane that can't start its server has not passed.
 */
import { join } from "node:path";
import { installed } from "../../compat/install.ts";
import { SMALL_JVM } from "../../compat/peer.ts";
import { runOrThrow } from "../../compat/processes.ts";
import { type StandIn, startStandIn } from "../stand-in.ts";

const cache = join(import.meta.dirname, "../../../.cache/contract");
const installMsMax = 600_000;

export async function startDynamoDbLocal(): Promise<StandIn> {
  const cwd = await installDynamoDbLocal();
  const own = ["-Xmx512m", ...SMALL_JVM, "-Djava.library.path=libs", "-cp", "libs/*:."];
  const command = { file: "java", args: [...own, "LoopbackServer"], cwd };
  return startStandIn({ name: "DynamoDB Local", ...command });
}

async function installDynamoDbLocal(): Promise<string> {
  const build = async (cwd: string): Promise<void> => {
    const copy = ["-q", "-B", "dependency:copy-dependencies", `-DoutputDirectory=${cwd}/libs`];
    await runOrThrow({ file: "mvn", args: copy, cwd }, installMsMax);
    const check = ["--check", "--strict", "--quiet", "jars.sha256"];
    await runOrThrow({ file: "sha256sum", args: check, cwd }, 60_000);
    const compile = ["-cp", "libs/*", "-d", ".", "LoopbackServer.java"];
    await runOrThrow({ file: "javac", args: compile, cwd }, 60_000);
  };
  try {
    const source = join(import.meta.dirname, "local");
    return await installed({ cache, name: "dynamodb-local", source, build });
  } catch (cause) {
    const message =
      "The contract of metadata stores needs DynamoDB Local, and it could not be installed: Java " +
      "17, Maven and a registry that has test/contract/dynamodb/local/pom.xml are needed.";
    throw new Error(message, { cause });
  }
}
