/**
 * Writes the checked-in items of this release's manifest: `node test/formats/make-manifest.ts`.
 * Refuses to write over them: what a released format wrote never changes.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { manifestFile, writeManifest } from "./manifest-contents.ts";

if (existsSync(manifestFile)) throw new Error(`${manifestFile} is there; it never changes`);
mkdirSync(dirname(manifestFile), { recursive: true });
writeFileSync(manifestFile, await writeManifest());
