/**
 * A virtual machine that boots a kernel and runs the checks in it. qemu emulates the processor (TCG), so that it runs wherever qemu does,
 * also in a virtual machine and without privileges. There is no network and no disk: the image is all it sees.
 *
 * Results come by the second serial line as lines of JSON; the first one is the kernel's console, whose end is what there is to see when
 * a guest dies.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export const QEMU = "qemu-system-x86_64";

export interface MachineOptions {
  readonly kernelImage: string;
  readonly initramfs: string;
  /** Where the console is written to. */
  readonly consoleFile: string;
  /** After this time it is killed. */
  readonly timeoutMs: number;
  /** Called for each line of the second serial line. */
  readonly onLine: (line: string) => void;
}

export interface MachineEnd {
  /** Why there is nothing more to come: "powered off", "killed after 240 s" ... */
  readonly how: string;
  /** The last lines of the kernel's console, and what qemu itself said. */
  readonly console: string;
}

const MEMORY_MIB = 3000;
/** More than one, so that maps and clocks of several CPUs take part. */
const CPUS = 2;
const CONSOLE_LINES = 60;

export async function runMachine(options: MachineOptions): Promise<MachineEnd> {
  const { kernelImage, initramfs, consoleFile, timeoutMs, onLine } = options;
  const child = spawn(
    QEMU,
    [
      ...["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", `${CPUS}`, "-m", `${MEMORY_MIB}`],
      ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"],
      ...["-serial", `file:${consoleFile}`, "-serial", "stdio"],
      ...["-kernel", kernelImage, "-initrd", initramfs],
      // A panic reboots at once, which ends qemu.
      ...["-append", "console=ttyS0 panic=-1 quiet"],
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const stop = (): void => {
    child.kill("SIGKILL");
  };
  process.once("exit", stop);
  let how = "";
  const timer = setTimeout(() => {
    how = `killed after ${timeoutMs / 1000} s`;
    stop();
  }, timeoutMs);
  let said = "";
  child.stderr.on("data", (data) => {
    said += String(data);
  });
  createInterface({ input: child.stdout }).on("line", (line) => onLine(line.trimEnd()));
  try {
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => {
        if (how === "") how = code === 0 ? "powered off" : `ended with ${code ?? signal}`;
        resolve();
      });
    });
  } finally {
    clearTimeout(timer);
    process.removeListener("exit", stop);
  }
  const lines = existsSync(consoleFile) ? readFileSync(consoleFile, "latin1").split(/\r?\n/) : [];
  return { how: `qemu ${how}`, console: [...lines.slice(-CONSOLE_LINES), said].join("\n").trim() };
}
