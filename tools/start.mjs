// `npm start`: runs the broker with a Node that can, and says clearly what is missing where none is.
// Plain JavaScript, so that an old Node gets as far as the message.
import { existsSync } from "node:fs";
import module from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [major, minor] = process.versions.node.split(".").map(Number);

if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `Millrace needs Node 22.18 or later, and this is ${process.version}. The project brings one: run\n` +
      "`npm install` (with install scripts allowed for the package `node`), then `npm start`.",
  );
  process.exit(2);
}
if (!existsSync(join(root, "node_modules/pino"))) {
  console.error("Millrace's dependencies are not installed. Run: npm install");
  process.exit(2);
}
// The second start finds its modules compiled: it is ready in half the time.
module.enableCompileCache(join(root, "node_modules/.cache/millrace"));
await import("../broker-fargate/src/main.ts");
