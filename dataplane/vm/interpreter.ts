/**
 * The reference engine: it looks at one instruction after another and does what RFC 9669 says. Made to be read and to be right; a compiled
 * program must do exactly the same.
 *
 * What the RFC leaves open, and what every engine does:
 * - At the start r1 is the context, r2 its size, r10 the frame pointer, and every other register 0. A function starts with r1 to r5 as
 *   its caller set them and the others 0.
 * - After a call r1 to r5 are 0, and after one of a function r6 to r10 are what they were.
 * - A stack frame holds whatever was last written there.
 * - A tail call keeps the frame and r1 and nothing else. In a function it replaces that function: the program it goes to returns to
 *   the function's caller. The 34th, and one to an empty slot, does nothing.
 *
 * Structure was checked when the program was linked (structure.ts); everything that depends on values is checked here.
 */
import * as opcodes from "../isa/opcodes.ts";
import { AccessCheck, type AccessKind, ATOMIC, LOAD, STORE } from "./access.ts";
import { alu32, alu64, byteSwap, holds32, holds64 } from "./alu.ts";
import { AtomicOperations } from "./atomic.ts";
import { CALL_FRAMES_MAX, type Cpu } from "./cpu.ts";
import type { Engine, PreparedProgram, VmFault, VmFaultCode } from "./engine.ts";
import { faultAt } from "./fault.ts";
import { type CallSite, HelperCalls } from "./helper-calls.ts";
import type { LinkedProgram } from "./link.ts";
import type { Machine } from "./machine.ts";
import { FRAME_POINTER, Registers } from "./registers.ts";

// Constants of this module, not of another: where a test runner emulates modules, each use of an imported one is a property read,
// and in the loop below that made everything 5 times slower (vitest 4: 60 against 12 us for one packet of our program).
const {
  BPF_ALU,
  BPF_ALU64,
  BPF_ATOMIC,
  BPF_B,
  BPF_CALL,
  BPF_END,
  BPF_EXIT,
  BPF_H,
  BPF_JA,
  BPF_JMP,
  BPF_JMP32,
  BPF_LD,
  BPF_LDX,
  BPF_MEMSX,
  BPF_PSEUDO_CALL,
  BPF_ST,
  BPF_STX,
  BPF_W,
  BPF_X,
} = opcodes;

export interface InterpreterOptions {
  /** Instructions a run may execute; default a million, which is what Linux' verifier follows. */
  readonly stepLimit?: number;
  /**
   * Called before every instruction. `registers` are live, r0 to r10. Costs nothing when it is not there.
   */
  readonly trace?: (slot: number, registers: BigUint64Array, program: LinkedProgram) => void;
  /** Called before every store of an instruction, atomic ones included: what a run may have changed. What helpers write is not told. */
  readonly onStore?: (address: number, sizeBytes: number) => void;
}

const STEP_LIMIT_DEFAULT = 1_000_000;
const TAIL_CALL = 12;
/** MAX_TAIL_CALL_CNT. */
const TAIL_CALLS_MAX = 33;
/** Index of r6's low word, and one past r9's high word: what a call saves. */
const SAVED_FIRST = 12;
const SAVED_END = 20;
const SAVED_WORDS: number = SAVED_END - SAVED_FIRST;
const FP: number = 2 * FRAME_POINTER;

export function interpreter(options: InterpreterOptions = {}): Engine {
  return {
    name: "interpreter",
    prepare: (program, machine) => new InterpretedProgram(program, machine, options),
  };
}

/** A program's fields as arrays, so that the loop reads numbers and no objects. Registers are indices of their low words. */
interface Code {
  readonly program: LinkedProgram;
  readonly opcode: Uint8Array;
  readonly dst: Uint8Array;
  readonly src: Uint8Array;
  readonly offset: Int16Array;
  readonly imm: Int32Array;
  /** High half of a 64-bit immediate; of any other its sign extension. */
  readonly immHigh: Int32Array;
}

function codeOf(program: LinkedProgram): Code {
  const { instructions } = program;
  return {
    program,
    opcode: Uint8Array.from(instructions, ({ opcode }) => opcode),
    dst: Uint8Array.from(instructions, ({ dst }) => 2 * dst),
    src: Uint8Array.from(instructions, ({ src }) => 2 * src),
    offset: Int16Array.from(instructions, ({ offset }) => offset),
    imm: Int32Array.from(instructions, ({ imm }) => imm),
    immHigh: Int32Array.from(instructions, ({ imm, imm64 }) =>
      imm64 === undefined ? imm >> 31 : Number(BigInt.asIntN(32, imm64 >> 32n)),
    ),
  };
}

