/**
 * A decapsulation that needs no process: maps, programs and where they are attached, pinned under one directory. Whoever opens it holds
 * the lock on the directory until close().
 *
 * For XDP it lies there as pin-layout.ts says; tc-pins.ts has the rest. Interfaces are those of the calling thread's network namespace.
 */
import { type LoadRequest, MapError } from "../dataplane.ts";
import type { Descriptor } from "../kernel/descriptor.ts";
import { lockDirectory } from "../kernel/directory-lock.ts";
import { findInterface } from "../kernel/find-interface.ts";
import { KernelError } from "../kernel/kernel-error.ts";
import { isLinuxSince } from "../kernel/kernel-version.ts";
import { attachXdp, type RequestedMode } from "../kernel/link.ts";
import { type LoadedObject, loadObject, type MapDescriptors } from "../kernel/load.ts";
import { PinLayout } from "../kernel/pin-layout.ts";
import { removePinDirectory, requirePinDirectory } from "../kernel/pins.ts";
import { programInfo } from "../kernel/program-info.ts";
import { possibleCpuCount, RawMap } from "../kernel/raw-map.ts";
import { type AttachMode, type NetworkInterface, queryXdp } from "../kernel/xdp-state.ts";
import type { ObjectSpec } from "../object/spec.ts";
import type { AcceptanceMaps } from "./acceptance.ts";
import { TcPins } from "./tc-pins.ts";

/** auto: XDP where the driver can run it, tc elsewhere. */
export type RequestedHook = "xdp" | "tc" | "auto";

export interface Placement {
  readonly hook: "xdp" | "tc";
  /** Of XDP. */
  readonly mode: AttachMode | undefined;
  /** Why it is not what was asked for first: native XDP. */
  readonly fallback: KernelError | undefined;
}

export interface AttachedInterface {
  readonly name: string;
  readonly hook: "xdp" | "tc";
  /** Of XDP; undefined where it does not run. */
  readonly mode: AttachMode | undefined;
  /** False: the interface is gone, is in another network namespace, or lost the program to somebody else. */
  readonly isRunning: boolean;
}

const XDP_PROGRAM = "decap_xdp";
const TC_PROGRAM = "decap_tc";

/** Every map of the object. */
const MAPS = ["settings", "vips", "sources", "reason_counters"] as const;

export interface OpenOptions {
  readonly mode: "exclusive" | "shared";
  /** How long to wait for others who hold the lock. */
  readonly waitMs: number;
}

export class DecapInstance {
  readonly directory: string;
  readonly maps: AcceptanceMaps & { readonly reasons: RawMap };
  readonly #lock: Descriptor;
  readonly #layout: PinLayout;
  readonly #tc: TcPins;
  readonly #descriptors: readonly Descriptor[];

  private constructor(lock: Descriptor, layout: PinLayout) {
    this.directory = layout.directory;
    this.#lock = lock;
    this.#layout = layout;
    this.#tc = new TcPins(layout.directory);
    const opened = MAPS.map((name) => [name, layout.openMap(name)] as const);
    this.#descriptors = opened.map(([, descriptor]) => descriptor);
    const map = (wanted: (typeof MAPS)[number]): RawMap =>
      new RawMap(opened.find(([name]) => name === wanted)![1], wanted);
    this.maps = {
      settings: map("settings"),
      vips: map("vips"),
      sources: map("sources"),
      reasons: map("reason_counters"),
    };
  }

