/**
 * The same packets through several engines, and after each the same verdict, the same bytes and the same maps.
 *
 * Comparing whole maps after every packet would cost a millisecond each: flow tables are megabytes. So with every packet the cache lines
 * are compared that the reference stores to, as they are before it and after it (touched-lines.ts), and the whole of all maps after
 * every slice of packets. When anything differs, the slice is run again from the state it began with (kept for that), each time half as long,
 * until the first packet is found after which something differs. Only what an engine itself changed and changed back goes unseen,
 * in lines that no packet of the slice has business with.
 *
 * After a difference all engines get the reference's maps, so that the next difference is one of its own.
 */
import type { ObjectSpec } from "../../dataplane/object/spec.ts";
import type { Config } from "../model/config.ts";
import type { NotRun, ProgrammedDataplane } from "./programmed-dataplane.ts";
import { openProgrammedSimulator, type ProgrammedSimulator } from "./replay-simulator.ts";
import { TouchedLines } from "./touched-lines.ts";
import {
  areAlike,
  type ComparedMaps,
  comparedMaps,
  differingElements,
  type ElementDifference,
  withMapViews,
} from "./verify-maps.ts";
import { ObservedInterpreter, type TraceStep } from "./verify-reference.ts";

/** What others are compared with. */
export interface ReferenceLane {
  readonly programmed: ProgrammedSimulator;
  /** The engine it was opened with. */
  readonly engine: ObservedInterpreter;
  /** The queue that every frame comes in by. */
  readonly queue: number;
}

/** Every frame goes to CPU `queue` of `cpuCount`, as it does in the engines that it is to be compared with. Rejects as openSimulator does. */
export async function openReference(
  config: Config,
  object: ObjectSpec,
  { queue, cpuCount }: { readonly queue: number; readonly cpuCount: number },
): Promise<ReferenceLane> {
  const engine = new ObservedInterpreter();
  const programmed = await openProgrammedSimulator(config, object, {
    queues: cpuCount,
    onlyQueue: queue,
    engine,
  });
  return { programmed, engine, queue };
}

export interface TimedFrame {
  readonly frame: Uint8Array;
  readonly timeNs: bigint;
}

export interface Result {
  readonly code: number;
  readonly frame: Uint8Array;
  /** Why the program was stopped, in words. */
  readonly fault: string | undefined;
}

/** The first packet after which an engine and the reference are not alike. */
export interface PacketDifference {
  /** Position in the slice. */
  readonly index: number;
  /** Of the engine that differs. */
  readonly engine: string;
  readonly expected: Result;
  readonly found: Result;
  /** The first elements of maps that differ, and how many do (at most MAP_DIFFERENCES_MAX). */
  readonly elements: readonly ElementDifference[];
  /** What the reference did with the packet. */
  readonly trace: readonly TraceStep[];
}

/** What differs though no packet has run since it was alike: what the control plane made of a config, or what packets must not touch. */
export interface MapsDifference {
  readonly engine: string;
  readonly elements: readonly ElementDifference[];
}

export const MAP_DIFFERENCES_MAX = 16;

interface Lane {
  readonly programmed: ProgrammedDataplane;
  readonly maps: ComparedMaps;
}

export class Verification {
  readonly #reference: ReferenceLane;
  readonly #referenceMaps: ComparedMaps;
  readonly #others: readonly Lane[];
  /** Of the maps that programs write, at the begin of the slice; the same for all engines. */
  #snapshot: Uint8Array[];

