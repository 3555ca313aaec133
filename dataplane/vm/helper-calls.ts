/**
 * Calls of helpers: finds the helper, checks its arguments against what it takes, calls it, and puts what it returns into r0. Engines
 * share it; an engine brings the registers and a way to run callbacks.
 */
import { type AccessCheck, type AccessKind, ARGUMENT_LOAD, ARGUMENT_STORE } from "./access.ts";
import type { Cpu } from "./cpu.ts";
import type { VmFault, VmFaultCode } from "./engine.ts";
import type { HelperCall, Parameter } from "./helpers/helper.ts";
import { explainUnknownHelper, helperByNumber } from "./helpers/table.ts";
import type { Machine } from "./machine.ts";
import type { VmMap } from "./maps/map.ts";
import { mapTypeName } from "./maps/map-type.ts";
import { ProgArray } from "./maps/prog-array.ts";
import type { Registers } from "./registers.ts";

/** The program at its call instruction. */
export interface CallSite {
  /** See HelperCall. */
  invoke(slot: number): void;
  /** First slot of the function whose address is in the register; -1 when none is. */
  functionArgument(register: number): number;
  callFault(facts: { readonly code: VmFaultCode; readonly why: string; readonly address?: bigint }): VmFault;
}

/** What the verifier takes a size for at most (BPF_MAX_VAR_SIZ). */
const SIZE_BYTES_MAX = 1 << 29;

export class HelperCalls implements HelperCall {
  readonly machine: Machine;
  readonly cpu: Cpu;
  readonly registers: Registers;
  readonly #access: AccessCheck;
  readonly #site: CallSite;
  #map: VmMap | undefined;
  /** For messages. */
  #name = "";

  constructor(machine: Machine, cpu: Cpu, registers: Registers, access: AccessCheck, site: CallSite) {
    this.machine = machine;
    this.cpu = cpu;
    this.registers = registers;
    this.#access = access;
    this.#site = site;
  }

  /** Throws VmFault "unknown-helper" or "bad-helper-argument", and whatever a callback throws. Leaves r1 to r5 to the engine. */
  call(number: number): void {
    const helper = helperByNumber(number);
    if (helper === undefined) {
      throw this.#site.callFault({ code: "unknown-helper", why: explainUnknownHelper(number) });
    }
    this.#name = helper.name;
    this.#map = undefined;
    const { parameters } = helper;
    for (let i = 0; i < parameters.length; i++) this.#check(parameters[i]!, i + 1);
    const result = helper.call(this);
    if (typeof result === "number") this.registers.set(0, result);
    else this.registers.u64[0] = result;
  }

  /** The program's id that a tail call goes to; 0: to none. Checks r1 to r3, as `call` does. */
  tailCallTarget(): number {
    this.#name = "tail_call";
    this.#checkContext(1);
    const map = this.#checkMap(2);
    if (!(map instanceof ProgArray))
      this.#refuse(2, `a ${mapTypeName(map.spec.type)} map, expected PROG_ARRAY`);
    return map.programId(this.registers.low(3));
  }

