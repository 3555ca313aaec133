/**
 * One balancer of a host: a program, its maps, and a link for each of any number of interfaces, kept in a pin directory (pin-layout.ts) and
 * so running on without any process. Whoever opens it, under the directory's lock, has a dataplane over its maps.
 *
 *     const place = await InstanceDirectory.lock("/sys/fs/bpf/lamna", { waitMs: 5000 });
 *     const instance = place.hasInstance ? place.open() : place.adopt(await openKernel(request));
 *     ... program instance.dataplane ...
 *     instance.attach({ name: "eth0", ifindex: 2 }, "auto");
 *     instance.commit();
 *     await instance.close();
 *     place.close();
 */
import { readObject } from "../object/read-object.ts";
import type { ObjectSpec } from "../object/spec.ts";
import type { Descriptor } from "./descriptor.ts";
import { lockDirectory } from "./directory-lock.ts";
import { adoptKernel, type KernelDataplane, type Replacement } from "./kernel-dataplane.ts";
import { KernelError } from "./kernel-error.ts";
import { type Attachment, attachXdp, type RequestedMode, type XdpLink } from "./link.ts";
import type { MapDescriptors } from "./load.ts";
import { loadedRequest } from "./loaded-request.ts";
import { mapInfo } from "./map-info.ts";
import { PinLayout, type Settled } from "./pin-layout.ts";
import { readStoredObject, storeObject } from "./pinned-object.ts";
import { requirePinDirectory } from "./pins.ts";
import type { NetworkInterface } from "./xdp-state.ts";

export interface LockedUse {
  /** How long another process may keep the lock before that is an error. */
  readonly waitMs: number;
}

/** A pin directory under its lock. */
export class InstanceDirectory {
  readonly layout: PinLayout;
  /** What an earlier process had left undone, and was done now; "clean" for readers, who leave things as they are. */
  readonly settled: Settled;
  readonly #lock: Descriptor;
  readonly #use: "change" | "remove" | "look";

  /** To change what is there; the directory is made where there is none. Rejects with KernelError. */
  static async lock(directory: string, { waitMs }: LockedUse): Promise<InstanceDirectory> {
    const path = requirePinDirectory(directory);
    const lock = await lockDirectory(path, { mode: "exclusive", isMade: true, waitMs });
    if (lock === undefined) throw new KernelError("not-found", `lock ${path}`, "it is not there");
    return new InstanceDirectory(new PinLayout(path), lock, "change");
  }

  /** To remove what is there. It is not settled before, since it goes anyway. Undefined where there is no such directory. */
  static async lockForRemoval(
    directory: string,
    { waitMs }: LockedUse,
  ): Promise<InstanceDirectory | undefined> {
    const path = requirePinDirectory(directory);
    const lock = await lockDirectory(path, { mode: "exclusive", isMade: false, waitMs });
    return lock === undefined ? undefined : new InstanceDirectory(new PinLayout(path), lock, "remove");
  }

  /** To look at what is there, with others who do. Undefined where there is no such directory. */
  static async look(directory: string, { waitMs }: LockedUse): Promise<InstanceDirectory | undefined> {
    const path = requirePinDirectory(directory);
    const lock = await lockDirectory(path, { mode: "shared", isMade: false, waitMs });
    return lock === undefined ? undefined : new InstanceDirectory(new PinLayout(path), lock, "look");
  }

