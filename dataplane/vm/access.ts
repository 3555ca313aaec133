/**
 * What a running program may load, store and hand to helpers. `allows` is asked before every access and answers yes or no; when it
 * was no, `explain` says why, which may take its time.
 *
 *     stack      the 512 bytes of every live frame                     loads, stores, atomics
 *     packet     data_meta (or data, where that is less) to data_end   loads, stores
 *     context    its 4-byte fields, whole and aligned                  loads
 *     keys       those that for_each_map_elem hands to a callback      loads
 *     records    ring buffer records while they are reserved           loads, stores, atomics
 *     regions    one value of a map, memory of the host                as the region says
 *
 * These are the rules that Linux' verifier proves of a program before it runs.
 */
import type { Cpu } from "./cpu.ts";
import { STACK_FRAME_BYTES, STACK_STRIDE_BYTES } from "./cpu.ts";
import type { VmFaultCode } from "./engine.ts";
import type { Machine } from "./machine.ts";
import { isInsideOneValue, type Region } from "./regions.ts";
import { XDP_MD_DATA_END, XDP_MD_DATA_META, XDP_MD_SIZE_BYTES } from "./xdp-buffer.ts";

/** argument: memory that a helper reads or writes, which the context never is. */
export const LOAD = 0;
export const STORE = 1;
export const ATOMIC = 2;
export const ARGUMENT_LOAD = 3;
export const ARGUMENT_STORE = 4;
export type AccessKind = 0 | 1 | 2 | 3 | 4;

const VERBS = ["load", "store", "atomic operation", "read", "write"] as const;

export class AccessCheck {
  readonly #machine: Machine;
  readonly #cpu: Cpu;
  readonly #context: number;
  readonly #stack: number;
  /** Bytes of stack from its start to the end of the last live frame's gap. */
  #liveStackBytes = 0;
  #u32: Uint32Array;

  constructor(machine: Machine, cpu: Cpu) {
    this.#machine = machine;
    this.#cpu = cpu;
    this.#context = cpu.xdp.contextAddress;
    this.#stack = cpu.stack;
    this.#u32 = machine.memory.u32;
  }

  /** Before a run: the memory may have grown since the last one. */
  begin(): void {
    this.#u32 = this.#machine.memory.u32;
  }

  /** How many frames are live: the depth of the running one, and it. */
  setDepth(depth: number): void {
    this.#liveStackBytes = (depth + 1) * STACK_STRIDE_BYTES;
  }

