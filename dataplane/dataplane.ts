/**
 * The port between control and dataplane. Control code sees named maps, a program that can be replaced, and a
 * grace period; it cannot tell whether the kernel or the simulator is behind them.
 *
 * Maps are bytes here. Their meaning comes from the codecs in `dataplane/xdp/generated/balancer.ts`.
 */
import type { ObjectSpec } from "./object/spec.ts";

/** What is fixed when a program is loaded: option variables of `.rodata`, by name, and how many entries each map has. */
export interface LoadRequest {
  readonly object: ObjectSpec;
  readonly program: string;
  /** CPUs (simulator: RX queues). The loader gives per-CPU outer maps this many inner maps. */
  readonly cpuCount: number;
  /** Values of `.rodata` variables; those not named keep what the object has. */
  readonly options: ReadonlyMap<string, number | bigint | boolean>;
  /** Entries by map name; for a map-in-map, of its inner maps, of which it then has one for each CPU and no others. */
  readonly maxEntries: ReadonlyMap<string, number>;
}

export interface Dataplane {
  readonly kind: "simulator" | "kernel";
  readonly cpuCount: number;
  /** Throws MapError when the program has no such map. */
  map(name: string): DataplaneMap;
  /**
   * Replaces the program by one loaded with other options, over the same maps. Packets see the old program or the
   * new one. Map sizes cannot change this way: throws when the request's differ.
   */
  replaceProgram(request: LoadRequest): Promise<void>;
  /** Resolves when no packet that was being processed at the time of the call still is. */
  gracePeriod(): Promise<void>;
  close(): Promise<void>;
}

/** An array map, the only kind that control uses. All sizes in bytes. */
export interface DataplaneMap {
  readonly name: string;
  readonly valueSizeBytes: number;
  readonly maxEntries: number;
  /** A copy of one value. Throws MapError when out of range. */
  read(index: number): Uint8Array;
  /** Writes one value; a packet may see it half written, so only where nothing refers to the element yet. */
  write(index: number, value: Uint8Array): void;
  /** One aligned store that packets see at once. `offsetBytes` is a multiple of 4 or 8. */
  store32(index: number, offsetBytes: number, value: number): void;
  store64(index: number, offsetBytes: number, value: bigint): void;
  /**
   * The live bytes of `count` elements from `index`, `valueSizeBytes` rounded up to 8 apart, mapped for the length of the call;
   * the view is dead when `use` returns. Its byteOffset is a multiple of 8, so that typed arrays and Atomics work on its buffer.
   */
  withView<T>(index: number, count: number, use: (bytes: Uint8Array) => T): T;
  /** The inner map at `index` of a map-in-map. Throws MapError for other maps. */
  inner(index: number): DataplaneMap;
}

/**
 * A map that is not there, an index out of range, a definition no map can be made from ("bad-definition"), a map that is not as the program wants
 * it ("wrong-layout"), or a failing operation of the world below.
 */
export class MapError extends Error {
  readonly code:
    | "no-such-map"
    | "out-of-range"
    | "wrong-size"
    | "wrong-type"
    | "wrong-layout"
    | "bad-definition"
    | "io";
  readonly map: string;

  constructor(code: MapError["code"], map: string, message: string, options?: ErrorOptions) {
    super(`map "${map}": ${message}`, options);
    this.name = "MapError";
    this.code = code;
    this.map = map;
  }
}
