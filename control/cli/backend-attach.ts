/** `lamna backend attach`: decapsulates on interfaces from now on, without any process. */
import { Command, Option } from "commander";
import type { Acceptance } from "../../dataplane/decap/acceptance.ts";
import { writeAcceptance } from "../../dataplane/decap/acceptance.ts";
import { DecapInstance, type Placement, type RequestedHook } from "../../dataplane/decap/instance.ts";
import type { NetworkInterface } from "../../dataplane/kernel/xdp-state.ts";
import { formatIpAddress, type IpAddress } from "../model/address.ts";
import { readConfig } from "../model/config-file.ts";
import { formatIpPrefix, type IpPrefix } from "../model/prefix.ts";
import {
  backendPinDirectoryOption,
  collectAddresses,
  collectPrefixes,
  parsePort,
} from "./backend-options.ts";
import { UsageError } from "./exit.ts";
import { helpParagraphs } from "./help-text.ts";
import { findInterfaces } from "./network-interfaces.ts";
import { formatCount } from "./output.ts";
import { LOCK_WAIT_MS } from "./pin-directory.ts";
import { printableJson, printableLines } from "./printable.ts";
import { readShippedDecapObject } from "./shipped-object.ts";

/** The port of GUE that IANA assigned (service name "gue"). */
const GUE_PORT = 6080;

interface Options {
  readonly vip?: readonly IpAddress[];
  readonly config?: string;
  readonly source?: readonly IpPrefix[];
  readonly hook: RequestedHook;
  readonly mode: "native" | "generic" | "auto";
  readonly guePort: number;
  readonly dropOthers?: true;
  readonly pinDir: string;
  readonly json?: true;
}

export function backendAttachCommand(): Command {
  return new Command("attach")
    .description("decapsulate on interfaces, or change what is accepted")
    .argument("<interface...>", "network interfaces that encapsulated packets come in on")
    .option("--vip <address>", "accept what is inside for this address; may be repeated", collectAddresses)
    .option("--config <file>", "accept what is inside for the VIPs of this config file")
    .option(
      "--source <prefix>",
      "accept only what balancers with these outer source addresses sent; may be repeated",
      collectPrefixes,
    )
    .addOption(
      new Option("--hook <hook>", "where in the kernel; auto: XDP if the driver has it, else tc")
        .choices(["auto", "xdp", "tc"])
        .default("auto"),
    )
    .addOption(
      new Option("--mode <mode>", "of XDP; auto: native if the driver has it")
        .choices(["auto", "native", "generic"])
        .default("auto"),
    )
    .option("--gue-port <port>", "UDP port of GUE; 0: leave GUE alone", parsePort, GUE_PORT)
    .option("--drop-others", "drop encapsulated packets that are not accepted, instead of leaving them alone")
    .addOption(backendPinDirectoryOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", helpParagraphs(NOTES))
    .action(attach);
}

const NOTES = `
Takes IP in IP of every pair of families, and GUE with the packet right behind its UDP header. It goes on without any process until "lamna
backend detach". Said again, it changes what is accepted to what is said now, without a packet lost; interfaces that are not
named stay attached.

At least one of --vip, --config and --source is needed: else whoever can reach the host could speak as anybody to its
services. Balancers of Lamna and Katran send from 172.16.0.0/16 and 100::/64.
`;

interface Attached extends Placement {
  readonly name: string;
}

async function attach(names: readonly string[], options: Options): Promise<void> {
  const acceptance = acceptanceOf(options);
  if (options.hook === "tc" && options.mode !== "auto")
    throw new UsageError(`--mode ${options.mode} is of XDP, and --hook tc is not`);
  const targets = findInterfaces(names);
  const instance = await DecapInstance.openOrCreate(options.pinDir, readShippedDecapObject(), {
    waitMs: LOCK_WAIT_MS,
  });
  try {
    const isNew = instance.interfaces().length === 0;
    try {
      writeAcceptance(instance.maps, acceptance);
      const attached = targets.map((target) => attachTo(instance, target, options));
      print(instance.directory, acceptance, attached, options);
    } catch (error) {
      // Nothing remains of a first attempt.
      if (isNew) instance.remove();
      throw error;
    }
  } finally {
    instance.close();
  }
}

function attachTo(instance: DecapInstance, target: NetworkInterface, { hook, mode }: Options): Attached {
  return { name: target.name, ...instance.attach(target, hook, mode) };
}

function acceptanceOf({ vip, config, source, guePort, dropOthers }: Options): Acceptance {
  if (vip === undefined && config === undefined && source === undefined) {
    throw new UsageError("nothing says what to accept: expected --vip, --config or --source");
  }
  const configured = config === undefined ? [] : readConfig(config).vips.map(({ address }) => address);
  const vips =
    vip === undefined && config === undefined ? undefined : distinct([...(vip ?? []), ...configured]);
  return { vips, sources: source, guePort, dropOthers: dropOthers ?? false };
}

function distinct(addresses: readonly IpAddress[]): IpAddress[] {
  return [...new Map(addresses.map((address) => [formatIpAddress(address), address])).values()];
}

function print(
  directory: string,
  { vips, sources, guePort, dropOthers }: Acceptance,
  attached: readonly Attached[],
  options: Options,
): void {
  if (options.json) {
    const interfaces = attached.map(({ name, hook, mode, fallback }) => ({
      name,
      hook,
      mode: mode ?? null,
      fallback: fallback?.message ?? null,
    }));
    const facts = {
      pinDirectory: directory,
      interfaces,
      vips: vips?.map(formatIpAddress) ?? null,
      sources: sources?.map(formatIpPrefix) ?? null,
      guePort,
      dropOthers,
    };
    process.stdout.write(`${printableJson(facts)}\n`);
    return;
  }
  const lines = attached.map(({ name, hook, mode, fallback }) => {
    const where = mode === undefined ? hook : `${hook}, ${mode}`;
    return `${name}: ${where}${fallback === undefined ? "" : ` (not native XDP: ${fallback.message})`}`;
  });
  const forWhom = vips === undefined ? "any destination" : counted(vips.length, "VIP");
  const fromWhom =
    sources === undefined ? "any source" : counted(sources.length, "source prefix", "source prefixes");
  const gue = guePort === 0 ? "GUE left alone" : `GUE on UDP port ${guePort}`;
  lines.push(
    `accepted: ${forWhom}, ${fromWhom}, ${gue}; others are ${dropOthers ? "dropped" : "left to the stack"}`,
  );
  process.stdout.write(`${printableLines(lines.join("\n"))}\n`);
}

function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
