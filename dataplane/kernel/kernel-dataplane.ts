/**
 * The port's adapter for the running kernel. It owns maps and a program, not the interfaces that the program is attached to: who attaches it says by
 * `beforeReplace` how a new program gets onto them.
 *
 *     const dataplane = await openKernel(request);
 *     ... program its maps through the port ...
 *     attach dataplane.program, pin dataplane.maps
 */
import { type Dataplane, type DataplaneMap, type LoadRequest, MapError } from "../dataplane.ts";
import type { ObjectSpec } from "../object/spec.ts";
import { findVariable } from "../object/variables.ts";
import type { Descriptor } from "./descriptor.ts";
import { waitGracePeriod } from "./grace-period.ts";
import { KernelError } from "./kernel-error.ts";
import { type KernelMap, kernelMap } from "./kernel-map.ts";
import { type LoadedObject, type LoadOptions, loadObject, type MapDescriptors } from "./load.ts";
import { RawMap } from "./raw-map.ts";

export interface KernelInputs extends Pick<LoadOptions, "isMultiBuffer"> {
  /** A 64-bit variable of `.data` that the program reads as its clock, and what it counts; as for the simulator. */
  readonly programClock?: { readonly variable: string; readonly ticksPerSecond: number };
}

/** What is in the kernel already, by pins or otherwise. */
export interface ExistingDataplane {
  /** As it was loaded. Its `object` says what the maps' definitions are. */
  readonly request: LoadRequest;
  readonly program: Descriptor;
  /** By the object's names for them, `.rodata` included where it is to be read. */
  readonly maps: ReadonlyMap<string, MapDescriptors>;
}

/** A program that is about to take another's place, over the same maps. */
export interface Replacement {
  readonly request: LoadRequest;
  readonly program: Descriptor;
  /** Its own maps, which others did not have: `.rodata`, and any that the old program's object did not have. */
  readonly newMaps: ReadonlyMap<string, MapDescriptors>;
  /** What it replaces; closed afterwards. */
  readonly previous: Descriptor;
}

/**
 * Loads a program and its maps into the kernel. An outer map that `request.maxEntries` names gets one inner map for each CPU, of that size.
 * `request.cpuCount` is possibleCpuCount() for a program that is to be attached. Rejects as loadObject does.
 */
export async function openKernel(request: LoadRequest, inputs: KernelInputs = {}): Promise<KernelDataplane> {
  const loaded = await loadObject(request, inputs);
  return new KernelDataplane(loaded, inputs);
}

/** Takes over what is in the kernel already; from here on the dataplane owns the descriptors. */
export function adoptKernel(existing: ExistingDataplane, inputs: KernelInputs = {}): KernelDataplane {
  return new KernelDataplane(existing, inputs);
}

const NS_PER_SECOND = 1_000_000_000n;

export class KernelDataplane implements Dataplane {
  readonly kind = "kernel";
  readonly cpuCount: number;
  readonly #inputs: KernelInputs;
  readonly #descriptors = new Map<string, MapDescriptors>();
  readonly #maps = new Map<string, KernelMap>();
  readonly #raw = new Map<string, RawMap>();
  readonly #listeners: ((replacement: Replacement) => void | Promise<void>)[] = [];
  #request: LoadRequest;
  #program: Descriptor;
  #clock: { readonly map: DataplaneMap; readonly offsetBytes: number } | undefined;
  #isReplacing = false;
  #isClosed = false;

  /** See openKernel and adoptKernel. */
  constructor({ request, program, maps }: ExistingDataplane, inputs: KernelInputs) {
    this.cpuCount = request.cpuCount;
    this.#inputs = inputs;
    this.#request = request;
    this.#program = program;
    for (const [name, map] of maps) this.#descriptors.set(name, map);
    if (inputs.programClock !== undefined) {
      this.#clock = this.#openClock(request.object, inputs.programClock.variable);
    }
  }

  /** As the program that is loaded now was. */
  get request(): LoadRequest {
    return this.#request;
  }

  /** The program that is loaded now. Owned by the dataplane. */
  get program(): Descriptor {
    return this.#program;
  }

  /** Of every map by the object's name for it. Owned by the dataplane. */
  get maps(): ReadonlyMap<string, MapDescriptors> {
    return this.#descriptors;
  }

