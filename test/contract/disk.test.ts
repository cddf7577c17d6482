import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryDisk } from "@millrace/adapter-memory";
import { NodeDisk } from "@millrace/adapter-node";
import { describeDisk } from "./disk-contract.ts";

describeDisk("MemoryDisk", () => ({ disk: new MemoryDisk(), dispose: () => undefined }));

describeDisk("NodeDisk", () => onFolder({}));

describeDisk("NodeDisk with two descriptors", () => onFolder({ openFilesMax: 2 }));

function onFolder(options: { readonly openFilesMax?: number }): {
  readonly disk: NodeDisk;
  readonly dispose: () => void;
} {
  const root = mkdtempSync(join(tmpdir(), "millrace-disk-"));
  const dispose = (): void => rmSync(root, { recursive: true, force: true });
  return { disk: new NodeDisk(root, options), dispose };
}