  /** Undefined when there is none. Rejects with KernelError. */
  static async open(directory: string, { mode, waitMs }: OpenOptions): Promise<DecapInstance | undefined> {
    const path = requirePinDirectory(directory);
    const lock = await lockDirectory(path, { mode, isMade: false, waitMs });
    if (lock === undefined) return undefined;
    try {
      const layout = new PinLayout(path);
      requireBackend(layout);
      if (mode === "exclusive") {
        new TcPins(path).requireNamespace(path);
        layout.settle();
      }
      if (layout.hasInstance) return new DecapInstance(lock, layout);
      if (mode === "exclusive") {
        // What is left of one that was never whole.
        new TcPins(path).remove();
        removePinDirectory(path);
      }
      lock.close();
      return undefined;
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  /** Opens the instance, or makes one that accepts everything and is attached nowhere; its programs are this object's. Rejects with KernelError. */
  static async openOrCreate(
    directory: string,
    object: ObjectSpec,
    { waitMs }: { readonly waitMs: number },
  ): Promise<DecapInstance> {
    const path = requirePinDirectory(directory);
    const lock = await lockDirectory(path, { mode: "exclusive", isMade: true, waitMs });
    if (lock === undefined) throw new KernelError("not-found", `lock ${path}`, "it is not there");
    const layout = new PinLayout(path);
    try {
      requireBackend(layout);
      new TcPins(path).requireNamespace(path);
      layout.settle();
      const isNew = !layout.hasInstance;
      if (isNew) await create(layout, object);
      const instance = new DecapInstance(lock, layout);
      if (!isNew) await instance.#useProgramsOf(object);
      return instance;
    } catch (error) {
      if (!layout.hasInstance) removePinDirectory(path);
      lock.close();
      throw error;
    }
  }

  /** When its program for XDP was loaded, which is when it began, or was last upgraded. */
  get loadedAt(): Date {
    const program = this.#layout.openProgram();
    try {
      return programInfo(program).loadedAt;
    } finally {
      program.close();
    }
  }

  /**
   * Attaches to an interface. Where it is already, "auto" keeps it as it is, and another hook takes over before the one that was there is
   * left, so that it decapsulates throughout. Even so a driver may lose packets when native XDP begins or ends, and transmission stops for a
   * moment when the interface gets a clsact qdisc. Throws KernelError; then it is as it was.
   */
  attach(target: NetworkInterface, hook: RequestedHook, mode: RequestedMode): Placement {
    const present = this.#present(target);
    if (present !== undefined && (hook === "auto" || hook === present.hook)) {
      const isSameMode = hook === "tc" || mode === "auto" || mode === present.mode;
      if (isSameMode) return { ...present, fallback: undefined };
      // Native and generic cannot be on one interface at a time.
      this.#layout.removeLink(target.name);
    }
    const placement = hook === "tc" ? this.#attachTc(target) : this.#attachXdp(target, hook, mode);
    if (present !== undefined && present.hook !== placement.hook) this.#takeOff(target.name, present.hook);
    return placement;
  }

  /** False when it is not attached there. Throws KernelError. */
  detach(name: string): boolean {
    const hooks = this.interfaces().filter((each) => each.name === name);
    for (const { hook } of hooks) this.#takeOff(name, hook);
    this.#tc.removeQdisc(name, findInterface(name));
    return hooks.length > 0;
  }

  /** Where it is attached, or was. In alphabetical order. Throws KernelError. */
  interfaces(): AttachedInterface[] {
    const byXdp = this.#layout.listLinks().map((name) => this.#xdpState(name));
    const byTc = this.#tc.list().map((name): AttachedInterface => {
      const target = findInterface(name);
      const isRunning = target !== undefined && this.#tc.isAttached(target);
      return { name, hook: "tc", mode: undefined, isRunning };
    });
    return [...byXdp, ...byTc].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Detaches it everywhere and removes its files. Throws KernelError. */
  remove(): void {
    for (const name of this.#tc.list()) this.#takeOff(name, "tc");
    for (const name of this.#tc.listQdiscs()) this.#tc.removeQdisc(name, findInterface(name));
    this.#tc.remove();
    this.#layout.remove();
  }

  /** Gives the lock back. Again is harmless. */
  close(): void {
    for (const descriptor of this.#descriptors) descriptor.close();
    this.#lock.close();
  }

  #present(target: NetworkInterface): Omit<Placement, "fallback"> | undefined {
    const { name } = target;
    const known = this.interfaces().filter((each) => each.name === name);
    const found = known.find(({ isRunning }) => isRunning);
    if (found !== undefined) return found;
    for (const { hook } of known) {
      if (hook === "xdp" && this.#isLinkAlive(name)) {
        throw new KernelError(
          "busy",
          `attach to ${name}`,
          `${this.directory} has another ${name}, of another network namespace`,
          { remedy: "give each network namespace a directory of its own with --pin-dir" },
        );
      }
      // What is left of an interface that is gone would be in the way of its name.
      this.#takeOff(name, hook);
    }
    return undefined;
  }

  /** Whether the pinned link has an interface, wherever that is. */
  #isLinkAlive(name: string): boolean {
    const link = this.#layout.openLink(name);
    try {
      return link.info().ifindex !== 0;
    } finally {
      link.close();
    }
  }

  #xdpState(name: string): AttachedInterface {
    const link = this.#layout.openLink(name);
    try {
      const { ifindex, programId } = link.info();
      const target = findInterface(name);
      const state = target?.ifindex === ifindex ? queryXdp(target) : undefined;
      const isRunning = state?.programId === programId;
      return { name, hook: "xdp", mode: isRunning ? state?.mode : undefined, isRunning };
    } finally {
      link.close();
    }
  }

  #attachXdp(target: NetworkInterface, hook: "xdp" | "auto", mode: RequestedMode): Placement {
    const program = this.#layout.openProgram();
    try {
      // tc is better than generic XDP: it does not make every packet linear, and GRO comes before it.
      const wanted = hook === "auto" && mode === "auto" ? "native" : mode;
      const { link, ...placed } = attachXdp(program, target, wanted);
      try {
        this.#layout.addLink(target.name, link);
      } finally {
        link.close();
      }
      return { hook: "xdp", ...placed };
    } catch (error) {
      const mayFallBack = hook === "auto" && mode === "auto" && error instanceof KernelError;
      if (!mayFallBack || error.code === "no-privilege" || error.code === "no-interface") throw error;
      return { ...this.#attachTc(target), fallback: error };
    } finally {
      program.close();
    }
  }

  #attachTc(target: NetworkInterface): Placement {
    const program = this.#tc.openProgram();
    if (program === undefined)
      throw new KernelError("not-found", `open ${this.directory}`, "it has no tc program");
    try {
      this.#tc.attach(program, target);
    } finally {
      program.close();
    }
    return { hook: "tc", mode: undefined, fallback: undefined };
  }