class InterpretedProgram implements PreparedProgram {
  readonly #code: Code;
  readonly #machine: Machine;
  readonly #options: InterpreterOptions;
  readonly #runs: (Run | undefined)[] = [];

  constructor(program: LinkedProgram, machine: Machine, options: InterpreterOptions) {
    this.#code = codeOf(program);
    this.#machine = machine;
    this.#options = options;
  }

  run(contextAddress: number, contextSizeBytes: number, cpu: number): bigint {
    this.#runs[cpu] ??= new Run(this.#machine, this.#machine.cpu(cpu), this.#options);
    return this.#runs[cpu].start(this.#code, contextAddress, contextSizeBytes);
  }
}

/** One CPU's state of execution, used for one run after another. */
class Run implements CallSite {
  readonly #machine: Machine;
  readonly #cpu: Cpu;
  readonly #access: AccessCheck;
  readonly #atomics: AtomicOperations;
  readonly #helpers: HelperCalls;
  readonly #registers = new Registers();
  readonly #words: Int32Array = this.#registers.words;
  readonly #stepLimit: number;
  readonly #trace: InterpreterOptions["trace"];
  readonly #onStore: InterpreterOptions["onStore"];
  /** Programs tail-called so far, by id. */
  readonly #codes: (Code | undefined)[] = [];

  /** Of the frames below the running one: r6 to r9, where to go on, and in which program. */
  readonly #saved = new Int32Array(CALL_FRAMES_MAX * SAVED_WORDS);
  readonly #returnSlots = new Int32Array(CALL_FRAMES_MAX);
  readonly #returnCodes: (Code | undefined)[] = new Array(CALL_FRAMES_MAX).fill(undefined);
  #depth = 0;
  #tailCalls = 0;

  /** The call of a helper that is going on. */
  #callCode: Code | undefined;
  #callSlot = 0;

  /** Steps until `#outOfFuel` has to look: the whole limit, or none while tracing. */
  #fuel = 0;
  #stepsTraced = 0;

  // Of the machine's memory, as of the run's begin.
  #view: DataView;

  constructor(machine: Machine, cpu: Cpu, options: InterpreterOptions) {
    this.#machine = machine;
    this.#cpu = cpu;
    this.#access = new AccessCheck(machine, cpu);
    this.#atomics = new AtomicOperations(this.#registers, machine.memory);
    this.#helpers = new HelperCalls(machine, cpu, this.#registers, this.#access, this);
    this.#stepLimit = options.stepLimit ?? STEP_LIMIT_DEFAULT;
    this.#trace = options.trace;
    this.#onStore = options.onStore;
    this.#view = machine.memory.view;
  }

  start(code: Code, contextAddress: number, contextSizeBytes: number): bigint {
    this.#view = this.#machine.memory.view;
    this.#access.begin();
    this.#cpu.beginRun();
    this.#setDepth(0);
    this.#tailCalls = 0;
    this.#stepsTraced = 0;
    this.#fuel = this.#trace === undefined ? this.#stepLimit : 0;
    this.#words.fill(0);
    this.#registers.set(1, contextAddress);
    this.#registers.set(2, contextSizeBytes);
    this.#registers.set(FRAME_POINTER, this.#cpu.framePointer(0));

    let reservedCount = 0;
    let lastSlot = 0;
    try {
      lastSlot = this.#execute(code, 0);
    } finally {
      reservedCount = this.#cpu.endRun();
    }
    if (reservedCount > 0) {
      const why = `the program ends with ${reservedCount} ring buffer records neither submitted nor discarded`;
      throw this.#fault(code, lastSlot, { code: "bad-program", why });
    }
    return this.#registers.u64[0]!;
  }

  /** Runs until the frame that is the running one now is left. Returns the slot of its exit. */
  #execute(firstCode: Code, firstSlot: number): number {
    const words = this.#words;
    const depthAtStart = this.#depth;
    let code = firstCode;
    let slot = firstSlot;