  private constructor(layout: PinLayout, lock: Descriptor, use: "change" | "remove" | "look") {
    this.layout = layout;
    this.#lock = lock;
    this.#use = use;
    try {
      if (layout.isBackend) {
        throw new KernelError(
          "wrong-layout",
          `open ${layout.directory}`,
          "a backend's decapsulation is pinned there",
          {
            remedy: '"lamna backend" is for it; name another directory with --pin-dir',
          },
        );
      }
      this.settled = use === "change" ? layout.settle() : "clean";
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  get hasInstance(): boolean {
    return this.layout.hasInstance;
  }

  /** Throws KernelError, "not-found" where something is missing; ObjectError when what is pinned there is no object of ours. */
  open(): Instance {
    return openInstance(this.layout);
  }

  /** A program with maps of its own, to be pinned here by commit(). Takes ownership. */
  adopt(dataplane: KernelDataplane): Instance {
    return new Instance(this.layout, dataplane, undefined);
  }

  /** Takes the program off every interface and removes everything. */
  remove(): void {
    this.layout.remove();
  }

  /** Gives the lock back. A directory that nothing came into goes again. */
  close(): void {
    if (this.#lock.isClosed) return;
    if (this.#use !== "look") this.layout.removeIfEmpty();
    this.#lock.close();
  }
}

export class Instance {
  /** Over the instance's maps. Replacing its program does so on every interface, and in the pins. */
  readonly dataplane: KernelDataplane;
  readonly #layout: PinLayout;
  /** The object file, in a map. Undefined for what is not pinned yet. */
  #object: Descriptor | undefined;
  /** Those that commit() is to pin. */
  readonly #attached = new Map<string, XdpLink>();

  /** Takes ownership of the dataplane and of `object`. */
  constructor(layout: PinLayout, dataplane: KernelDataplane, object: Descriptor | undefined) {
    this.#layout = layout;
    this.dataplane = dataplane;
    this.#object = object;
    dataplane.beforeReplace((replacement) => this.#pinReplacement(replacement));
  }

  /**
   * Puts the program on an interface, where it runs from now on; but for commit() it goes again with close(). Throws KernelError, see attachXdp.
   */
  attach(target: NetworkInterface, mode: RequestedMode): Attachment {
    const attachment = attachXdp(this.dataplane.program, target, mode);
    this.#attached.set(target.name, attachment.link);
    return attachment;
  }

  /**
   * Pins what is not: of a new instance everything, of an opened one the links. Where a new instance is made in the place of another, that one's
   * interfaces get the new program, one after another, and its maps are let go.
   */
  commit(): void {
    if (this.#object === undefined) {
      const object = storeObject(imageOf(this.dataplane.request.object));
      this.#object = object;
      const maps = pinsOf(this.dataplane.maps);
      this.#layout.stage({ program: this.dataplane.program, object, maps, links: this.#attached });
      this.#layout.settle();
      this.#layout.removeMapsBut(new Set(maps.keys()));
    } else {
      for (const [name, link] of this.#attached) {
        this.#layout.removeLink(name); // of an interface of this name that is gone
        this.#layout.addLink(name, link);
      }
    }
    for (const link of this.#attached.values()) link.close();
    this.#attached.clear();
  }

  /** Detaches what was not committed. Pins live on. */
  async close(): Promise<void> {
    for (const link of this.#attached.values()) {
      link.detach();
      link.close();
    }
    this.#attached.clear();
    this.#object?.close();
    await this.dataplane.close();
  }

  /** Called with the new program loaded and the old one still there. */
  #pinReplacement({ program, newMaps, request }: Replacement): void {
    if (this.#object === undefined) return;
    const object = storeObject(imageOf(request.object));
    try {
      this.#layout.stage({ program, object, maps: pinsOf(newMaps), links: new Map() });
      this.#layout.settle();
    } finally {
      object.close();
    }
  }
}

function openInstance(layout: PinLayout): Instance {
  const opened: { close(): void }[] = [];
  const keep = (descriptor: Descriptor): Descriptor => {
    opened.push(descriptor);
    return descriptor;
  };
  try {
    const program = keep(layout.openProgram());
    const object = keep(layout.openObject());
    const spec = readObject(readStoredObject(object));
    const maps = new Map<string, MapDescriptors>();
    for (const { name, inner } of spec.maps) {
      const descriptor = keep(layout.openMap(pinName(name)));
      const count = inner === undefined ? 0 : mapInfo(descriptor).maxEntries;
      const each = Array.from({ length: count }, (_, cpu) => keep(layout.openMap(innerPinName(name, cpu))));
      maps.set(name, { descriptor, inner: inner === undefined ? undefined : each });
    }
    const request = loadedRequest(spec, programName(spec), maps);
    return new Instance(layout, adoptKernel({ request, program, maps }), object);
  } catch (error) {
    for (const handle of opened) handle.close();
    throw error;
  }
}

/** Every map with the name of its pin, inner maps too: to get those by id takes CAP_SYS_ADMIN. */
function pinsOf(maps: ReadonlyMap<string, MapDescriptors>): Map<string, Descriptor> {
  const pins = new Map<string, Descriptor>();
  for (const [name, { descriptor, inner }] of maps) {
    pins.set(pinName(name), descriptor);
    for (const [cpu, each] of (inner ?? []).entries()) pins.set(innerPinName(name, cpu), each);
  }
  return pins;
}

/** `.rodata` is pinned as `_rodata`, which is what others make of it too. */
function pinName(map: string): string {
  return map.replace(/^\./, "_");
}

function innerPinName(map: string, cpu: number): string {
  return `${pinName(map)}_cpu${cpu}`;
}

function programName({ programs }: ObjectSpec): string {
  const xdp = programs.filter(({ section }) => section === "xdp" || section.startsWith("xdp."));
  const [only] = xdp;
  if (only !== undefined && xdp.length === 1) return only.name;
  throw new KernelError(
    "wrong-layout",
    "the pinned object file",
    `has ${xdp.length} XDP programs, expected one`,
  );
}

function imageOf({ image }: ObjectSpec): Uint8Array {
  if (image === undefined) throw new RangeError("the object was not read from a file, so it cannot be kept");
  return image;
}
