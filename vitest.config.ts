import { defineConfig, type ViteUserConfig } from "vitest/config";

/** Leaves the results as JSON beside the ordinary report, in the folder that CI sets. */
export function reportTo(name: string): NonNullable<ViteUserConfig["test"]> {
  const folder = process.env.LAMNA_TEST_REPORTS;
  return folder === undefined
    ? {}
    : { reporters: ["default", "json"], outputFile: { json: `${folder}/${name}.json` } };
}

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Boots virtual machines: see "npm run test:kernels".
    exclude: ["test/kernels/**"],
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 120_000,
    ...reportTo("tests"),
  },
});
export default config;
