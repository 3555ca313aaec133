/** For `npm run test:kernels`: only the tests that boot kernels, which `npm test` leaves out. */
import { defineConfig, type ViteUserConfig } from "vitest/config";
import common from "../../vitest.config.ts";

const config: ViteUserConfig = defineConfig({
  ...common,
  test: { ...common.test, include: ["test/kernels/*.test.ts"], exclude: [] },
});
export default config;
