/**
 * The port's adapter for laptops and tests: a virtual machine in place of the kernel, and simulated NICs in place of real ones. It runs
 * any XDP object and knows nothing of what one is for; what it has to know of the program's variables, the caller says.
 *
 *     const simulator = await openSimulator(request, { programClock: { variable: "clock_ticks", ticksPerSecond: 1000 } });
 *     ... program its maps through the port ...
 *     const nic = simulator.createNic();
 *     const outcome = nic.process(frame, timestampNs);
 */
import { type Dataplane, type DataplaneMap, type LoadRequest, MapError } from "./dataplane.ts";
import { Nic, type NicOptions } from "./nic/nic.ts";
import { findVariable } from "./object/variables.ts";
import { requestedMaps, requireSameMap } from "./requested-maps.ts";
import { simulatorMap } from "./simulator-map.ts";
import type { Engine, PreparedProgram } from "./vm/engine.ts";
import { interpreter } from "./vm/interpreter.ts";
import { type LinkedProgram, linkObject } from "./vm/link.ts";
import { Machine, type MachineOptions } from "./vm/machine.ts";
import type { ArrayMap } from "./vm/maps/array.ts";
import { errnoName } from "./vm/maps/errno.ts";
import { isMapInMap } from "./vm/maps/inner-map.ts";
import type { VmMap } from "./vm/maps/map.ts";
import { u32Bytes } from "./vm/maps/map-access.ts";
import { BPF_MAP_TYPE_PROG_ARRAY } from "./vm/maps/map-type.ts";

/** What a kernel has by itself and a simulator has to be given. */
export interface SimulatorInputs {
  /** Default: the interpreter. */
  readonly engine?: Engine;
  /** A 64-bit variable of `.data` that the program reads as its clock, and what it counts. */
  readonly programClock?: { readonly variable: string; readonly ticksPerSecond: number };
  readonly machine?: Pick<
    MachineOptions,
    | "bufferSizeBytes"
    | "clock"
    | "fib"
    | "hashSeed"
    | "isInterface"
    | "memory"
    | "perfBufferBytes"
    | "random"
    | "tracePrintk"
  >;
}

/**
 * Loads a program into a new simulator. An outer map that `request.maxEntries` names gets one inner map for each CPU, of that size;
 * other maps are as the object has them.
 *
 * Rejects with ObjectError for an option the object does not have, MapError for a map it does not have or that cannot be made, RangeError for
 * an option's value that does not fit, VmFault "bad-program" for a program that cannot be linked.
 */
export async function openSimulator(request: LoadRequest, inputs: SimulatorInputs = {}): Promise<Simulator> {
  return new Simulator(request, inputs);
}

const NS_PER_SECOND = 1_000_000_000n;

export class Simulator implements Dataplane {
  readonly kind = "simulator";
  readonly cpuCount: number;
  /** For what the port does not offer: ring buffers, hash maps, a second program. */
  readonly machine: Machine;
  readonly #engine: Engine;
  readonly #clock: ProgramClock | undefined;
  readonly #nics: Nic[] = [];
  /** `.rodata` and its like, which every program has for itself. */
  #readonlyMaps: ReadonlyMap<string, VmMap>;
  #programs: readonly LinkedProgram[];
  #prepared: PreparedProgram;
  #isClosed = false;

  constructor(request: LoadRequest, inputs: SimulatorInputs = {}) {
    const specs = requestedMaps(request);
    this.cpuCount = request.cpuCount;
    this.machine = new Machine(specs, { ...inputs.machine, cpuCount: request.cpuCount });
    fillPerCpuMaps(this.machine, request);
    this.#engine = inputs.engine ?? interpreter();
    this.#clock = openClock(request, this.machine, inputs.programClock);
    this.#readonlyMaps = new Map();
    const loaded = this.#load(request);
    this.#programs = loaded.programs;
    this.#prepared = loaded.prepared;
  }

