/**
 * Atomic operations (RFC 9669, section 5.3) on the machine's memory. They are the host's own, so that machines that share a memory
 * between threads can count in it.
 */
import { BPF_ADD, BPF_AND, BPF_CMPXCHG, BPF_FETCH, BPF_OR, BPF_XCHG, BPF_XOR } from "../isa/opcodes.ts";
import type { Memory } from "./memory.ts";
import type { Registers } from "./registers.ts";

export class AtomicOperations {
  readonly #registers: Registers;
  readonly #memory: Memory;

  constructor(registers: Registers, memory: Memory) {
    this.#registers = registers;
    this.#memory = memory;
  }

  /** `operation` is the instruction's immediate; `address` a multiple of 8; `src` the index of the register's low word. */
  apply64(operation: number, address: number, src: number): void {
    const { u64 } = this.#registers;
    const cells = this.#memory.u64;
    const index = address / 8;
    const operand = u64[src / 2]!;
    if (operation === BPF_CMPXCHG) {
      u64[0] = Atomics.compareExchange(cells, index, u64[0]!, operand);
      return;
    }
    const old = exchange64(operation, cells, index, operand);
    if ((operation & BPF_FETCH) !== 0) u64[src / 2] = old;
  }

  /** The same on 32 bits; `address` is a multiple of 4. What is fetched is zero-extended. */
  apply32(operation: number, address: number, src: number): void {
    const { words } = this.#registers;
    const cells = this.#memory.i32;
    const index = address / 4;
    const operand = words[src]!;
    if (operation === BPF_CMPXCHG) {
      words[0] = Atomics.compareExchange(cells, index, words[0]!, operand);
      words[1] = 0;
      return;
    }
    const old = exchange32(operation, cells, index, operand);
    if ((operation & BPF_FETCH) === 0) return;
    words[src] = old;
    words[src + 1] = 0;
  }
}

function exchange64(operation: number, cells: BigUint64Array, index: number, operand: bigint): bigint {
  if (operation === BPF_XCHG) return Atomics.exchange(cells, index, operand);
  switch (operation & ~BPF_FETCH) {
    case BPF_ADD:
      return Atomics.add(cells, index, operand);
    case BPF_OR:
      return Atomics.or(cells, index, operand);
    case BPF_AND:
      return Atomics.and(cells, index, operand);
    case BPF_XOR:
      return Atomics.xor(cells, index, operand);
    default:
      throw new Error(`atomic operation ${operation}, which the structure check lets nobody use`);
  }
}

function exchange32(operation: number, cells: Int32Array, index: number, operand: number): number {
  if (operation === BPF_XCHG) return Atomics.exchange(cells, index, operand);
  switch (operation & ~BPF_FETCH) {
    case BPF_ADD:
      return Atomics.add(cells, index, operand);
    case BPF_OR:
      return Atomics.or(cells, index, operand);
    case BPF_AND:
      return Atomics.and(cells, index, operand);
    case BPF_XOR:
      return Atomics.xor(cells, index, operand);
    default:
      throw new Error(`atomic operation ${operation}, which the structure check lets nobody use`);
  }
}
