/**
 * What a driver says of its device, by SIOCETHTOOL (include/uapi/linux/ethtool.h, net/ethtool/ioctl.c). Only questions, none of which needs a privilege.
 * Drivers answer what they know: that one does not support a question is an answer too, undefined here.
 */
import { Descriptor } from "./descriptor.ts";
import { IS_LITTLE_ENDIAN, viewOf } from "./host-order.ts";
import { AF_INET } from "./ip-bytes.ts";
import { errnoName, systemError } from "./kernel-error.ts";
import { checked, libc } from "./libc.ts";
import { lastErrno, NativeStruct } from "./native.ts";
import { readText } from "./netlink-message.ts";

const SIOCETHTOOL = 0x8946;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const IFREQ_BYTES = 40;
const IFREQ_DATA = 16;
const NAME_BYTES_MAX = 15;

const ETHTOOL_GDRVINFO = 0x03;
const ETHTOOL_GRINGPARAM = 0x10;
const ETHTOOL_GSTRINGS = 0x1b;
const ETHTOOL_GRXFH = 0x29;
const ETHTOOL_GSSET_INFO = 0x37;
const ETHTOOL_GFEATURES = 0x3a;
const ETHTOOL_GCHANNELS = 0x3c;
const ETHTOOL_GRSSH = 0x46;
const ETH_SS_FEATURES = 4;
const ETH_GSTRING_LEN = 32;

/** "Not supported", in the ways in which drivers say it; ENODEV is one while the device is down. */
const NO_ANSWER: ReadonlySet<string> = new Set(["EOPNOTSUPP", "ENOTSUPP", "EINVAL", "ENOSYS", "ENODATA"]);

export interface DriverInfo {
  /** "ixgbe" */
  readonly driver: string;
  /** Where the device is: "0000:01:00.0". Empty for virtual ones. */
  readonly bus: string;
}

export interface Channels {
  /** Queues that receive: combined and receive-only ones. */
  readonly receive: number;
  readonly receiveMax: number;
  /** Whether `ethtool -L` wants "combined" for these. */
  readonly isCombined: boolean;
}

export interface Rings {
  /** Descriptors in each receive ring. */
  readonly receive: number;
  readonly receiveMax: number;
}

export interface Rss {
  /** Entries of the indirection table. */
  readonly tableSize: number;
  /** Queues that the table names. */
  readonly queues: readonly number[];
  /** "toeplitz", "xor", "crc32"; undefined: none of these, or not said. */
  readonly hash: string | undefined;
}

export interface RssFields {
  /** What is hashed of each kind of packet: whether source and destination ports are part of it. Undefined: not said. */
  readonly tcp4HasPorts: boolean | undefined;
  readonly udp4HasPorts: boolean | undefined;
  readonly tcp6HasPorts: boolean | undefined;
  readonly udp6HasPorts: boolean | undefined;
}

export interface DeviceFeature {
  readonly isOn: boolean;
  /** Whether `ethtool -K` can change it. */
  readonly isFixed: boolean;
}

export interface EthtoolFacts {
  readonly driver: DriverInfo | undefined;
  readonly channels: Channels | undefined;
  readonly rings: Rings | undefined;
  readonly rss: Rss | undefined;
  readonly rssFields: RssFields;
  /** By the kernel's names: "rx-gro", "rx-lro", "rx-gro-hw", "rx-vlan-hw-parse". Empty where it does not say. */
  readonly features: ReadonlyMap<string, DeviceFeature>;
}

/** All of it. Throws KernelError where there is no such interface. */
export function readEthtool(interfaceName: string): EthtoolFacts {
  const operation = `ask the driver of "${interfaceName}"`;
  const fd = checked(libc().socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), operation);
  const socket = new Descriptor(fd, operation);
  try {
    const ask = (question: Uint8Array): boolean => askDriver(socket, interfaceName, question);
    return {
      driver: readDriver(ask),
      channels: readChannels(ask),
      rings: readRings(ask),
      rss: readRss(ask),
      rssFields: readRssFields(ask),
      features: readFeatures(ask),
    };
  } finally {
    socket.close();
  }
}