  map(name: string): DataplaneMap {
    this.#requireOpen(name);
    return simulatorMap(this.machine, this.#readonlyMaps.get(name) ?? this.machine.map(name));
  }

  /** Takes memory for another `.rodata` each time, since a machine gives none back: a few hundred bytes. */
  async replaceProgram(request: LoadRequest): Promise<void> {
    this.#requireOpen(request.program);
    if (request.cpuCount !== this.cpuCount) {
      throw new RangeError(`${request.cpuCount} CPUs, the loaded program has ${this.cpuCount}`);
    }
    const specs = requestedMaps(request);
    for (const spec of specs) if (!spec.isReadonly) requireSameMap(spec, this.machine.map(spec.name).spec);

    const readonlyMaps = new Map<string, VmMap>();
    for (const spec of specs) {
      if (spec.isReadonly) readonlyMaps.set(spec.name, this.machine.createMap(spec));
    }
    const loaded = this.#load(request, readonlyMaps);
    for (const nic of this.#nics) nic.attach(loaded.prepared);
    for (const program of this.#programs) this.machine.removeProgram(program);
    this.#readonlyMaps = readonlyMaps;
    this.#programs = loaded.programs;
    this.#prepared = loaded.prepared;
  }

  /** Frames are processed one after another, so none is under way when anybody can ask. */
  async gracePeriod(): Promise<void> {}

  /** The memory is given back when nothing refers to the simulator any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const nic of this.#nics.splice(0)) nic.attach(undefined);
  }

  /**
   * A NIC that runs this simulator's program, also after it is replaced. Queue i is CPU i. Before each frame the clocks are set
   * to its timestamp, unless the options bring a `setTime` of their own.
   */
  createNic(options: NicOptions = {}): Nic {
    const nic = new Nic(this.machine, { setTime: (timestampNs) => this.setTime(timestampNs), ...options });
    nic.attach(this.#prepared);
    this.#nics.push(nic);
    return nic;
  }

  /** Sets every clock that the program can see: the kernel's, and the program's own where there is one. */
  setTime(timestampNs: bigint): void {
    this.machine.clock.monotonicNs = timestampNs;
    this.#clock?.setTime(timestampNs);
  }

  /** Sets the program's own clock alone. Throws RangeError when the simulator was opened without one. */
  setClockTicks(ticks: bigint): void {
    if (this.#clock === undefined) throw new RangeError("the simulator was opened without a programClock");
    this.#clock.setTicks(ticks);
  }

  #load(
    request: LoadRequest,
    maps: ReadonlyMap<string, VmMap> = new Map(),
  ): { readonly programs: readonly LinkedProgram[]; readonly prepared: PreparedProgram } {
    const { object, program } = request;
    // Programs that are tail-called are linked along; others of the object may be for hooks that there are not.
    const wanted = new Set([program]);
    for (const { type, values } of object.maps) {
      if (type === BPF_MAP_TYPE_PROG_ARRAY) for (const name of values?.values() ?? []) wanted.add(name);
    }
    const linked = linkObject(this.machine, object, { maps, isWanted: ({ name }) => wanted.has(name) });
    const main = linked.get(program);
    if (main === undefined) {
      const known = object.programs.map(({ name }) => `"${name}"`).join(", ");
      throw new RangeError(`program "${program}", expected one of ${known}`);
    }
    return { programs: [...linked.values()], prepared: this.#engine.prepare(main, this.machine) };
  }

  #requireOpen(name: string): void {
    if (this.#isClosed) throw new MapError("io", name, "the simulator is closed");
  }
}

/** The cell that a program reads as its clock. */
class ProgramClock {
  readonly #machine: Machine;
  readonly #address: number;
  readonly #ticksPerSecond: bigint;

  constructor(machine: Machine, address: number, ticksPerSecond: number) {
    this.#machine = machine;
    this.#address = address;
    this.#ticksPerSecond = BigInt(ticksPerSecond);
  }

  setTicks(ticks: bigint): void {
    this.#machine.memory.view.setBigUint64(this.#address, ticks, true);
  }

  setTime(timestampNs: bigint): void {
    this.setTicks((timestampNs * this.#ticksPerSecond) / NS_PER_SECOND);
  }
}

function openClock(
  request: LoadRequest,
  machine: Machine,
  clock: SimulatorInputs["programClock"],
): ProgramClock | undefined {
  if (clock === undefined) return undefined;
  const variable = findVariable(request.object, clock.variable);
  if (variable.isReadonly || variable.sizeBytes !== 8) {
    throw new MapError(
      "wrong-type",
      variable.map,
      `variable "${variable.name}" of ${variable.sizeBytes} bytes, expected a writable one of 8 as the clock`,
    );
  }
  const values = machine.map(variable.map) as ArrayMap;
  return new ProgramClock(machine, values.elementAddress(0, 0) + variable.offsetBytes, clock.ticksPerSecond);
}

/** One inner map for each CPU, in every outer map that the request sizes. */
function fillPerCpuMaps(machine: Machine, request: LoadRequest): void {
  for (const name of request.maxEntries.keys()) {
    const outer = machine.map(name);
    const { inner } = outer.spec;
    if (!isMapInMap(outer.spec.type) || inner === undefined) continue;
    for (let cpu = 0; cpu < request.cpuCount; cpu++) {
      const map = machine.createMap({ ...inner, name: `${name}[${cpu}]` });
      const result = outer.updateValue(u32Bytes(cpu), u32Bytes(map.id));
      if (result !== 0) throw new MapError("io", name, `inner map of CPU ${cpu}: ${errnoName(result)}`);
    }
  }
}
