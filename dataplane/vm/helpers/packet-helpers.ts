/** Helpers on the packet (net/core/filter.c, Linux 6.18). */
import { EFAULT, EINVAL } from "../maps/errno.ts";
import {
  ANY,
  CONTEXT,
  type Helper,
  type HelperCall,
  READ_MEMORY,
  READ_MEMORY_OR_NONE,
  SIZE,
  WRITE_MEMORY,
} from "./helper.ts";

/** Of load_bytes and store_bytes. */
const OFFSET_MAX = 0xffff;

export const PACKET_HELPERS: readonly Helper[] = [
  {
    number: 44,
    name: "xdp_adjust_head",
    parameters: [CONTEXT, ANY],
    call: ({ cpu, registers }) => cpu.xdp.adjustHead(registers.signedLow(2)),
  },
  {
    number: 54,
    name: "xdp_adjust_meta",
    parameters: [CONTEXT, ANY],
    call: ({ cpu, registers }) => cpu.xdp.adjustMeta(registers.signedLow(2)),
  },
  {
    number: 65,
    name: "xdp_adjust_tail",
    parameters: [CONTEXT, ANY],
    call: ({ cpu, registers }) => cpu.xdp.adjustTail(registers.signedLow(2)),
  },
  { number: 188, name: "xdp_get_buff_len", parameters: [CONTEXT], call: ({ cpu }) => cpu.xdp.lengthBytes },
  {
    number: 189,
    name: "xdp_load_bytes",
    parameters: [CONTEXT, ANY, WRITE_MEMORY, SIZE],
    call: (call) => {
      const place = placeInPacket(call);
      if (place < 0) return place;
      const { machine, registers } = call;
      machine.memory.u8.copyWithin(registers.low(3), place, place + registers.low(4));
      return 0;
    },
  },
  {
    number: 190,
    name: "xdp_store_bytes",
    parameters: [CONTEXT, ANY, READ_MEMORY, SIZE],
    call: (call) => {
      const place = placeInPacket(call);
      if (place < 0) return place;
      const { machine, registers } = call;
      const from = registers.low(3);
      machine.memory.u8.copyWithin(place, from, from + registers.low(4));
      return 0;
    },
  },
  {
    number: 28,
    name: "csum_diff",
    parameters: [READ_MEMORY_OR_NONE, SIZE, READ_MEMORY_OR_NONE, SIZE, ANY],
    call: checksumDifference,
  },
];

/** The address of (r2: offset, r4: length) in the frame, or a negative errno. */
function placeInPacket({ cpu, registers }: HelperCall): number {
  const offset = registers.low(2);
  const length = registers.low(4);
  if (offset > OFFSET_MAX) return -EFAULT;
  if (offset + length > cpu.xdp.lengthBytes) return -EINVAL;
  return cpu.xdp.data + offset;
}

/**
 * The ones' complement sum of the seed, minus the words at r1, plus those at r3, folded to 16 bits. Kernels before 6.13 wanted lengths that are
 * multiples of 4 and did not fold; a caller that folds gets the same from both.
 */
function checksumDifference({ machine, registers }: HelperCall): number {
  const { u8 } = machine.memory;
  const fromBytes = registers.low(2);
  const toBytes = registers.low(4);
  let sum = registers.low(5);
  if (fromBytes > 0 && toBytes > 0) {
    const added = checksum(u8, registers.low(3), toBytes, sum);
    sum = addOnes(added, ~checksum(u8, registers.low(1), fromBytes, 0) >>> 0);
  } else if (toBytes > 0) {
    sum = checksum(u8, registers.low(3), toBytes, sum);
  } else if (fromBytes > 0) {
    sum = ~checksum(u8, registers.low(1), fromBytes, ~sum >>> 0) >>> 0;
  }
  // Fold: the high half of (sum + sum rotated by 16) has the carry of the low halves in it.
  return ((sum + ((sum >>> 16) | (sum << 16))) >>> 0) >>> 16;
}

/** RFC 1071 over 16-bit words as a little-endian machine loads them; an odd last byte is the low one of its word. 32 bits. */
function checksum(u8: Uint8Array, address: number, sizeBytes: number, seed: number): number {
  let sum = seed;
  const end = address + sizeBytes;
  for (let at = address; at + 1 < end; at += 2) sum = addOnes(sum, u8[at]! | (u8[at + 1]! << 8));
  if (sizeBytes % 2 === 1) sum = addOnes(sum, u8[end - 1]!);
  return sum;
}

/** With the carry added at the low end. */
function addOnes(a: number, b: number): number {
  const sum = a + b;
  return sum > 0xffff_ffff ? sum - 0xffff_ffff : sum;
}
