/** What is published: one file a module system, with its types. */
import { defineConfig, type UserConfig } from "tsdown";

const config: UserConfig = defineConfig({
  entry: ["src/index.ts"],
  format: ["esm", "cjs"],
  platform: "node",
  target: "node22",
  dts: { oxc: true },
  sourcemap: false,
  clean: true,
});

export default config;
