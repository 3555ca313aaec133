/**
 * The programs around the one that is measured: a generator that the kernel runs over and over in live-frames mode (Linux 5.18), a sink that
 * counts what comes back, and the least a program can do.
 *
 * The kernel recycles the pages of live frames and does not restore what a program changed in them, so the generator writes the
 * whole frame each time.
 */
import { assemble } from "../dataplane/isa/assemble.ts";
import type { Instruction } from "../dataplane/isa/instruction.ts";

/** Of every frame: a TCP segment without data over IPv6, with some padding; a whole number of words. */
export const FRAME_BYTES = 80;

/** The one value of the generator's map. */
export const GENERATOR_STATE_BYTES = 96;
/** Byte offsets in it: what to send, a count of frames, which low bits of a number derived from it change the source port, where that port is, and where to send. */
export const GENERATOR_STATE = { frame: 0, sequence: 80, portMask: 84, ifindex: 88, portOffset: 92 } as const;

/** The one value of the sink's map: how many frames came, and how many bytes they had. */
export const SINK_STATE_BYTES = 16;
export const SINK_STATE = { frames: 0, bytes: 8 } as const;

/** Writes a frame and sends it out of the interface that its map names. */
export function generator(mapFd: number): readonly Instruction[] {
  const words = Array.from({ length: FRAME_BYTES / 8 }, (_, word) => [
    `r1 = *(u64 *)(r0 + ${GENERATOR_STATE.frame + 8 * word})`,
    `*(u64 *)(r7 + ${8 * word}) = r1`,
  ]).flat();
  return assemble(`
    r7 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r4 = r7
    r4 += ${FRAME_BYTES}
    if r4 > r3 goto abort
    r0 = map_val(map_by_fd(${mapFd})) + 0
    ${words.join("\n")}
    r1 = *(u32 *)(r0 + ${GENERATOR_STATE.sequence})
    r1 += 1
    *(u32 *)(r0 + ${GENERATOR_STATE.sequence}) = r1
    w1 *= 0x9E3779B1
    w1 >>= 8
    r2 = *(u32 *)(r0 + ${GENERATOR_STATE.portMask})
    r1 &= r2
    r2 = *(u32 *)(r0 + ${GENERATOR_STATE.portOffset})
    if r2 > ${FRAME_BYTES - 2} goto abort
    r7 += r2
    r4 = r7
    r4 += 2
    if r4 > r3 goto abort
    r2 = *(u16 *)(r7 + 0)
    r2 ^= r1
    *(u16 *)(r7 + 0) = r2
    r1 = *(u32 *)(r0 + ${GENERATOR_STATE.ifindex})
    r2 = 0
    call 23
    exit
    abort:
    r0 = 0
    exit`);
}

/** Drops every frame, and counts it. */
export function sink(mapFd: number): readonly Instruction[] {
  return assemble(`
    r2 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r3 -= r2
    r0 = map_val(map_by_fd(${mapFd})) + 0
    r1 = *(u64 *)(r0 + ${SINK_STATE.frames})
    r1 += 1
    *(u64 *)(r0 + ${SINK_STATE.frames}) = r1
    r1 = *(u64 *)(r0 + ${SINK_STATE.bytes})
    r1 += r3
    *(u64 *)(r0 + ${SINK_STATE.bytes}) = r1
    r0 = 1
    exit`);
}

/** Sends every frame back as it is: what any program on the way costs at least. */
export function bounce(): readonly Instruction[] {
  return assemble("r0 = 3\nexit");
}
