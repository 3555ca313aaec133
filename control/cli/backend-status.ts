/** `lamna backend status`: where it decapsulates, what it accepts, and what became of packets. */
import { Command } from "commander";
import {
  type Acceptance,
  readAcceptance,
  readTraffic,
  type VipTraffic,
} from "../../dataplane/decap/acceptance.ts";
import { readReasons } from "../../dataplane/decap/counters.ts";
import { type AttachedInterface, DecapInstance } from "../../dataplane/decap/instance.ts";
import { KernelError } from "../../dataplane/kernel/kernel-error.ts";
import { formatIpAddress } from "../model/address.ts";
import { formatIpPrefix } from "../model/prefix.ts";
import { backendPinDirectoryOption } from "./backend-options.ts";
import { formatBytes, formatCount, type Painter, painterFor } from "./output.ts";
import { LOCK_WAIT_MS } from "./pin-directory.ts";
import { printableJson, printableLines } from "./printable.ts";

export function backendStatusCommand(): Command {
  return new Command("status")
    .description("where it decapsulates, what it accepts, and its counters")
    .addOption(backendPinDirectoryOption())
    .option("--json", "print one JSON object")
    .action(status);
}

interface Status {
  readonly directory: string;
  readonly loadedAt: Date;
  readonly interfaces: readonly AttachedInterface[];
  readonly acceptance: Acceptance;
  readonly traffic: readonly VipTraffic[];
  readonly reasons: ReadonlyMap<string, bigint>;
}

async function status({ pinDir, json }: { readonly pinDir: string; readonly json?: true }): Promise<void> {
  const instance = await DecapInstance.open(pinDir, { mode: "shared", waitMs: LOCK_WAIT_MS });
  if (instance === undefined) {
    throw new KernelError("not-found", `open ${pinDir}`, "no decapsulation is pinned there", {
      remedy: 'attach one with "lamna backend attach", or name another directory with --pin-dir',
    });
  }
  try {
    const found: Status = {
      directory: instance.directory,
      loadedAt: instance.loadedAt,
      interfaces: instance.interfaces(),
      acceptance: readAcceptance(instance.maps),
      traffic: readTraffic(instance.maps),
      reasons: readReasons(instance.maps.reasons),
    };
    if (json) process.stdout.write(`${printableJson(jsonOf(found))}\n`);
    else process.stdout.write(`${printableLines(textOf(found, painterFor(process.stdout)))}\n`);
  } finally {
    instance.close();
  }
}

function textOf(
  { directory, loadedAt, interfaces, acceptance, traffic, reasons }: Status,
  paint: Painter,
): string {
  const { vips, sources, guePort, dropOthers } = acceptance;
  const lines = [`${directory}, program loaded ${loadedAt.toISOString()}`, paint("bold", "interfaces")];
  for (const { name, hook, mode, isRunning } of interfaces) {
    const where = mode === undefined ? hook : `${hook}, ${mode}`;
    lines.push(`  ${name}: ${where}${isRunning ? "" : paint("red", ", does not run here any more")}`);
  }
  if (interfaces.length === 0) lines.push("  none");
  lines.push(paint("bold", "accepted"));
  if (vips === undefined) lines.push("  any destination");
  for (const { address, packets, bytes } of traffic) {
    const counts = `${formatCount(Number(packets))} packets, ${formatBytes(Number(bytes))}`;
    lines.push(`  ${formatIpAddress(address)}: ${counts}`);
  }
  lines.push(`  from ${sources === undefined ? "any source" : sources.map(formatIpPrefix).join(", ")}`);
  lines.push(guePort === 0 ? "  GUE is left alone" : `  GUE on UDP port ${guePort}`);
  lines.push(`  what is encapsulated and not accepted is ${dropOthers ? "dropped" : "left to the stack"}`);
  lines.push(paint("bold", "packets, by what became of them"));
  const counted = [...reasons].filter(([, packets]) => packets > 0n);
  for (const [name, packets] of counted) lines.push(`  ${name}: ${formatCount(Number(packets))}`);
  if (counted.length === 0) lines.push("  none yet");
  return lines.join("\n");
}

function jsonOf({ directory, loadedAt, interfaces, acceptance, traffic, reasons }: Status): unknown {
  return {
    pinDirectory: directory,
    loadedAt: loadedAt.toISOString(),
    interfaces: interfaces.map(({ name, hook, mode, isRunning }) => ({
      name,
      hook,
      mode: mode ?? null,
      isRunning,
    })),
    vips:
      acceptance.vips === undefined
        ? null
        : traffic.map(({ address, packets, bytes }) => ({
            address: formatIpAddress(address),
            packets: Number(packets),
            bytes: Number(bytes),
          })),
    sources: acceptance.sources?.map(formatIpPrefix) ?? null,
    guePort: acceptance.guePort,
    dropOthers: acceptance.dropOthers,
    reasons: Object.fromEntries([...reasons].map(([name, packets]) => [name, Number(packets)])),
  };
}
