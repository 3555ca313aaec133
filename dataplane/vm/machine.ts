/**
 * Everything a program runs on but the engine: one linear memory with maps, stacks and packet buffers in it, and the inputs
 * that make a run repeatable: clock, random numbers, number of CPUs.
 *
 *     const machine = new Machine(object.maps, { cpuCount: 4 });
 *     const programs = linkObject(machine, object);
 *     const prepared = interpreter().prepare(programs.get("balance"), machine);
 *     const cpu = machine.cpu(0);
 *     cpu.xdp.load(frame, { ingressIfindex: 1, rxQueueIndex: 0 });
 *     const verdict = prepared.run(cpu.xdp.contextAddress, XDP_MD_SIZE_BYTES, 0);
 *
 * Memory is handed out when a map or a machine is made and never taken back.
 */
import { MapError } from "../dataplane.ts";
import type { MapSpec } from "../object/spec.ts";
import { Clock, type ClockOptions } from "./clock.ts";
import { Cpu } from "./cpu.ts";
import type { FibTable } from "./fib.ts";
import type { LinkedProgram } from "./link.ts";
import { createMap } from "./maps/create.ts";
import { DESCRIPTOR_ID } from "./maps/descriptor.ts";
import { errnoName } from "./maps/errno.ts";
import type { VmMap } from "./maps/map.ts";
import { isReadonlyForPrograms, u32Bytes } from "./maps/map-access.ts";
import { BPF_F_WRONLY_PROG, BPF_MAP_TYPE_PROG_ARRAY } from "./maps/map-type.ts";
import { Memory, type MemoryOptions } from "./memory.ts";
import { type Random, seededRandom } from "./random.ts";
import { RegionTable } from "./regions.ts";

/** Between two regions, so that a small step out of one is not a step into the next. */
const GUARD_BYTES = 256;

export interface MachineOptions {
  /** Each has a stack, a packet buffer and values of per-CPU maps. Default 1. */
  readonly cpuCount?: number;
  /** frame_sz of every packet buffer: headroom of 256, frame, tailroom, reserve of 320. Default 4096. */
  readonly bufferSizeBytes?: number;
  readonly clock?: ClockOptions;
  /** What bpf_get_prandom_u32 returns. Default: a generator of seed 0. */
  readonly random?: Random;
  /** Of hash tables. Default 0. */
  readonly hashSeed?: number;
  /** Bytes of each CPU's perf buffer. */
  readonly perfBufferBytes?: number;
  readonly memory?: MemoryOptions;
  /** Whether an interface has this index, for DEVMAPs and bpf_fib_lookup. Default: any but 0. */
  readonly isInterface?: (ifindex: number) => boolean;
  /** What bpf_fib_lookup finds. Default: nothing. */
  readonly fib?: FibTable;
  /** Takes what bpf_trace_printk prints. Default: nobody. */
  readonly tracePrintk?: (text: string, cpu: number) => void;
}

export class Machine {
  readonly memory: Memory;
  readonly cpuCount: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly fib: FibTable | undefined;
  readonly regions: RegionTable = new RegionTable();
  /** Where bpf_trace_printk prints to; the harness may change it. */
  tracePrintk: ((text: string, cpu: number) => void) | undefined;
  readonly #options: MachineOptions;
  readonly #cpus: readonly Cpu[];
  readonly #mapsByName = new Map<string, VmMap>();
  /** Index: id. Ids begin at 1. */
  readonly #mapsById: (VmMap | undefined)[] = [undefined];
  readonly #programsById: (LinkedProgram | undefined)[] = [undefined];

