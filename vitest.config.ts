import { defineConfig, type ViteUserConfig } from "vitest/config";

const exclude = ["**/node_modules/**", ".cache/**"];

const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "{core,wire,adapters,broker-fargate,tools,examples}/**/*.test.ts",
            "test/{bench,contract,simulation,gates,fuzz,compat,durability,soak}/**/*.test.ts",
          ],
          exclude: [...exclude, "test/fuzz/listener/**"],
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
        // Not part of `npm test`: installs a client from its registry.
        test: {
          name: "clients",
          include: ["test/clients/**/*.test.ts"],
          exclude,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});

export default config;