  /** `address` is an integer from 0 to 2^32 - 1. */
  allows(address: number, sizeBytes: number, kind: AccessKind): boolean {
    const intoStack = address - this.#stack;
    if (intoStack >= 0 && intoStack < this.#liveStackBytes) {
      return (intoStack & (STACK_STRIDE_BYTES - 1)) + sizeBytes <= STACK_FRAME_BYTES;
    }

    const context = this.#context >>> 2;
    const u32 = this.#u32;
    if (
      address >= u32[context + XDP_MD_DATA_META / 4]! &&
      address + sizeBytes <= u32[context + XDP_MD_DATA_END / 4]!
    ) {
      return kind !== ATOMIC;
    }

    const intoContext = address - this.#context;
    if (intoContext >= 0 && intoContext < XDP_MD_SIZE_BYTES) {
      return kind === LOAD && sizeBytes === 4 && (intoContext & 3) === 0;
    }

    const region = this.#machine.regions.find(address);
    if (region === undefined) {
      if (this.#isInRecord(address, sizeBytes)) return true;
      return (kind === LOAD || kind === ARGUMENT_LOAD) && this.#cpu.isInScratch(address, sizeBytes);
    }
    const isWrite = kind !== LOAD && kind !== ARGUMENT_LOAD;
    const isReadWrite = kind === ATOMIC;
    if (isWrite ? !region.isWritable : !region.isReadable) return false;
    if (isReadWrite && !region.isReadable) return false;
    return isInsideOneValue(region, address, sizeBytes);
  }

  /** Of an access that is not allowed. */
  explain(
    address: number,
    sizeBytes: number,
    kind: AccessKind,
  ): { readonly code: VmFaultCode; readonly why: string } {
    const what = `${VERBS[kind]} of ${sizeBytes} bytes at ${hex(address)}`;
    const outOfBounds = (why: string) => ({ code: "out-of-bounds", why: `${what}: ${why}` }) as const;
    const readOnly = (why: string) => ({ code: "read-only", why: `${what}: ${why}` }) as const;

    const intoStack = address - this.#stack;
    if (intoStack >= 0 && intoStack < this.#liveStackBytes) {
      const depth = Math.floor(intoStack / STACK_STRIDE_BYTES);
      const fromTop = (intoStack % STACK_STRIDE_BYTES) - STACK_FRAME_BYTES;
      return outOfBounds(
        `${signed(fromTop)} from the frame pointer of depth ${depth}, a frame is -${STACK_FRAME_BYTES} to -1`,
      );
    }
    const intoContext = address - this.#context;
    if (intoContext >= 0 && intoContext < XDP_MD_SIZE_BYTES) {
      if (kind === STORE || kind === ATOMIC) return readOnly("the context is read-only");
      if (kind !== LOAD) return outOfBounds("the context is not memory a helper takes");
      return outOfBounds(`byte ${intoContext} of the context, whose fields are 4 bytes each`);
    }
    const packet = this.#explainPacket(address, sizeBytes, kind);
    if (packet !== undefined) return outOfBounds(packet);

    if (this.#cpu.isInScratch(address, sizeBytes)) return readOnly("the key of a callback is read-only");
    const region = this.#machine.regions.find(address);
    if (region === undefined) return outOfBounds(this.#explainNowhere(address));
    const isStore = kind === STORE || kind === ARGUMENT_STORE || kind === ATOMIC;
    if (isStore && !region.isWritable) return readOnly(`${region.name} is read-only`);
    if (!isStore && !region.isReadable) return outOfBounds(`${region.name} is write-only`);
    return outOfBounds(explainValue(region, address));
  }

  #isInRecord(address: number, sizeBytes: number): boolean {
    for (const record of this.#cpu.records) {
      if (address >= record.address && address + sizeBytes <= record.address + record.sizeBytes) return true;
    }
    return false;
  }

  /** Undefined when the address has nothing to do with the packet. */
  #explainPacket(address: number, sizeBytes: number, kind: AccessKind): string | undefined {
    const { xdp } = this.#cpu;
    const isNear = address >= xdp.bufferStart && address < xdp.bufferEnd;
    if (!isNear) return undefined;
    const { dataMeta, data, dataEnd } = xdp;
    if (kind === ATOMIC && address >= dataMeta && address + sizeBytes <= dataEnd) {
      return "the packet takes no atomic operations";
    }
    const metadata = dataMeta < data ? `, with ${data - dataMeta} bytes of metadata in front` : "";
    return `byte ${address - data} of a frame of ${dataEnd - data} bytes${metadata}`;
  }

  #explainNowhere(address: number): string {
    const record = this.#cpu.records.findLast((candidate) => address >= candidate.address);
    if (record !== undefined && address < record.address + record.sizeBytes + 4096) {
      return `byte ${address - record.address} of a ring buffer record of ${record.sizeBytes} bytes`;
    }
    const map = this.#machine.mapByHandle(address);
    if (map !== undefined) return `this is map "${map.spec.name}" itself, not a value of it`;
    if (address < 65536) return "a null pointer";
    const nearest = this.#machine.regions.nearest(address);
    if (nearest === undefined) return "nothing is there";
    return `nothing is there; the nearest before it is ${nearest.name}, which ended ${address - nearest.address - nearest.sizeBytes} bytes earlier`;
  }
}

function explainValue(region: Region, address: number): string {
  const into = address - region.address;
  const index = Math.floor(into / region.strideBytes);
  return `byte ${into % region.strideBytes} of value ${index} of ${region.name}, whose values have ${region.valueSizeBytes} bytes`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function signed(value: number): string {
  return value < 0 ? String(value) : `+${value}`;
}