/** Hands a struct to the driver, which answers in place. False: it has no answer. Throws KernelError. */
function askDriver(socket: Descriptor, interfaceName: string, question: Uint8Array): boolean {
  const operation = `ask the driver of "${interfaceName}"`;
  const name = new TextEncoder().encode(interfaceName);
  const request = new NativeStruct(IFREQ_BYTES).setPointer(IFREQ_DATA, question);
  request.bytes.set(name.subarray(0, NAME_BYTES_MAX));
  if (libc().ioctl(socket.fd, SIOCETHTOOL, request.bytes) >= 0) return true;
  const number = lastErrno();
  if (NO_ANSWER.has(errnoName(number))) return false;
  throw systemError(operation, number);
}

type Ask = (question: Uint8Array) => boolean;

/** A struct that begins with its command, of `sizeBytes`. */
function question(command: number, sizeBytes: number): { bytes: Uint8Array; view: DataView } {
  const bytes = new Uint8Array(sizeBytes);
  const view = viewOf(bytes);
  view.setUint32(0, command, IS_LITTLE_ENDIAN);
  return { bytes, view };
}

/** struct ethtool_drvinfo: command u32, driver, version and firmware of 32 bytes each, bus of 32; 196 bytes in all. */
function readDriver(ask: Ask): DriverInfo | undefined {
  const { bytes } = question(ETHTOOL_GDRVINFO, 196);
  if (!ask(bytes)) return undefined;
  return {
    driver: readText(bytes.subarray(4, 36)) ?? "",
    bus: readText(bytes.subarray(100, 132)) ?? "",
  };
}

/** struct ethtool_channels: command, then rx, tx, other, combined: the most of each, then how many there are. All u32. */
function readChannels(ask: Ask): Channels | undefined {
  const { bytes, view } = question(ETHTOOL_GCHANNELS, 36);
  if (!ask(bytes)) return undefined;
  const [rxMax, combinedMax, rx, combined] = [4, 16, 20, 32].map((offset) =>
    view.getUint32(offset, IS_LITTLE_ENDIAN),
  ) as [number, number, number, number];
  return {
    receive: rx + combined,
    receiveMax: Math.max(rxMax, combinedMax),
    isCombined: combinedMax >= rxMax && combinedMax > 0,
  };
}

/** struct ethtool_ringparam: command, the most of rx, mini, jumbo and tx, then what they are. All u32. */
function readRings(ask: Ask): Rings | undefined {
  const { bytes, view } = question(ETHTOOL_GRINGPARAM, 36);
  if (!ask(bytes)) return undefined;
  return {
    receive: view.getUint32(20, IS_LITTLE_ENDIAN),
    receiveMax: view.getUint32(4, IS_LITTLE_ENDIAN),
  };
}

const HASHES: Readonly<Record<number, string>> = { 1: "toeplitz", 2: "xor", 4: "crc32" };
const RXFH_HEADER_BYTES = 24;
/** More entries or bytes of key than any device has. */
const RXFH_MAX = 1 << 16;

/**
 * struct ethtool_rxfh: command | context | entries | key bytes (u32 each) | hash u8, then the table (u32 each) and the key. Asked twice: first with no room,
 * which tells the sizes.
 */
function readRss(ask: Ask): Rss | undefined {
  const sizes = question(ETHTOOL_GRSSH, RXFH_HEADER_BYTES);
  if (!ask(sizes.bytes)) return undefined;
  const tableSize = sizes.view.getUint32(8, IS_LITTLE_ENDIAN);
  const keyBytes = sizes.view.getUint32(12, IS_LITTLE_ENDIAN);
  if (tableSize === 0 || tableSize > RXFH_MAX || keyBytes > RXFH_MAX) return undefined;

  const { bytes, view } = question(ETHTOOL_GRSSH, RXFH_HEADER_BYTES + 4 * tableSize + keyBytes);
  view.setUint32(8, tableSize, IS_LITTLE_ENDIAN);
  view.setUint32(12, keyBytes, IS_LITTLE_ENDIAN);
  if (!ask(bytes)) return undefined;
  const queues = new Set<number>();
  for (let entry = 0; entry < tableSize; entry++) {
    queues.add(view.getUint32(RXFH_HEADER_BYTES + 4 * entry, IS_LITTLE_ENDIAN));
  }
  return { tableSize, queues: [...queues].sort((a, b) => a - b), hash: HASHES[bytes[16]!] };
}

