/** Runs one of the tests that fail on purpose (leftovers.test.ts). */
import { join } from "node:path";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    root: join(import.meta.dirname, "../../.."),
    include: ["test/e2e/leftovers/*.case.ts"],
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
export default config;
