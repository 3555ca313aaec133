/**
 * Checks that every kind of map shares: what a program may do to a map made read-only for it, and that user space
 * hands over as many bytes as the map's definition says.
 */
import { MapError } from "../../dataplane.ts";
import type { MapSpec } from "../../object/spec.ts";
import { BPF_F_RDONLY_PROG, BPF_NOEXIST } from "./map-type.ts";

const LINE_BYTES = 64;

/**
 * Whether the map is read-only for programs. The kernel's verifier refuses such a program (-EACCES at load); a machine
 * that runs it unverified answers its call with the same number.
 */
export function isReadonlyForPrograms(spec: MapSpec): boolean {
  return spec.isReadonly || (spec.flags & BPF_F_RDONLY_PROG) !== 0;
}

/** Update flags of an array element, which always exists: 0, "exists" or "invalid". */
export function arrayUpdateFlags(flags: bigint): "fine" | "exists" | "invalid" {
  if (flags > 2n || flags < 0n) return "invalid";
  return flags === BPF_NOEXIST ? "exists" : "fine";
}

/** Throws MapError unless `key` has the map's key size: the kernel would read whatever lies behind a short one. */
export function requireKeySize(spec: MapSpec, key: Uint8Array): void {
  if (key.length !== spec.keySizeBytes) {
    throw new MapError(
      "wrong-size",
      spec.name,
      `key of ${key.length} bytes, expected ${spec.keySizeBytes} bytes`,
    );
  }
}

/** Throws MapError unless the value has `expectedBytes`: for a per-CPU map those of every CPU's value together. */
export function requireValueSize(spec: MapSpec, value: Uint8Array, expectedBytes: number): void {
  if (value.length !== expectedBytes) {
    throw new MapError(
      "wrong-size",
      spec.name,
      `value of ${value.length} bytes, expected ${expectedBytes} bytes`,
    );
  }
}

/** A u32 key or value in little-endian bytes. */
export function readU32(bytes: Uint8Array): number {
  return (bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16) | (bytes[3]! << 24)) >>> 0;
}

export function u32Bytes(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
}

/** bpf_map_get_next_key of everything that is indexed: every index exists, filled or not. */
export function nextIndex(key: Uint8Array | undefined, maxEntries: number): Uint8Array | undefined {
  if (key === undefined) return u32Bytes(0);
  const index = readU32(key);
  if (index >= maxEntries) return u32Bytes(0);
  return index === maxEntries - 1 ? undefined : u32Bytes(index + 1);
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/**
 * Bytes from one CPU's values to the next CPU's: whole strides, so that all values of a map lie at multiples of the stride from the
 * first, and whole cache lines, so that no two CPUs write one.
 */
export function perCpuSpan(count: number, strideBytes: number): number {
  const perLine = Math.max(1, LINE_BYTES / (strideBytes & -strideBytes));
  return roundUp(count, perLine) * strideBytes;
}
