/** Do packets spread over the CPUs? Each receive queue interrupts one CPU, which runs the program; RSS spreads flows over queues. */
import type { RssFields } from "../../dataplane/kernel/ethtool.ts";
import type { InterfaceFacts } from "../../dataplane/kernel/interface-facts.ts";
import type { QueueInterrupt } from "../../dataplane/kernel/queue-interrupts.ts";
import type { Config } from "../model/config.ts";
import { counted, type Finding, listed, ok, unknown, warning } from "./finding.ts";

export function judgeQueues(
  facts: InterfaceFacts,
  cpus: readonly number[],
  config: Config | undefined,
): Finding[] {
  return [
    judgeQueueCount(facts, cpus.length),
    ...judgeInterrupts(facts, cpus.length),
    ...judgeTable(facts),
    ...judgeHash(facts, config),
  ];
}

function judgeQueueCount({ info, driver: { channels } }: InterfaceFacts, cpuCount: number): Finding {
  const check = "queues";
  const receive = channels?.receive || info.rxQueues;
  const found = `${counted(receive, "receive queue")} for ${counted(cpuCount, "CPU")}`;
  if (receive >= cpuCount) return ok(check, found);
  const most = Math.min(channels?.receiveMax ?? receive, cpuCount);
  if (most <= receive) {
    return receive > 1
      ? ok(check, `${found}, as many as the device has`)
      : warning(
          check,
          `${found}: one CPU does all the work, and the device has no more`,
          "use a device with more queues where one CPU is not enough",
        );
  }
  return warning(
    check,
    `${found}: not all of them take part`,
    `ethtool -L ${info.name} ${channels?.isCombined === true ? "combined" : "rx"} ${most}`,
  );
}

function judgeInterrupts({ info, interrupts }: InterfaceFacts, cpuCount: number): Finding[] {
  const check = "interrupts";
  // Virtual devices have none: their packets come on the sender's CPU.
  if (interrupts.length === 0) {
    return info.kind === undefined ? [unknown(check, "the device's interrupts cannot be told apart")] : [];
  }
  const seen = interrupts.filter(({ cpus }) => cpus !== undefined);
  if (seen.length === 0) return [unknown(check, "their CPUs cannot be read", "run as root to see")];

  const used = new Set(seen.flatMap(({ cpus }) => cpus!));
  const crowded = findCrowded(seen);
  if (crowded !== undefined && used.size < Math.min(seen.length, cpuCount)) {
    const [first] = crowded.interrupts;
    return [
      warning(
        check,
        `${listed(crowded.interrupts.map(({ name }) => name))} all go to CPU ${crowded.cpu}`,
        `spread them over the CPUs (echo CPU > /proc/irq/${first!.irq}/smp_affinity_list), and see that irqbalance leaves them there`,
      ),
    ];
  }
  return [ok(check, `${counted(seen.length, "receive interrupt")} on ${counted(used.size, "CPU")}`)];
}

/** The CPU that most interrupts go to which go to no other; undefined where none has two. */
function findCrowded(
  interrupts: readonly QueueInterrupt[],
): { readonly cpu: number; readonly interrupts: readonly QueueInterrupt[] } | undefined {
  const byCpu = new Map<number, QueueInterrupt[]>();
  for (const interrupt of interrupts) {
    const [cpu, ...others] = interrupt.cpus ?? [];
    if (cpu === undefined || others.length > 0) continue;
    byCpu.set(cpu, [...(byCpu.get(cpu) ?? []), interrupt]);
  }
  const [most] = [...byCpu].sort(([, a], [, b]) => b.length - a.length);
  return most === undefined || most[1].length < 2 ? undefined : { cpu: most[0], interrupts: most[1] };
}

function judgeTable({ info, driver: { rss, channels } }: InterfaceFacts): Finding[] {
  if (rss === undefined) return [];
  const check = "RSS";
  const receive = channels?.receive ?? info.rxQueues;
  const found = `${counted(rss.queues.length, "queue")} in a table of ${rss.tableSize}${rss.hash === undefined ? "" : `, hash ${rss.hash}`}`;
  if (rss.queues.length >= receive) return [ok(check, found)];
  return [
    warning(
      check,
      `${found}: ${counted(receive - rss.queues.length, "queue")} get no packets`,
      `ethtool -X ${info.name} equal ${receive}`,
    ),
  ];
}

/** UDP is often hashed by addresses alone, for the sake of fragments: all flows of one client then go to one CPU. */
function judgeHash({ info, driver: { rssFields } }: InterfaceFacts, config: Config | undefined): Finding[] {
  const isServed = (kind: Kind): boolean =>
    config?.vips.some(
      ({ protocol, address }) => protocol === kind.protocol && address.family === kind.family,
    ) ?? true;
  const without = KINDS.filter((kind) => rssFields[kind.field] === false && isServed(kind));
  if (without.length === 0) return [];
  const names = without.map(({ flow }) => flow);
  return [
    warning(
      "RSS hash",
      `${listed(names)} without ports: all flows between two addresses go to one CPU`,
      names.map((flow) => `ethtool -N ${info.name} rx-flow-hash ${flow} sdfn`).join("; "),
    ),
  ];
}

interface Kind {
  readonly flow: string;
  readonly field: keyof RssFields;
  readonly protocol: "tcp" | "udp";
  readonly family: 4 | 6;
}

const KINDS: readonly Kind[] = [
  { flow: "tcp4", field: "tcp4HasPorts", protocol: "tcp", family: 4 },
  { flow: "udp4", field: "udp4HasPorts", protocol: "udp", family: 4 },
  { flow: "tcp6", field: "tcp6HasPorts", protocol: "tcp", family: 6 },
  { flow: "udp6", field: "udp6HasPorts", protocol: "udp", family: 6 },
];
