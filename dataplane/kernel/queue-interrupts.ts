/** Which CPUs a network device's queues interrupt, out of /proc/interrupts, /proc/irq and /sys. */
import { readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseCpuList, readHostFile } from "./host-files.ts";

export interface QueueInterrupt {
  readonly irq: number;
  /** As the driver calls it: "eth0-TxRx-0". */
  readonly name: string;
  /** CPUs that it goes to, as things are; undefined where it cannot be read. */
  readonly cpus: readonly number[] | undefined;
}

/** Those of receive queues, in the order of their numbers; [] for virtual devices, and where nothing can be told. */
export function readQueueInterrupts({
  name: interfaceName,
  ifindex,
}: {
  readonly name: string;
  readonly ifindex: number;
}): QueueInterrupt[] {
  const folder = join("/sys/class/net", interfaceName);
  // /sys shows the network namespace that it was mounted in, which need not be this one.
  if (readHostFile(join(folder, "ifindex")) !== String(ifindex)) return [];
  const device = realPath(join(folder, "device"));
  if (device === undefined) return [];
  // A virtio device's interrupts are its parent's, the PCI device.
  const numbers = [join(device, "msi_irqs"), join(dirname(device), "msi_irqs")]
    .map(listNumbers)
    .find((found) => found.length > 0);
  if (numbers === undefined) return [];
  const names = parseInterrupts(readHostFile("/proc/interrupts") ?? "");
  return chooseReceiveInterrupts(
    numbers.flatMap((irq) => {
      const name = names.get(irq);
      return name === undefined ? [] : [{ irq, name }];
    }),
  ).map(({ irq, name }) => ({ irq, name, cpus: readAffinity(irq) }));
}

/** Names by number (proc_interrupts(5)): behind the counts of each CPU, the chip and the trigger. */
export function parseInterrupts(text: string): Map<number, string> {
  const [header = "", ...lines] = text.split("\n");
  const cpuCount = header.trim().split(/\s+/).length;
  const names = new Map<number, string>();
  for (const line of lines) {
    const match = /^\s*([0-9]+):\s*(.*)$/.exec(line);
    if (match === null) continue;
    const words = match[2]!.trim().split(/\s+/).slice(cpuCount);
    const name = words.at(-1);
    if (name !== undefined) names.set(Number(match[1]), name);
  }
  return names;
}

/** Drivers name the interrupts of receive queues in their own ways; those of a device that names none so are taken to be what has a number at the end. */
export function chooseReceiveInterrupts<Interrupt extends { readonly irq: number; readonly name: string }>(
  interrupts: readonly Interrupt[],
): Interrupt[] {
  const receive = interrupts.filter(({ name }) => /rx|input|comp[0-9]/i.test(name));
  const chosen = receive.length > 0 ? receive : interrupts.filter(({ name }) => /[-.][0-9]+$/.test(name));
  return [...chosen].sort((a, b) => a.irq - b.irq);
}

function readAffinity(irq: number): number[] | undefined {
  // What it was set to may be every CPU; where it goes is one of them.
  const text =
    readHostFile(`/proc/irq/${irq}/effective_affinity_list`) ||
    readHostFile(`/proc/irq/${irq}/smp_affinity_list`);
  const cpus = parseCpuList(text ?? "");
  return cpus.length === 0 ? undefined : cpus;
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function listNumbers(directory: string): number[] {
  try {
    return readdirSync(directory)
      .filter((name) => /^[0-9]+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}
