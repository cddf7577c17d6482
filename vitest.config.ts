import { defineConfig, type ViteUserConfig } from "vitest/config";

const exclude = ["**/node_modules/**", ".cache/**"];

const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "{core,wire,adapters,broker-fargate,cli,tools,examples}/**/*.test.ts",
            "test/{bench,contract,simulation,gates,fuzz,compat,durability,soak}/**/*.test.ts",
          ],
          exclude: [...exclude, "test/fuzz/listener/**", "test/contract/s3/**"],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "process",
          include: ["test/{integration,formats,hardness,fuzz/listener}/**/*.test.ts"],
          exclude,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        // Not part of `npm test`: installs a client or a server from its registry.
        test: {
          name: "clients",
          include: ["test/{clients,contract/s3}/**/*.test.ts"],
          exclude,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});

export default config;
