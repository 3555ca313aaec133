/**
 * What every CPU of a machine has for itself: a stack, a packet buffer with its context, and what the running program has asked for
 * and not yet got: a redirect, ring buffer records.
 *
 * Of the stack every frame has 512 bytes, and between two frames lie as many that belong to none, so that an access past either
 * end of a frame is found:
 *
 *     stack + depth * 1024    + 512 (r10)      + 1024
 *     | frame                 | gap            | next frame ...
 */

import type { VmMap } from "./maps/map.ts";
import type { Ringbuf } from "./maps/ringbuf.ts";
import type { Memory } from "./memory.ts";
import { XdpBuffer } from "./xdp-buffer.ts";

/** Bytes of stack of one function (MAX_BPF_STACK). */
export const STACK_FRAME_BYTES = 512;
export const STACK_STRIDE_BYTES = 1024;
/** Functions that may be active at once, the first included (MAX_CALL_FRAMES). */
export const CALL_FRAMES_MAX = 8;

/** A key of a hash table has at most 512 bytes, and a callback is at least one frame deep. */
const SCRATCH_ROW_BYTES = 512;
const SCRATCH_ROWS = CALL_FRAMES_MAX;

/**
 * Where a packet with verdict XDP_REDIRECT shall go, as the helpers left it:
 * - none: neither helper was called, so there is nowhere to go
 * - interface: to the interface `target` (bpf_redirect, or bpf_redirect_map with a DEVMAP: then `map` and `key` say which entry)
 * - cpu: to the CPU `target`, an entry of a CPUMAP
 * - socket: to the AF_XDP socket `target`, an entry of an XSKMAP
 * - broadcast: to every interface of the DEVMAP `map`, but for the one it came from when `isIngressExcluded`
 */
export interface Redirect {
  kind: "none" | "interface" | "cpu" | "socket" | "broadcast";
  target: number;
  map: VmMap | undefined;
  key: number;
  isIngressExcluded: boolean;
}

/** A ring buffer record between bpf_ringbuf_reserve and submit or discard; writable in that time. */
export interface ReservedRecord {
  readonly ring: Ringbuf;
  readonly address: number;
  readonly sizeBytes: number;
}

export class Cpu {
  readonly index: number;
  /** Start of the first frame. */
  readonly stack: number;
  readonly xdp: XdpBuffer;
  readonly redirect: Redirect = {
    kind: "none",
    target: 0,
    map: undefined,
    key: 0,
    isIngressExcluded: false,
  };
  readonly records: ReservedRecord[] = [];
  readonly #scratch: number;
  readonly #scratchSizes = new Int32Array(SCRATCH_ROWS);
  #scratchCount = 0;

  constructor(memory: Memory, index: number, bufferSizeBytes?: number) {
    this.index = index;
    this.stack = memory.allocate(CALL_FRAMES_MAX * STACK_STRIDE_BYTES, STACK_STRIDE_BYTES);
    this.xdp = new XdpBuffer(memory, bufferSizeBytes);
    this.#scratch = memory.allocate(SCRATCH_ROWS * SCRATCH_ROW_BYTES, SCRATCH_ROW_BYTES);
  }

  /** Every engine calls it before a run. */
  beginRun(): void {
    this.redirect.kind = "none";
    this.redirect.map = undefined;
    this.#scratchCount = 0;
  }

  /** Room for a map's key while a callback runs with it, for the program to read only. Give it back when the callback has returned. */
  takeScratch(sizeBytes: number): number {
    const row = this.#scratchCount++;
    this.#scratchSizes[row] = sizeBytes;
    return this.#scratch + row * SCRATCH_ROW_BYTES;
  }

  giveScratch(): void {
    this.#scratchCount--;
  }

  /** Whether the bytes lie in one of the keys that callbacks are running with. */
  isInScratch(address: number, sizeBytes: number): boolean {
    const into = address - this.#scratch;
    const row = Math.floor(into / SCRATCH_ROW_BYTES);
    if (row < 0 || row >= this.#scratchCount) return false;
    return (into % SCRATCH_ROW_BYTES) + sizeBytes <= this.#scratchSizes[row]!;
  }

  /** Every engine calls it after a run, however it ended. Gives reserved records back, so that the ring goes on; returns how many. */
  endRun(): number {
    const count = this.records.length;
    for (const { ring, address } of this.records) ring.discard(address);
    this.records.length = 0;
    return count;
  }

  /** r10 of the frame at this depth; 0 is the program's own. */
  framePointer(depth: number): number {
    return this.stack + depth * STACK_STRIDE_BYTES + STACK_FRAME_BYTES;
  }
}