    for (;;) {
      if (--this.#fuel < 0) this.#outOfFuel(code, slot);
      const opcode = code.opcode[slot]!;
      const dst = code.dst[slot]!;

      switch (opcode & 0x07) {
        case BPF_ALU64: {
          const src = code.src[slot]!;
          if ((opcode & 0xf0) === BPF_END) byteSwap(words, dst, code.imm[slot]!, true);
          else if ((opcode & BPF_X) !== 0) {
            alu64(opcode & 0xf0, code.offset[slot]!, words, dst, words[src]!, words[src + 1]!);
          } else {
            alu64(opcode & 0xf0, code.offset[slot]!, words, dst, code.imm[slot]!, code.immHigh[slot]!);
          }
          slot++;
          break;
        }

        case BPF_ALU:
          if ((opcode & 0xf0) === BPF_END) byteSwap(words, dst, code.imm[slot]!, (opcode & BPF_X) !== 0);
          else {
            const operand = (opcode & BPF_X) !== 0 ? words[code.src[slot]!]! : code.imm[slot]!;
            alu32(opcode & 0xf0, code.offset[slot]!, words, dst, operand);
          }
          slot++;
          break;

        case BPF_LDX: {
          const address = this.#locate(code, slot, code.src[slot]!, LOAD);
          if ((opcode & 0xe0) === BPF_MEMSX) this.#loadSigned(opcode & 0x18, address, dst);
          else this.#load(opcode & 0x18, address, dst);
          slot++;
          break;
        }

        case BPF_STX: {
          if ((opcode & 0xe0) === BPF_ATOMIC) this.#atomic(code, slot);
          else {
            const src = code.src[slot]!;
            const address = this.#locate(code, slot, dst, STORE);
            this.#store(opcode & 0x18, address, words[src]!, words[src + 1]!);
          }
          slot++;
          break;
        }

        case BPF_ST: {
          const address = this.#locate(code, slot, dst, STORE);
          this.#store(opcode & 0x18, address, code.imm[slot]!, code.immHigh[slot]!);
          slot++;
          break;
        }

        case BPF_LD: // The only one is the 64-bit immediate.
          words[dst] = code.imm[slot]!;
          words[dst + 1] = code.immHigh[slot]!;
          slot += 2;
          break;

        case BPF_JMP32:
          if (opcode === (BPF_JMP32 | BPF_JA)) slot += code.imm[slot]!;
          else {
            const operand = (opcode & BPF_X) !== 0 ? words[code.src[slot]!]! : code.imm[slot]!;
            if (holds32(opcode & 0xf0, words[dst]!, operand)) slot += code.offset[slot]!;
          }
          slot++;
          break;

        case BPF_JMP:
          switch (opcode & 0xf0) {
            case BPF_JA:
              slot += code.offset[slot]! + 1;
              break;

            case BPF_CALL: {
              const target = this.#localTarget(code, slot);
              if (target >= 0) {
                this.#enter(code, slot);
                slot = target;
                break;
              }
              const helper = this.#helperNumber(code, slot);
              if (helper === TAIL_CALL) {
                const next = this.#tailCall(code, slot);
                slot = next === undefined ? slot + 1 : 0;
                code = next ?? code;
              } else {
                this.#callHelper(helper, code, slot);
                slot++;
              }
              break;
            }

            case BPF_EXIT:
              if (this.#depth === depthAtStart) return slot;
              this.#leave();
              slot = this.#returnSlots[this.#depth]!;
              code = this.#returnCodes[this.#depth]!;
              break;

            default: {
              const src = code.src[slot]!;
              const isRegister = (opcode & BPF_X) !== 0;
              const low = isRegister ? words[src]! : code.imm[slot]!;
              const high = isRegister ? words[src + 1]! : code.immHigh[slot]!;
              if (holds64(opcode & 0xf0, words, dst, low, high)) slot += code.offset[slot]!;
              slot++;
            }
          }
          break;
      }
    }
  }

  // ---------------------------------------------------------------------------------------------- loads and stores

  /** The address (register + offset) of an access of the instruction's size. Throws VmFault unless the program may make it. */
  #locate(code: Code, slot: number, base: number, kind: AccessKind): number {
    const words = this.#words;
    const address = (words[base]! >>> 0) + code.offset[slot]!;
    if (words[base + 1] !== 0 || address < 0 || address > 0xffff_ffff)
      return this.#locateFar(code, slot, base, kind);
    const sizeBytes = sizeOf(code.opcode[slot]!);
    if (!this.#access.allows(address, sizeBytes, kind))
      throw this.#badAccess(code, slot, address, sizeBytes, kind);
    if (kind !== LOAD) this.#onStore?.(address, sizeBytes);
    return address;
  }

  /** Where the sum leaves 32 bits: a bad address, unless it wraps around 64 bits to a small one. */
  #locateFar(code: Code, slot: number, base: number, kind: AccessKind): number {
    const sizeBytes = sizeOf(code.opcode[slot]!);
    const sum = BigInt.asUintN(64, this.#registers.u64[base / 2]! + BigInt(code.offset[slot]!));
    const address = Number(sum);
    if (sum <= 0xffff_ffffn) {
      if (this.#access.allows(address, sizeBytes, kind)) {
        if (kind !== LOAD) this.#onStore?.(address, sizeBytes);
        return address;
      }
      throw this.#badAccess(code, slot, address, sizeBytes, kind);
    }
    throw this.#fault(code, slot, {
      code: "out-of-bounds",
      why: `access of ${sizeBytes} bytes at 0x${sum.toString(16)}: memory ends at 4 GiB`,
      address: sum,
    });
  }

  #load(size: number, address: number, dst: number): void {
    const words = this.#words;
    const view = this.#view;
    words[dst + 1] = 0;
    switch (size) {
      case BPF_B:
        words[dst] = view.getUint8(address);
        return;
      case BPF_H:
        words[dst] = view.getUint16(address, true);
        return;
      case BPF_W:
        words[dst] = view.getInt32(address, true);
        return;
      default:
        words[dst] = view.getInt32(address, true);
        words[dst + 1] = view.getInt32(address + 4, true);
    }
  }

  #loadSigned(size: number, address: number, dst: number): void {
    const view = this.#view;
    const value =
      size === BPF_B
        ? view.getInt8(address)
        : size === BPF_H
          ? view.getInt16(address, true)
          : view.getInt32(address, true);
    this.#words[dst] = value;
    this.#words[dst + 1] = value >> 31;
  }

  #store(size: number, address: number, low: number, high: number): void {
    const view = this.#view;
    switch (size) {
      case BPF_B:
        view.setUint8(address, low);
        return;
      case BPF_H:
        view.setUint16(address, low, true);
        return;
      case BPF_W:
        view.setInt32(address, low, true);
        return;
      default:
        view.setInt32(address, low, true);
        view.setInt32(address + 4, high, true);
    }
  }

  #atomic(code: Code, slot: number): void {
    const address = this.#locate(code, slot, code.dst[slot]!, ATOMIC);
    const sizeBytes = sizeOf(code.opcode[slot]!);
    if (address % sizeBytes !== 0) {
      throw this.#fault(code, slot, {
        code: "misaligned",
        why: `atomic operation at 0x${address.toString(16)}, not a multiple of ${sizeBytes}`,
        address: BigInt(address),
      });
    }
    if (sizeBytes === 8) this.#atomics.apply64(code.imm[slot]!, address, code.src[slot]!);
    else this.#atomics.apply32(code.imm[slot]!, address, code.src[slot]!);
  }

  // ---------------------------------------------------------------------------------------------- calls

  /** First slot of the function that the call goes to; -1 when it goes to a helper. */
  #localTarget(code: Code, slot: number): number {
    if (code.opcode[slot] === (BPF_JMP | BPF_CALL)) {
      return code.src[slot] === 2 * BPF_PSEUDO_CALL ? slot + 1 + code.imm[slot]! : -1;
    }
    // callx: a function's address, or a helper's number.
    const register = code.dst[slot]! / 2;
    if (this.#registers.high(register) === 0) return -1;
    const target = this.#functionAt(code, register);
    if (target >= 0) return target;
    const why = `call to 0x${this.#registers.u64[register]!.toString(16)}, where no function is`;
    throw this.#fault(code, slot, { code: "bad-program", why });
  }

  #helperNumber(code: Code, slot: number): number {
    const isDirect = code.opcode[slot] === (BPF_JMP | BPF_CALL);
    return isDirect ? code.imm[slot]! : this.#words[code.dst[slot]!]!;
  }

  /** First slot of the function whose address (link.ts) is in the register; -1 when none of this program is. */
  #functionAt(code: Code, register: number): number {
    const { id, functionSlots } = code.program;
    const target = this.#registers.low(register);
    return this.#registers.high(register) === id && functionSlots.includes(target) ? target : -1;
  }

  /** A new frame, which returns behind the call at `slot`. */
  #enter(code: Code, slot: number): void {
    const depth = this.#depth;
    if (depth + 1 >= CALL_FRAMES_MAX) {
      const why = `call ${depth + 2} frames deep, at most ${CALL_FRAMES_MAX} are allowed`;
      throw this.#fault(code, slot, { code: "call-depth", why });
    }
    const words = this.#words;
    const base = depth * SAVED_WORDS;
    for (let i = 0; i < SAVED_WORDS; i++) this.#saved[base + i] = words[SAVED_FIRST + i]!;
    this.#returnSlots[depth] = slot + 1;
    this.#returnCodes[depth] = code;
    words.fill(0, SAVED_FIRST, SAVED_END);
    words.fill(0, 0, 2);
    this.#setDepth(depth + 1);
    words[FP] = this.#cpu.framePointer(depth + 1);
  }

  #leave(): void {
    const depth = this.#depth - 1;
    const words = this.#words;
    const base = depth * SAVED_WORDS;
    for (let i = 0; i < SAVED_WORDS; i++) words[SAVED_FIRST + i] = this.#saved[base + i]!;
    this.#clobberArguments();
    this.#setDepth(depth);
    words[FP] = this.#cpu.framePointer(depth);
  }

  #setDepth(depth: number): void {
    this.#depth = depth;
    this.#access.setDepth(depth);
  }

  /** r1 to r5. */
  #clobberArguments(): void {
    this.#words.fill(0, 2, 12);
  }

  #callHelper(number: number, code: Code, slot: number): void {
    // Kept apart for a callback: another call may come before this one is over.
    const outerCode = this.#callCode;
    const outerSlot = this.#callSlot;
    this.#callCode = code;
    this.#callSlot = slot;
    this.#helpers.call(number);
    this.#callCode = outerCode;
    this.#callSlot = outerSlot;
    this.#clobberArguments();
  }

  /** Runs a callback of the helper that is being called. */
  invoke(target: number): void {
    const code = this.#callCode!;
    this.#enter(code, this.#callSlot);
    this.#execute(code, target);
    this.#leave();
  }

  functionArgument(register: number): number {
    return this.#functionAt(this.#callCode!, register);
  }

  /** bpf_tail_call(context, PROG_ARRAY, index). Undefined when it goes on behind the call. */
  #tailCall(code: Code, slot: number): Code | undefined {
    this.#callCode = code;
    this.#callSlot = slot;
    const id = this.#helpers.tailCallTarget();
    const context = this.#words[2]!;
    this.#clobberArguments();
    const program = id === 0 ? undefined : this.#machine.programById(id);
    if (program === undefined || this.#tailCalls >= TAIL_CALLS_MAX) return undefined;
    this.#tailCalls++;
    this.#words.fill(0, 0, FP);
    this.#words[2] = context;
    let next = this.#codes[id];
    if (next?.program !== program) {
      next = codeOf(program);
      this.#codes[id] = next;
    }
    return next;
  }

  // ---------------------------------------------------------------------------------------------- faults

  #outOfFuel(code: Code, slot: number): void {
    const steps = this.#trace === undefined ? this.#stepLimit : this.#stepsTraced;
    if (steps >= this.#stepLimit) {
      const why = `more than ${this.#stepLimit} instructions executed: an endless loop?`;
      throw this.#fault(code, slot, { code: "step-limit", why });
    }
    this.#stepsTraced++;
    this.#fuel = 0;
    this.#trace?.(slot, this.#registers.u64, code.program);
  }

  #badAccess(code: Code, slot: number, address: number, sizeBytes: number, kind: AccessKind): VmFault {
    const facts = this.#access.explain(address, sizeBytes, kind);
    return this.#fault(code, slot, { ...facts, address: BigInt(address) });
  }

  /** A fault of the helper that is being called. */
  callFault(facts: FaultFacts): VmFault {
    return this.#fault(this.#callCode!, this.#callSlot, facts);
  }

  #fault(code: Code, slot: number, facts: FaultFacts): VmFault {
    return faultAt(code.program.spec, slot, facts);
  }
}

interface FaultFacts {
  readonly code: VmFaultCode;
  readonly why: string;
  readonly address?: bigint;
}

/** Bytes that a load or store of this opcode moves. */
function sizeOf(opcode: number): number {
  switch (opcode & 0x18) {
    case BPF_B:
      return 1;
    case BPF_H:
      return 2;
    case BPF_W:
      return 4;
    default:
      return 8;
  }
}
