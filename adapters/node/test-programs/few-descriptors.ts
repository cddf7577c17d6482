import { NodeDisk } from "../src/disk.ts";

/**
 * Uses more files at once than the process may open, in the directory that is its argument, and
 * prints how many of them hold what was written. To be run under `ulimit -n`.
 */

const [root = "."] = process.argv.slice(2);
const disk = new NodeDisk(root);
const names = Array.from({ length: 200 }, (_, i) => `folder-${i}/file`);
const files = names.map((path, i) => {
  disk.makeDirectory(`folder-${i}`);
  return disk.open(path, { create: "ifAbsent" });
});
files.forEach((file, i) => file?.write(0, [Uint8Array.of(i)]));
for (const [i, file] of files.entries()) {
  await Promise.all([file?.sync(), disk.syncDirectory(`folder-${i}`)]);
}
const right = files.filter((file, i) => {
  const into = new Uint8Array(1);
  file?.read(0, into);
  return into[0] === i && disk.list(`folder-${i}`).length === 1;
});
for (let i = 0; i < 200; i++) disk.remove(`folder-${i}`);
process.stdout.write(`${right.length} of ${files.length}, ${disk.list("").length} left\n`);