  get map(): VmMap {
    if (this.#map === undefined) throw new Error(`bpf_${this.#name} uses a map, but takes none`);
    return this.#map;
  }

  invoke(slot: number): void {
    this.#site.invoke(slot);
  }

  canRead(address: bigint, sizeBytes: number): boolean {
    return address <= 0xffff_ffffn && this.#access.allows(Number(address), sizeBytes, ARGUMENT_LOAD);
  }

  #refuse(register: number, why: string, address?: bigint): never {
    throw this.#site.callFault({
      code: "bad-helper-argument",
      why: `bpf_${this.#name}: argument ${register} is ${why}`,
      ...(address === undefined ? {} : { address }),
    });
  }

  #check(parameter: Parameter, register: number): void {
    switch (parameter.kind) {
      case "any":
      case "size": // Checked with the memory in front of it.
        return;
      case "context":
        this.#checkContext(register);
        return;
      case "map": {
        const map = this.#checkMap(register);
        const { types } = parameter;
        if (types !== undefined && !types.includes(map.spec.type)) {
          const wanted = types.map(mapTypeName).join(", ");
          this.#refuse(register, `a ${mapTypeName(map.spec.type)} map, expected ${wanted}`);
        }
        this.#map = map;
        return;
      }
      case "key":
        this.#checkMemory(register, this.map.spec.keySizeBytes, ARGUMENT_LOAD);
        return;
      case "value":
        this.#checkMemory(register, this.map.spec.valueSizeBytes, ARGUMENT_LOAD);
        return;
      case "fixed":
        this.#checkMemory(
          register,
          parameter.sizeBytes,
          parameter.isWritten ? ARGUMENT_STORE : ARGUMENT_LOAD,
        );
        return;
      case "memory":
        this.#checkSized(register, parameter);
        return;
      case "text":
        this.#checkText(register);
        return;
      case "function": {
        const slot = this.#site.functionArgument(register);
        if (slot < 0) this.#refuse(register, `${this.#hex(register)}, which is no function`);
        // The helper calls by slot.
        this.registers.set(register, slot);
        return;
      }
      case "record":
        this.#checkRecord(register);
        return;
      case "lock":
        this.#checkMemory(register, 4, ARGUMENT_STORE);
        if (this.machine.regions.find(this.registers.low(register)) === undefined) {
          this.#refuse(register, `${this.#hex(register)}, which is in no map`);
        }
        return;
    }
  }

  #checkContext(register: number): void {
    const { registers, cpu } = this;
    if (registers.high(register) !== 0 || registers.low(register) !== cpu.xdp.contextAddress) {
      this.#refuse(register, `${this.#hex(register)}, expected the program's context`);
    }
  }

  #checkMap(register: number): VmMap {
    const map =
      this.registers.high(register) === 0
        ? this.machine.mapByHandle(this.registers.low(register))
        : undefined;
    return map ?? this.#refuse(register, `${this.#hex(register)}, which is no map`);
  }

  /** Memory whose length the next argument has. */
  #checkSized(register: number, parameter: Extract<Parameter, { kind: "memory" }>): void {
    const { registers } = this;
    const size = registers.low(register + 1);
    if (registers.high(register + 1) !== 0 || size > SIZE_BYTES_MAX) {
      this.#refuse(
        register + 1,
        `a size of ${this.#hex(register + 1)}, at most ${SIZE_BYTES_MAX} is allowed`,
      );
    }
    if (size === 0) {
      if (parameter.isSizeZeroAllowed) return;
      this.#refuse(register + 1, "a size of 0");
    }
    this.#checkMemory(register, size, parameter.isWritten ? ARGUMENT_STORE : ARGUMENT_LOAD);
  }

  #checkMemory(register: number, sizeBytes: number, kind: AccessKind): void {
    const { registers } = this;
    if (registers.high(register) !== 0) this.#refuse(register, `${this.#hex(register)}, beyond memory`);
    const address = registers.low(register);
    if (this.#access.allows(address, sizeBytes, kind)) return;
    this.#refuse(
      register,
      `bad memory: ${this.#access.explain(address, sizeBytes, kind).why}`,
      BigInt(address),
    );
  }

  /** ARG_PTR_TO_CONST_STR: the zero must be there, inside the value. */
  #checkText(register: number): void {
    this.#checkMemory(register, 1, ARGUMENT_LOAD);
    const start = this.registers.low(register);
    const region = this.machine.regions.find(start);
    if (region === undefined || region.isWritable) {
      this.#refuse(register, `${this.#hex(register)}, expected a string in read-only data`);
    }
    const { u8 } = this.machine.memory;
    for (let at = start; this.#access.allows(at, 1, ARGUMENT_LOAD); at++) if (u8[at] === 0) return;
    this.#refuse(register, "a string that does not end");
  }

  #checkRecord(register: number): void {
    const { registers, cpu } = this;
    const isReserved =
      registers.high(register) === 0 &&
      cpu.records.some(({ address }) => address === registers.low(register));
    if (!isReserved)
      this.#refuse(register, `${this.#hex(register)}, which is no reserved ring buffer record`);
  }

  #hex(register: number): string {
    return `0x${this.registers.u64[register]!.toString(16)}`;
  }
}
