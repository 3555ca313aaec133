/** One kernel's run: fetch it, write its image, boot it, collect what its checks say. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { debianKernel, type KernelSeries } from "./debian-kernel.ts";
import type { ResultLine } from "./guest/check.ts";
import { writeGuestImage } from "./guest-image.ts";
import { runMachine } from "./machine.ts";

/** A check that takes longer is worth a line of its own. */
const SLOW_SECONDS = 0;

export interface GuestReport {
  /** `uname -r` in there; undefined when it did not come so far. */
  readonly release: string | undefined;
  /** By the check's name: what is wrong, or null. Those that are missing were not done. */
  readonly failures: ReadonlyMap<string, string | null>;
  /** Why there is no more, with the end of the console. */
  readonly end: string;
}

/** `report` is told what takes time, and how far it is. */
export async function runGuest(
  series: KernelSeries,
  { timeoutMs, report }: { readonly timeoutMs: number; readonly report: (what: string) => void },
): Promise<GuestReport> {
  const folder = mkdtempSync(join(tmpdir(), `lamna-kernel-${series}-`));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    const kernel = debianKernel(series, report);
    const initramfs = join(folder, "initramfs");
    writeGuestImage(kernel, initramfs);
    report(`booting ${kernel.release}`);
    let release: string | undefined;
    let isWhole = false;
    const failures = new Map<string, string | null>();
    const strayLines: string[] = [];
    const onLine = (line: string): void => {
      const result = parseLine(line);
      if (result === undefined) {
        strayLines.push(line);
      } else if (result.kind === "check") {
        failures.set(result.name, result.failure);
        const took = `${result.seconds.toFixed(1)} s`;
        if (result.failure !== null) report(`failed after ${took}: ${result.name}`);
        else if (result.seconds >= SLOW_SECONDS) report(`${took}: ${result.name}`);
      } else if (result.kind === "start") {
        release = result.release;
        report(`runs, with Node ${result.node} and libbpf ${result.libbpf}`);
      } else {
        isWhole = true;
      }
    };
    const consoleFile = join(folder, "console");
    const end = await runMachine({ kernelImage: kernel.image, initramfs, consoleFile, timeoutMs, onLine });
    report(isWhole ? `all ${failures.size} checks done` : end.how);
    return { release, failures, end: [end.how, ...strayLines, end.console].join("\n") };
  } finally {
    remove();
    process.removeListener("exit", remove);
  }
}

function parseLine(line: string): ResultLine | undefined {
  try {
    return JSON.parse(line) as ResultLine;
  } catch {
    return undefined;
  }
}
