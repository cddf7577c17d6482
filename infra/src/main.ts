/**
 * The CDK app (cdk.json). What the deployment is told stands in cdk.json under `millrace`, or on the
 * command line: `-c millrace='{"domain": …}'`. Bundles and the image's folder were made before.
 */
import { join } from "node:path";
import { makeApp } from "./app.ts";
import { PropsError } from "./props.ts";

const root = join(import.meta.dirname, "../..");

try {
  const { app } = makeApp({
    files: { bundles: join(root, "functions/dist"), imageFolder: join(root, ".cache/image") },
  });
  app.synth();
} catch (error) {
  if (!(error instanceof PropsError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
