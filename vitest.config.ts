import { defineConfig, type ViteUserConfig } from "vitest/config";

/** Set by CI: where to leave the results as JSON beside the ordinary report. */
const reportFile = process.env.LAMNA_TEST_REPORT;

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Boots virtual machines: see "npm run test:kernels".
    exclude: ["test/kernels/**"],
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 120_000,
    ...(reportFile === undefined ? {} : { reporters: ["default", "json"], outputFile: { json: reportFile } }),
  },
});
export default config;