/** ethtool.h: TCP_V4_FLOW and so on; RXH_L4_B_0_1 and RXH_L4_B_2_3, the first four bytes of layer 4. */
const FLOWS = { tcp4: 0x01, udp4: 0x02, tcp6: 0x05, udp6: 0x06 } as const;
const RXH_PORTS = (1n << 6n) | (1n << 7n);
const RXNFC_BYTES = 192;

/** struct ethtool_rxnfc: command u32 | flow type u32 | fields u64. */
function readRssFields(ask: Ask): RssFields {
  const hasPorts = (flow: number): boolean | undefined => {
    const { bytes, view } = question(ETHTOOL_GRXFH, RXNFC_BYTES);
    view.setUint32(4, flow, IS_LITTLE_ENDIAN);
    if (!ask(bytes)) return undefined;
    const fields = view.getBigUint64(8, IS_LITTLE_ENDIAN);
    // Nothing at all is hashed by nobody: the driver does not say.
    return fields === 0n ? undefined : (fields & RXH_PORTS) === RXH_PORTS;
  };
  return {
    tcp4HasPorts: hasPorts(FLOWS.tcp4),
    udp4HasPorts: hasPorts(FLOWS.udp4),
    tcp6HasPorts: hasPorts(FLOWS.tcp6),
    udp6HasPorts: hasPorts(FLOWS.udp6),
  };
}

/** More features than any kernel has. */
const FEATURES_MAX = 4096;

function readFeatures(ask: Ask): Map<string, DeviceFeature> {
  // struct ethtool_sset_info: command u32 | reserved u32 | sets u64 | how many, u32 for each set.
  const info = question(ETHTOOL_GSSET_INFO, 20);
  info.view.setBigUint64(8, 1n << BigInt(ETH_SS_FEATURES), IS_LITTLE_ENDIAN);
  const features = new Map<string, DeviceFeature>();
  if (!ask(info.bytes)) return features;
  const count = info.view.getUint32(16, IS_LITTLE_ENDIAN);
  if (count === 0 || count > FEATURES_MAX) return features;

  // struct ethtool_gstrings: command | set | how many (u32 each), then names of 32 bytes.
  const names = question(ETHTOOL_GSTRINGS, 12 + count * ETH_GSTRING_LEN);
  names.view.setUint32(4, ETH_SS_FEATURES, IS_LITTLE_ENDIAN);
  names.view.setUint32(8, count, IS_LITTLE_ENDIAN);
  // struct ethtool_gfeatures: command | how many blocks (u32 each), then blocks of 32 features: available, requested, active, never changed.
  const blocks = Math.ceil(count / 32);
  const states = question(ETHTOOL_GFEATURES, 8 + blocks * 16);
  states.view.setUint32(4, blocks, IS_LITTLE_ENDIAN);
  if (!ask(names.bytes) || !ask(states.bytes)) return features;

  for (let index = 0; index < count; index++) {
    const start = 12 + index * ETH_GSTRING_LEN;
    const name = readText(names.bytes.subarray(start, start + ETH_GSTRING_LEN)) ?? "";
    const block = 8 + (index >> 5) * 16;
    const has = (word: number): boolean =>
      ((states.view.getUint32(block + 4 * word, IS_LITTLE_ENDIAN) >>> (index & 31)) & 1) === 1;
    if (name !== "") features.set(name, { isOn: has(2), isFixed: !has(0) || has(3) });
  }
  return features;
}
