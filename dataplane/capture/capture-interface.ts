/**
 * What packets were captured on: a pcapng interface, or the one that a pcap file stands for. Plain data, the same from either
 * byte order, so that it can be written again.
 */
import { LINKTYPE_ETHERNET } from "./link-type.ts";

export interface CaptureInterface {
  readonly linkType: number;
  /** Longest packet the capture keeps; 0: no limit. */
  readonly snapLength: number;
  /** As `if_tsresol`: units are 10^-n seconds, or 2^-(n & 127) with bit 7 set. */
  readonly timestampResolution: number;
  /** As `if_tsoffset`: seconds to add to every timestamp. */
  readonly timestampOffsetSeconds: bigint;
  /** The other options of the interface (name, description, filter, ...), integers in little-endian order. */
  readonly options: readonly InterfaceOption[];
}

export interface InterfaceOption {
  /** IF_*, see pcapng-format.ts. */
  readonly code: number;
  readonly value: Uint8Array;
}

export const MICROSECONDS = 6;
export const NANOSECONDS = 9;

/** An Ethernet interface with nothing else said about it. */
export function ethernetInterface(timestampResolution: number, snapLength = 0): CaptureInterface {
  return {
    linkType: LINKTYPE_ETHERNET,
    snapLength,
    timestampResolution,
    timestampOffsetSeconds: 0n,
    options: [],
  };
}