  map(name: string): DataplaneMap {
    const found = this.#maps.get(name);
    if (found !== undefined && !this.#isClosed) return found;
    const { descriptor, inner } = this.#requireMap(name);
    const map = kernelMap(name, descriptor, inner);
    this.#maps.set(name, map);
    return map;
  }

  /** A map of any type, by system calls, for what the port does not offer. Throws MapError when there is none of this name. */
  rawMap(name: string): RawMap {
    const { descriptor } = this.#requireMap(name);
    let map = this.#raw.get(name);
    if (map === undefined) {
      map = new RawMap(descriptor, name);
      this.#raw.set(name, map);
    }
    return map;
  }

  /**
   * Calls `listener` when a new program is loaded and before the old one is closed: to put it in place of the old one where that is attached, and
   * to pin it. When a listener rejects, the new program goes and the old one stays; listeners that had succeeded by then are not told, so only the
   * one that attaches should be able to fail, and undo its own work.
   */
  beforeReplace(listener: (replacement: Replacement) => void | Promise<void>): void {
    this.#listeners.push(listener);
  }

  async replaceProgram(request: LoadRequest): Promise<void> {
    this.#requireOpen();
    // Two at a time could leave one program on some interfaces and another on the rest.
    if (this.#isReplacing)
      throw new KernelError("busy", "replace the program", "it is being replaced already");
    this.#isReplacing = true;
    try {
      await this.#replace(request);
    } finally {
      this.#isReplacing = false;
    }
  }

  async gracePeriod(): Promise<void> {
    this.#requireOpen();
    await waitGracePeriod();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const map of this.#maps.values()) map.close();
    for (const map of this.#descriptors.values()) closeMap(map);
    this.#program.close();
  }

  /** Sets the program's own clock to a time; nothing for a dataplane without one. The kernel's clocks go on. */
  setTime(timestampNs: bigint): void {
    const ticksPerSecond = this.#inputs.programClock?.ticksPerSecond;
    if (ticksPerSecond !== undefined)
      this.setClockTicks((timestampNs * BigInt(ticksPerSecond)) / NS_PER_SECOND);
  }

  /** Sets the program's own clock. Throws RangeError when the dataplane was opened without one. */
  setClockTicks(ticks: bigint): void {
    if (this.#clock === undefined) throw new RangeError("the dataplane was opened without a programClock");
    this.#clock.map.store64(0, this.#clock.offsetBytes, ticks);
  }

  async #replace(request: LoadRequest): Promise<void> {
    if (request.cpuCount !== this.cpuCount) {
      throw new RangeError(`${request.cpuCount} CPUs, the loaded program has ${this.cpuCount}`);
    }
    const reuse = new Map<string, MapDescriptors>();
    for (const { name, isReadonly } of request.object.maps) {
      const present = this.#descriptors.get(name);
      if (present !== undefined && !isReadonly) reuse.set(name, present);
    }
    const loaded = await loadObject(request, { ...this.#inputs, reuse });
    try {
      this.#requireOpen();
      for (const listener of this.#listeners) await listener(replacementOf(loaded, this.#program));
      this.#requireOpen();
    } catch (error) {
      loaded.close();
      throw error;
    }
    this.#program.close();
    this.#program = loaded.program;
    this.#request = request;
    for (const [name, map] of loaded.maps) {
      this.#forget(name);
      this.#descriptors.set(name, map);
    }
  }

  #forget(name: string): void {
    this.#maps.get(name)?.close();
    this.#maps.delete(name);
    this.#raw.delete(name);
    const map = this.#descriptors.get(name);
    if (map !== undefined) closeMap(map);
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new KernelError("closed", "the kernel dataplane", "is closed");
  }

  #requireMap(name: string): MapDescriptors {
    if (this.#isClosed) throw new MapError("io", name, "the dataplane is closed");
    const map = this.#descriptors.get(name);
    if (map === undefined) throw new MapError("no-such-map", name, "the program has no such map");
    return map;
  }

  #openClock(object: ObjectSpec, name: string): { readonly map: DataplaneMap; readonly offsetBytes: number } {
    const variable = findVariable(object, name);
    if (variable.isReadonly || variable.sizeBytes !== 8) {
      const why = `variable "${name}" of ${variable.sizeBytes} bytes, expected a writable one of 8 as the clock`;
      throw new MapError("wrong-type", variable.map, why);
    }
    return { map: this.map(variable.map), offsetBytes: variable.offsetBytes };
  }
}

function replacementOf({ request, program, maps }: LoadedObject, previous: Descriptor): Replacement {
  return { request, program, newMaps: maps, previous };
}

function closeMap({ descriptor, inner }: MapDescriptors): void {
  for (const each of inner ?? []) each.close();
  descriptor.close();
}
