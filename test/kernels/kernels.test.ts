/**
 * The built product in the kernels of three Debian releases, each booted in a virtual machine of its own. What is checked in there is in
 * guest/; here each check becomes a test. `npm run test:kernels` runs this file; `npm test` leaves it out, as it takes minutes.
 */
import { availableParallelism } from "node:os";
import { beforeAll, describe, expect, test } from "vitest";
import { lacks, libbpf, virtualMachines } from "../needs.ts";
import { KERNELS, type KernelSeries } from "./debian-kernel.ts";
import { allChecks } from "./guest/all-checks.ts";
import { compileChecks } from "./guest-image.ts";
import { type GuestReport, runGuest } from "./guest-run.ts";

/** Set by --kernel: those to boot, separated by commas; all of them if absent. */
const CHOSEN = (process.env.LAMNA_KERNELS ?? "").split(",").filter((series) => series !== "");
/** Of one guest, from its first instruction on. It takes six minutes where nothing else runs but another guest. */
const GUEST_TIMEOUT_MS = 1_200_000;
/** A guest keeps a CPU busy, and its checks wait for its clock. */
const GUESTS_MAX = Math.min(2, availableParallelism());

const chosen = KERNELS.filter(({ series }) => CHOSEN.length === 0 || CHOSEN.includes(series));
const isSkipped = lacks("other kernels in virtual machines", libbpf, virtualMachines);

/** All guests, at most so many at a time; started with the first test. */
let reports: ReadonlyMap<KernelSeries, Promise<GuestReport>> | undefined;

function startAll(): ReadonlyMap<KernelSeries, Promise<GuestReport>> {
  compileChecks();
  const started = new Map<KernelSeries, Promise<GuestReport>>();
  const lanes: Promise<unknown>[] = Array.from({ length: GUESTS_MAX }, () => Promise.resolve());
  for (const [index, { series }] of chosen.entries()) {
    const report = (what: string): void => void process.stderr.write(`Linux ${series}: ${what}\n`);
    const lane = index % GUESTS_MAX;
    const run = lanes[lane]!.then(() => runGuest(series, { timeoutMs: GUEST_TIMEOUT_MS, report }));
    lanes[lane] = run.catch(() => {});
    started.set(series, run);
  }
  return started;
}

describe.skipIf(isSkipped).each(chosen)("Linux $series", ({ series }) => {
  let report: GuestReport;
  beforeAll(async () => {
    reports ??= startAll();
    report = await reports.get(series)!;
  }, KERNELS.length * GUEST_TIMEOUT_MS);

  test("boots, and is the kernel that was wanted", () => {
    expect(report.release, report.end).toMatch(new RegExp(`^${series.replace(".", "\\.")}\\.`));
  });

  test.each(isSkipped ? [] : allChecks())("$name", ({ name }) => {
    const failure = report.failures.get(name);
    if (failure === undefined) expect.fail(`the check was not done: ${report.end}`);
    if (failure !== null) expect.fail(failure);
  });
});
