/** Bounds of a configuration, each with what it comes from. Outside of them a value is impossible, not just unwise. */
import type { Capacity } from "./config.ts";

/** A ring takes 260 KiB a VIP (dataplane/xdp/layout.h), so this many take 1 GiB. */
export const VIPS_MAX: number = 4096;
/** Backend ids have 16 bits in ring slots and flow entries, and 0 means none. */
export const BACKENDS_MAX: number = 65535;
/** 48 bytes a flow, for an IPv4 and an IPv6 entry: 768 MiB a CPU. */
export const FLOWS_PER_CPU_MAX: number = 2 ** 24;
export const SERVER_IDS_MAX: number = 2 ** 24;
export const SOURCE_ROUTES_MAX: number = 2 ** 24;

/** A ring has 65537 slots, so a finer weight than this could not be told from none. */
export const WEIGHT_MAX: number = 65535;

/** Every IPv4 host takes datagrams of 576 bytes (RFC 791 section 3.1); no link of the kind this runs on carries less. */
export const MTU_MIN: number = 576;
export const MTU_MAX: number = 65535;
/** Ethernet's, where neither the configuration nor an interface says one. */
export const DEFAULT_MTU: number = 1500;
export const ETHERNET_HEADER_BYTES: number = 14;
/** So that the mtu told for a frame that is too big is at least MTU_MIN. */
export const FRAME_MIN: number = MTU_MIN + ETHERNET_HEADER_BYTES;
/** The setting has 16 bits; the longest IPv4 packet and its Ethernet header would take 65549. */
export const FRAME_MAX: number = 65535;

/** Ages of flow entries are told apart up to 2^29 ticks, six days at 1000 a second; a day stays clear of that. */
export const UDP_IDLE_SECONDS_MAX: number = 86400;
export const UINT32_MAX: number = 2 ** 32 - 1;

/** Each with its own gateway and MTU; the program's table of them (dataplane/xdp/layout.h) has 16 times as many slots. */
export const INTERFACES_MAX: number = 16;

export const NAME_LENGTH_MAX: number = 64;

export const DEFAULT_CAPACITY: Capacity = {
  vips: 64,
  backends: 4096,
  flowsPerCpu: 262144,
  serverIds: 65536,
  sourceRoutes: 65536,
};
