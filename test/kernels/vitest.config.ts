/** For `npm run test:kernels`: only the tests that boot kernels, which `npm test` leaves out. */
import { defineConfig, type ViteUserConfig } from "vitest/config";
import common, { reportTo } from "../../vitest.config.ts";

const config: ViteUserConfig = defineConfig({
  ...common,
  test: { ...common.test, include: ["test/kernels/*.test.ts"], exclude: [], ...reportTo("kernels") },
});
export default config;
