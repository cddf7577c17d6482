import { defineConfig, type ViteUserConfig } from "vitest/config";

const exclude = ["**/node_modules/**", ".cache/**"];

/** The same cases in every run, unless a seed is given. */
const setupFiles = ["test/fixtures/property-seed.ts"];

const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          setupFiles,
          // One process for many files: starting one for each took more time than the tests. What a
          // test changes outside its own file (globals, the environment) it puts back.
          isolate: false,
          // Usually one core is left out, which on two cores is half of the machine.
          maxWorkers: "100%",
          sequence: { groupOrder: 0 },
          include: [
            "{core,wire,adapters,broker-fargate,cli,sdk,control-api,functions,infra,tools,examples}/**/*.test.ts",
            "test/{bench,cluster,contract,cost,simulation,model,gates,fuzz,compat,durability,localstack,soak}/**/*.test.ts",
          ],
          exclude: [
            ...exclude,
            "test/fuzz/listener/**",
            "test/contract/{s3,dynamodb,ecs}/**",
            "sdk/test/process/**",
          ],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "process",
          setupFiles,
          // One after another, and not beside unit tests: some measure how long a broker takes.
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          include: [
            "test/{integration,formats,hardness,fuzz/listener}/**/*.test.ts",
            "sdk/test/process/**/*.test.ts",
          ],
          exclude,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        // Not part of `npm test`: installs a client or a server from its registry.
        test: {
          name: "clients",
          setupFiles,
          include: ["test/{clients,contract/s3,contract/dynamodb,contract/ecs}/**/*.test.ts"],
          exclude,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});

export default config;
