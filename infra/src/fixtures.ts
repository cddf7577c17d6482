import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeApp } from "./app.ts";
import type { DeploymentProps } from "./props.ts";

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
}

export type Resources = Readonly<Record<string, Resource>>;

/** The template, checked as at a deployment. Bundles and image are always the same few bytes. */
export function synthesised(props: DeploymentProps): {
  readonly text: string;
  readonly resources: Resources;
} {
  const folder = mkdtempSync(join(tmpdir(), "millrace-infra-"));
  try {
    const files = { bundles: join(folder, "bundles"), imageFolder: join(folder, "image") };
    for (const name of ["api", "authorizer", "provisioner"]) {
      mkdirSync(join(files.bundles, name), { recursive: true });
      writeFileSync(join(files.bundles, name, "index.js"), `"${name}"`);
    }
    mkdirSync(files.imageFolder);
    writeFileSync(join(files.imageFolder, "Dockerfile"), "FROM scratch\n");
    const { app, stack } = makeApp(
      { files, props },
      { outdir: join(folder, "out"), stackTraces: false },
    );
    app.synth();
    const text = readFileSync(join(folder, "out", stack.templateFile), "utf8");
    const { Resources } = JSON.parse(text) as { readonly Resources: Resources };
    return { text, resources: Resources };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function ofType(resources: Resources, type: string): readonly Resource[] {
  return Object.values(resources).filter((resource) => resource.Type === type);
}
