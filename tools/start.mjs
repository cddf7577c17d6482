// `npm start`: runs the broker with a Node that can, and says clearly what is missing where none is.
// Plain JavaScript, so that an old Node gets as far as the message.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [major, minor] = process.versions.node.split(".").map(Number);
const runsTypeScript = major > 22 || (major === 22 && minor >= 18);
const brought = join(root, "node_modules/.bin/node");

if (!existsSync(join(root, "node_modules/pino"))) {
  console.error("Millrace's dependencies are not installed. Run: npm install");
  process.exit(2);
}
if (!runsTypeScript && !existsSync(brought)) {
  console.error(
    `Millrace needs Node 22.18 or later; this is ${process.version}, and npm has not installed the one\n` +
      "that the project brings. Run `npm install` again (with install scripts allowed for `node`).",
  );
  process.exit(2);
}

const main = join(root, "broker-fargate/src/main.ts");
// The second start finds its modules compiled: it is ready in half the time.
const cache = process.env.NODE_COMPILE_CACHE ?? join(root, "node_modules/.cache/millrace");
const child = spawn(runsTypeScript ? process.execPath : brought, [main, ...process.argv.slice(2)], {
  stdio: "inherit",
  env: { ...process.env, NODE_COMPILE_CACHE: cache },
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(signal === null ? code : 1));
