/** Waits to be interrupted; says so when everything runs. */
import { test } from "vitest";
import { HANGING } from "./hanging.ts";
import { network } from "./running-network.ts";

test("hangs", async () => {
  network();
  process.stderr.write(`${HANGING} ${process.pid}\n`);
  await new Promise((resolve) => setTimeout(resolve, 50_000));
});
