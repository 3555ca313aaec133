/** From a configuration to what is fixed when the program is loaded: options, and how large every map is. */
import { createHash } from "node:crypto";
import type { LoadRequest } from "../../dataplane/dataplane.ts";
import type { ObjectSpec } from "../../dataplane/object/spec.ts";
import { EchoMode, Layout, traffic } from "../../dataplane/xdp/generated/balancer.ts";
import type { Capacity, Config } from "../model/config.ts";
import { vipBucketCount } from "./vip-table.ts";

export interface LoadEnvironment {
  /** CPUs, or in the simulator RX queues. */
  readonly cpuCount: number;
  /** Of the clock that the program reads: HZ of the kernel, or what the external clock counts in. */
  readonly ticksPerSecond: number;
  /** The program reads its time from `clock_ticks`, which replay and tests set. */
  readonly externalClock: boolean;
  /** Decides which line of the flow table a flow goes to; secret, so that nobody can aim at one line. 64 bits. */
  readonly flowSeed: bigint;
}

/**
 * More VIP ids than VIPs, and more rings: what changes is written to a free one before it goes live. Fewer would only make a
 * large change go in more waves.
 */
export const SPARE_VIPS = 4;
export const SPARE_RINGS = 4;

/** Of the fragment table of one CPU. */
const FRAGMENT_ENTRIES = 1024;

/** Ages of flow entries are told apart up to 2^29 ticks (layout.h, flow_table.h). A longer limit is as good as none. */
export const AGE_TICKS_MAX: number = 2 ** 29 - 1;
const ESTABLISHED_IDLE_SECONDS = 3600;
const CLOSING_IDLE_SECONDS = 60;
const FRAGMENT_SECONDS = 2;

/** The seeds with which Katran hashes flows: 512 for the fold of an IPv6 address, 512 * 65537 for the rest. */
const KATRAN_HASH_SEED = 33554944;
const KATRAN_HASH_SEED_IPV6 = 512;

const ECHO_MODES: { readonly [mode in Config["settings"]["echoReply"]]: number } = {
  off: EchoMode.ECHO_OFF,
  vip: EchoMode.ECHO_VIP,
  any: EchoMode.ECHO_ANY,
};

export function loadRequest(config: Config, object: ObjectSpec, environment: LoadEnvironment): LoadRequest {
  const { capacity } = config;
  const { cpuCount, ticksPerSecond } = environment;
  const sizes = mapSizes(capacity);
  const buckets = vipBucketCount(capacity.vips);
  const vipStride = wholeLines(sizes.vips, traffic.sizeBytes);
  const backendStride = wholeLines(sizes.backends, traffic.sizeBytes);
  const ageTicks = (seconds: number): number => Math.min(seconds * ticksPerSecond, AGE_TICKS_MAX);

  return {
    object,
    program: soleProgram(object),
    cpuCount,
    options: new Map<string, number | bigint | boolean>([
      ...changeableOptions(config),
      ["option_flow_seed", environment.flowSeed],
      ["option_vip_bucket_mask", buckets - 1],
      ["option_flow_ipv4_line_mask", sizes.flowIpv4Lines - 1],
      ["option_flow_ipv6_line_mask", sizes.flowIpv6Lines - 1],
      ["option_fragment_mask", FRAGMENT_ENTRIES - 1],
      ["option_vip_stride", vipStride],
      ["option_backend_stride", backendStride],
      ["option_external_clock", environment.externalClock],
      ["option_ticks_per_second", ticksPerSecond],
      ["option_established_idle_ticks", ageTicks(ESTABLISHED_IDLE_SECONDS)],
      ["option_closing_idle_ticks", ageTicks(CLOSING_IDLE_SECONDS)],
      ["option_fragment_ticks", ageTicks(FRAGMENT_SECONDS)],
      ["option_object_id", objectId(object)],
    ]),
    maxEntries: new Map<string, number>([
      ["settings", 1],
      ["interfaces", 2 * Layout.INTERFACE_SLOTS],
      ["vip_buckets", 2 * buckets],
      ["vips", sizes.vips],
      ["rings", sizes.rings],
      ["backends", sizes.backends],
      ["reason_counters", cpuCount],
      ["vip_counters", cpuCount * vipStride],
      ["backend_counters", cpuCount * backendStride],
      ["cpu_states", cpuCount],
      ["flows_ipv4", sizes.flowIpv4Lines],
      ["flows_ipv6", sizes.flowIpv6Lines],
      ["fragments", FRAGMENT_ENTRIES],
    ]),
  };
}

/** What `option_object_id` says of an object: the first 64 bits of the SHA-256 of its file, so that its hex digits are those of sha256sum. */
export function objectId({ image }: Pick<ObjectSpec, "image">): bigint {
  return createHash("sha256").update(image).digest().readBigUInt64BE();
}

/** The options that a running program can be given by replacing it; the others go with the maps' sizes or the clock. */
export function changeableOptions({ settings, vips }: Config): ReadonlyMap<string, number | boolean> {
  return new Map<string, number | boolean>([
    ["option_scope_all", settings.scope === "all"],
    ["option_fragments_balance", settings.fragments === "balance"],
    ["option_ip_options_balance", settings.ipOptions === "balance"],
    ["option_too_big_icmp", settings.tooBig === "icmp"],
    ["option_echo", ECHO_MODES[settings.echoReply]],
    [ANY_PORT_VIPS, vips.some(({ port }) => port === 0)],
    ["option_hash_seed", settings.hashSeed],
    [
      "option_hash_seed_ipv6",
      settings.hashSeed === KATRAN_HASH_SEED ? KATRAN_HASH_SEED_IPV6 : settings.hashSeed,
    ],
  ]);
}

/** A feature that is on when some VIP needs it. On without need it costs a lookup a packet, so turning it off may wait. */
export const ANY_PORT_VIPS = "option_any_port_vips";

/** Entries of the maps whose size is the configuration's; element 0 of the first three means none. */
export function mapSizes(capacity: Capacity): {
  readonly vips: number;
  readonly rings: number;
  readonly backends: number;
  readonly flowIpv4Lines: number;
  readonly flowIpv6Lines: number;
} {
  return {
    vips: 1 + capacity.vips + SPARE_VIPS,
    rings: 1 + capacity.vips + SPARE_RINGS,
    backends: 1 + capacity.backends,
    flowIpv4Lines: flowLines(capacity.flowsPerCpu, Layout.FLOWS_IPV4_PER_LINE),
    flowIpv6Lines: flowLines(capacity.flowsPerCpu, Layout.FLOWS_IPV6_PER_LINE),
  };
}

function flowLines(flows: number, flowsPerLine: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, flows / flowsPerLine)));
}

/** `count` values of `sizeBytes` each, and as many more as fill their last cache line: no two CPUs share one. */
function wholeLines(count: number, sizeBytes: number): number {
  const perLine = Layout.LINE_BYTES / sizeBytes;
  return Math.ceil(count / perLine) * perLine;
}

function soleProgram({ programs }: ObjectSpec): string {
  const xdp = programs.filter(({ section }) => section === "xdp" || section.startsWith("xdp."));
  if (xdp.length !== 1) {
    throw new RangeError(`an object with ${xdp.length} XDP programs, expected one`);
  }
  return xdp[0]!.name;
}