  /**
   * Makes every map as its spec says (for other sizes, or other options in `.rodata`, change the spec), and fills map-in-maps whose
   * spec says what with. Throws MapError when one cannot be made, and RangeError when memory runs out.
   */
  constructor(maps: readonly MapSpec[], options: MachineOptions = {}) {
    this.#options = options;
    this.memory = new Memory(options.memory);
    this.cpuCount = options.cpuCount ?? 1;
    this.clock = new Clock(options.clock);
    this.random = options.random ?? seededRandom(0);
    this.fib = options.fib;
    this.tracePrintk = options.tracePrintk;
    this.#cpus = Array.from(
      { length: this.cpuCount },
      (_, index) => new Cpu(this.memory, index, options.bufferSizeBytes),
    );
    for (const spec of maps) this.#mapsByName.set(spec.name, this.createMap(spec));
    for (const spec of maps) this.#fillMapInMap(spec);
  }

  /** Throws RangeError when there is no such CPU. */
  cpu(index: number): Cpu {
    const cpu = this.#cpus[index];
    if (cpu === undefined) throw new RangeError(`CPU ${index}, expected one of ${this.cpuCount}`);
    return cpu;
  }

  /** Maps of the specs the machine was made with, by name. */
  get maps(): ReadonlyMap<string, VmMap> {
    return this.#mapsByName;
  }

  /** Throws MapError when there is none. */
  map(name: string): VmMap {
    const map = this.#mapsByName.get(name);
    if (map === undefined) throw new MapError("no-such-map", name, "the program has no such map");
    return map;
  }

  /**
   * Another map, which is found by id and handle only: an inner map (put it in by `outer.updateValue(key, u32 id)`), or the `.rodata`
   * of a program that replaces another. Throws as the constructor does.
   */
  createMap(spec: MapSpec): VmMap {
    const { hashSeed, perfBufferBytes } = this.#options;
    this.memory.allocate(GUARD_BYTES);
    const map = createMap(spec, this.memory, {
      id: this.#mapsById.length,
      cpuCount: this.cpuCount,
      mapById: (id) => this.mapById(id),
      isProgram: (id) => this.programById(id) !== undefined,
      isInterface: (ifindex) => this.isInterface(ifindex),
      ...(hashSeed === undefined ? {} : { hashSeed }),
      ...(perfBufferBytes === undefined ? {} : { perfBufferBytes }),
    });
    this.#mapsById.push(map);
    if (map.valueRegion !== undefined) {
      this.regions.add({
        name: `map "${spec.name}"`,
        ...map.valueRegion,
        valueSizeBytes: map.spec.valueSizeBytes,
        isReadable: (map.spec.flags & BPF_F_WRONLY_PROG) === 0,
        isWritable: !isReadonlyForPrograms(map.spec),
      });
    }
    return map;
  }

  mapById(id: number): VmMap | undefined {
    return this.#mapsById[id];
  }

  /** The map that a program means by this number; undefined when it is no map's handle. */
  mapByHandle(handle: number): VmMap | undefined {
    // A handle is the address of a block that holds the map's id; any other number is found out by comparing.
    if (handle % 4 !== 0) return undefined;
    const id = this.memory.u32[(handle + DESCRIPTOR_ID) / 4];
    if (id === undefined) return undefined;
    const map = this.#mapsById[id];
    return map?.handle === handle ? map : undefined;
  }

  /**
   * Memory of the host's own that programs may use, zeroed: how something other than an XDP frame is handed to a program
   * as its context.
   */
  allocateRegion(region: {
    readonly name: string;
    readonly sizeBytes: number;
    readonly isWritable: boolean;
  }): number {
    this.memory.allocate(GUARD_BYTES);
    const address = this.memory.allocate(region.sizeBytes, 64);
    this.regions.add({
      name: region.name,
      address,
      sizeBytes: region.sizeBytes,
      strideBytes: Math.max(region.sizeBytes, 1),
      valueSizeBytes: region.sizeBytes,
      isReadable: true,
      isWritable: region.isWritable,
    });
    return address;
  }

  isInterface(ifindex: number): boolean {
    return this.#options.isInterface?.(ifindex) ?? ifindex !== 0;
  }

  /** What linkProgram registers programs with: ids name programs in PROG_ARRAYs. Returns the id. */
  addProgram(make: (id: number) => LinkedProgram): LinkedProgram {
    const program = make(this.#programsById.length);
    this.#programsById.push(program);
    return program;
  }

  programById(id: number): LinkedProgram | undefined {
    return this.#programsById[id];
  }

  /** Forgets a program that was replaced. PROG_ARRAYs that still hold its id find nothing. */
  removeProgram(program: LinkedProgram): void {
    this.#programsById[program.id] = undefined;
  }

  #fillMapInMap(spec: MapSpec): void {
    if (spec.values === undefined || spec.type === BPF_MAP_TYPE_PROG_ARRAY) return;
    for (const [index, name] of spec.values) {
      const result = this.map(spec.name).updateValue(u32Bytes(index), u32Bytes(this.map(name).id));
      if (result !== 0) {
        throw new MapError(
          "bad-definition",
          spec.name,
          `value ${index}, map "${name}", does not go in (${errnoName(result)}): it is not like the inner maps' definition`,
        );
      }
    }
  }
}