  /** All have been loaded and programmed alike. Throws MapError. */
  constructor(reference: ReferenceLane, others: readonly ProgrammedDataplane[], object: ObjectSpec) {
    this.#reference = reference;
    this.#referenceMaps = comparedMaps(reference.programmed.dataplane, object);
    this.#others = others.map((programmed) => ({
      programmed,
      maps: comparedMaps(programmed.dataplane, object),
    }));
    this.#snapshot = this.#takeSnapshot();
  }

  /** Why some engine does not run the frame; then none is to. */
  whyNotRun(frame: Uint8Array): NotRun | undefined {
    for (const { programmed } of this.#others) {
      const why = programmed.whyNotRun(frame);
      if (why !== undefined) return why;
    }
    return undefined;
  }

  /** Compares every map, those that the control plane writes among them. To be called before the first packet and after the last. */
  compareAllMaps(): MapsDifference | undefined {
    for (const kind of ["byControl", "byProgram"] as const) {
      for (const { programmed, maps } of this.#others) {
        const elements = withMapViews(this.#referenceMaps[kind], (expected) =>
          withMapViews(maps[kind], (found) =>
            differingElements(maps[kind], expected, found, MAP_DIFFERENCES_MAX),
          ),
        );
        if (elements.length > 0) return { engine: programmed.engine, elements };
      }
    }
    return undefined;
  }

  /** Lets every engine go over to another config. Rejects with PlanError. */
  async apply(config: Config): Promise<void> {
    await this.#reference.programmed.apply(config);
    for (const { programmed } of this.#others) await programmed.apply(config);
    this.#snapshot = this.#takeSnapshot();
  }

  /**
   * Runs a slice of frames that every engine runs. Undefined: all alike. Otherwise the first difference; the frames after it have not
   * run then, as far as the maps tell.
   */
  check(frames: readonly TimedFrame[]): PacketDifference | undefined {
    const end = this.#run(frames);
    if (end === undefined) {
      this.#snapshot = this.#takeSnapshot(this.#snapshot);
      return undefined;
    }
    const index = this.#firstDifferent(frames.slice(0, end));
    return this.#explain(frames.slice(0, index + 1));
  }

  /** Undefined: all alike, all the time and at the end. Else after how many frames something differs, which may have come earlier. */
  #run(frames: readonly TimedFrame[]): number | undefined {
    const { engine, programmed, queue } = this.#reference;
    return this.#withViews((expected, ...found) => {
      const touched = new TouchedLines(expected);
      engine.onStore = (address) => touched.note(address);
      try {
        for (const [index, { frame, timeNs }] of frames.entries()) {
          touched.clear();
          const { code, frame: bytes, fault } = programmed.process(frame, timeNs);
          if (fault !== undefined) return index + 1;
          for (const [i, lane] of this.#others.entries()) {
            if (index > 0 && !touched.wereAlike(found[i]!)) return index;
            const result = lane.programmed.process(frame, timeNs);
            const isAlike =
              result.code === code && result.queue === queue && Buffer.compare(result.frame, bytes) === 0;
            if (!isAlike || !touched.areAlike(found[i]!)) return index + 1;
          }
        }
      } finally {
        engine.onStore = undefined;
      }
      return found.every((views) => areAlike(expected, views)) ? undefined : frames.length;
    });
  }

  /** Position of the first frame after which something differs; it is known that something does after the last. */
  #firstDifferent(frames: readonly TimedFrame[]): number {
    let [alike, different] = [0, frames.length];
    // Mostly the difference showed at once: so first without the last.
    for (let middle = different - 1; different - alike > 1; middle = Math.floor((alike + different) / 2)) {
      this.#restore();
      const end = this.#run(frames.slice(0, middle));
      if (end === undefined) alike = middle;
      else different = Math.max(end, alike + 1);
    }
    return different - 1;
  }

  /** What differs after the last of these frames, the others being alike. Leaves all engines alike, after that frame. */
  #explain(frames: readonly TimedFrame[]): PacketDifference | undefined {
    this.#restore();
    const index = frames.length - 1;
    this.#run(frames.slice(0, index));
    const last = frames[index]!;
    const { programmed, engine } = this.#reference;
    const difference = this.#withViews((expected, ...found) => {
      let result: Result | undefined;
      const trace = engine.trace(
        () => {
          result = kept(programmed.process(last.frame, last.timeNs));
        },
        (address, sizeBytes) => this.#placeOf(expected, address, sizeBytes),
      );
      const results = this.#others.map((lane) => kept(lane.programmed.process(last.frame, last.timeNs)));
      const unlike = this.#others.map((lane, i) => ({
        engine: lane.programmed.engine,
        found: results[i]!,
        elements: differingElements(lane.maps.byProgram, expected, found[i]!, MAP_DIFFERENCES_MAX),
      }));
      const first =
        unlike.find(({ found, elements }) => elements.length > 0 || !isSameResult(result!, found)) ??
        unlike[0]!;
      return { index, ...first, expected: result!, trace };
    });
    this.#snapshot = this.#takeSnapshot(this.#snapshot);
    this.#restore();
    return difference;
  }

  /** Of an address of the reference's memory. */
  #placeOf(views: readonly Uint8Array[], address: number, sizeBytes: number): string | undefined {
    const { simulator } = this.#reference.programmed;
    const { xdp } = simulator.machine.cpu(this.#reference.queue);
    if (address >= xdp.data && address < xdp.dataEnd) {
      return `frame[${address - xdp.data}..${address - xdp.data + sizeBytes})`;
    }
    const m = views.findIndex(
      ({ byteOffset, byteLength }) => address >= byteOffset && address < byteOffset + byteLength,
    );
    if (m < 0) return undefined;
    const { name, strideBytes } = this.#referenceMaps.byProgram[m]!;
    return `${name}[${Math.floor((address - views[m]!.byteOffset) / strideBytes)}]`;
  }

  /** Of the maps that programs write: the reference's, then those of each other engine. */
  #withViews<T>(use: (expected: readonly Uint8Array[], ...found: (readonly Uint8Array[])[]) => T): T {
    const all = [this.#referenceMaps, ...this.#others.map(({ maps }) => maps)];
    const nest = (views: (readonly Uint8Array[])[]): T => {
      const next = all[views.length];
      if (next === undefined) return use(views[0]!, ...views.slice(1));
      return withMapViews(next.byProgram, (more) => nest([...views, more]));
    };
    return nest([]);
  }

  #takeSnapshot(into: readonly Uint8Array[] = []): Uint8Array[] {
    return withMapViews(this.#referenceMaps.byProgram, (views) =>
      views.map((bytes, m) => {
        const copy = into[m] ?? new Uint8Array(bytes.length);
        copy.set(bytes);
        return copy;
      }),
    );
  }

  /** Every engine's maps as they were at the begin of the slice. */
  #restore(): void {
    this.#withViews((...all) => {
      for (const views of all) for (const [m, bytes] of views.entries()) bytes.set(this.#snapshot[m]!);
    });
  }
}

function kept({ code, frame, fault }: ReturnType<ProgrammedDataplane["process"]>): Result {
  return { code, frame: frame.slice(), fault: fault?.message };
}

function isSameResult(expected: Result, found: Result): boolean {
  return (
    expected.fault === undefined &&
    found.fault === undefined &&
    expected.code === found.code &&
    Buffer.compare(expected.frame, found.frame) === 0
  );
}