  #takeOff(name: string, hook: "xdp" | "tc"): void {
    if (hook === "xdp") this.#layout.removeLink(name);
    else this.#tc.detach(name, findInterface(name));
  }

  /** Replaces programs of another version of the object, over the same maps. */
  async #useProgramsOf(object: ObjectSpec): Promise<void> {
    const opened = MAPS.map((name) => [name, { descriptor: this.#layout.openMap(name) }] as const);
    try {
      const { xdp, tc, close } = await loadPrograms(object, new Map(opened)).catch((error: unknown) => {
        if (!(error instanceof MapError) || error.code !== "wrong-layout") throw error;
        throw new KernelError("wrong-layout", `upgrade ${this.directory}`, error.message, {
          remedy: "this version of lamna needs other maps: detach, and attach again",
          cause: error,
        });
      });
      try {
        if (!isSameProgram(xdp.program, this.#layout.openProgram())) {
          this.#layout.stage({ program: xdp.program, maps: new Map(), links: new Map() });
          this.#layout.settle();
        }
        if (!isSameProgram(tc.program, this.#tc.openProgram()))
          this.#tc.replaceProgram(tc.program, findInterface);
      } finally {
        close();
      }
    } finally {
      for (const [, { descriptor }] of opened) descriptor.close();
    }
  }
}

function requireBackend(layout: PinLayout): void {
  if (!layout.isBalancer) return;
  throw new KernelError("wrong-layout", `open ${layout.directory}`, "a balancer is pinned there", {
    remedy: '"lamna status" and "lamna detach" are for it; name another directory with --pin-dir',
  });
}

async function create(layout: PinLayout, object: ObjectSpec): Promise<void> {
  const { xdp, tc, close } = await loadPrograms(object, new Map());
  try {
    new TcPins(layout.directory).replaceProgram(tc.program, findInterface);
    const maps = new Map([...xdp.maps].map(([name, { descriptor }]) => [name, descriptor]));
    layout.stage({ program: xdp.program, maps, links: new Map() });
    layout.settle();
  } finally {
    close();
  }
}

/** Both programs, over the maps that are given, or the same new ones. */
async function loadPrograms(
  object: ObjectSpec,
  reuse: ReadonlyMap<string, MapDescriptors>,
): Promise<{ readonly xdp: LoadedObject; readonly tc: LoadedObject; close(): void }> {
  // Headers are in a packet's first buffer, so that it does not matter how many there are.
  const isMultiBuffer = isLinuxSince(5, 18);
  const xdp = await loadObject(requestFor(object, XDP_PROGRAM), { reuse, isMultiBuffer });
  try {
    const tc = await loadObject(requestFor(object, TC_PROGRAM), { reuse: new Map([...reuse, ...xdp.maps]) });
    return {
      xdp,
      tc,
      close() {
        tc.close();
        xdp.close();
      },
    };
  } catch (error) {
    xdp.close();
    throw error;
  }
}

function requestFor(object: ObjectSpec, program: string): LoadRequest {
  const cpuCount = possibleCpuCount();
  const maxEntries = new Map([["reason_counters", cpuCount]]);
  return { object, program, cpuCount, options: new Map(), maxEntries };
}

/** Whether both have the same instructions. Closes the pinned one. */
function isSameProgram(loaded: Descriptor, pinned: Descriptor | undefined): boolean {
  if (pinned === undefined) return false;
  try {
    return programInfo(loaded).tag === programInfo(pinned).tag;
  } finally {
    pinned.close();
  }
}
