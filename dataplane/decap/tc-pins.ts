/**
 * The part of a pinned instance that is about tc: filters have no link to pin, so that which interfaces have one is remembered by files of
 * the same names.
 *
 *     tc/program                the program of every filter
 *     tc/next                   the one that is about to take its place
 *     tc/filters/<interface>    it has a filter of ours (another pin of the program)
 *     tc/qdiscs/<interface>     and its clsact qdisc is ours as well
 *     tc/netns/<inode>/         the network namespace that these interfaces are in
 *
 * All of it assumes the lock on the directory, except for looking.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Descriptor } from "../kernel/descriptor.ts";
import { KernelError } from "../kernel/kernel-error.ts";
import {
  escapePinName,
  listPins,
  makePinDirectory,
  movePin,
  openPin,
  pin,
  removePinDirectory,
  removePins,
  unescapePinName,
  unpin,
} from "../kernel/pins.ts";
import { programInfo } from "../kernel/program-info.ts";
import { attachTcFilter, detachTcFilter, queryTcFilter, removeTcQdisc } from "../kernel/tc-filter.ts";
import type { NetworkInterface } from "../kernel/xdp-state.ts";

export class TcPins {
  readonly #directory: string;

  /** `instance`: the directory of the instance. */
  constructor(instance: string) {
    this.#directory = join(instance, "tc");
  }

  /** Undefined before replaceProgram() was first called. */
  openProgram(): Descriptor | undefined {
    return openPin(this.#path("program"), "the pinned tc program");
  }

  /** Interfaces that were given a filter, in alphabetical order. */
  list(): string[] {
    return listPins(this.#path("filters")).map(unescapePinName).sort();
  }

  /**
   * From now on it is this program, also in the filters that there are: `interfaces` gives what a name stands for, undefined where it is
   * gone. May be called again after it threw KernelError.
   */
  replaceProgram(program: Descriptor, interfaces: (name: string) => NetworkInterface | undefined): void {
    makePinDirectory(this.#directory);
    unpin(this.#path("next"));
    pin(program, this.#path("next"));
    for (const name of this.list()) {
      const target = interfaces(name);
      if (target !== undefined) attachTcFilter(program, target);
    }
    movePin(this.#path("next"), this.#path("program"));
  }

  /**
   * That the interfaces are to be found from here: elsewhere they would seem to be gone, and their filters would stay behind, known to nobody.
   * Throws KernelError "busy".
   */
  requireNamespace(instance: string): void {
    const known = listPins(this.#path("netns"));
    const own = networkNamespace();
    const filters = this.list();
    if (filters.length === 0 || known.length === 0 || own === undefined || known.includes(own)) return;
    throw new KernelError(
      "busy",
      `change ${instance}`,
      `it has tc filters on ${filters.join(", ")} of another network namespace`,
      {
        remedy: `run there (nsenter --net=...), or name another directory with --pin-dir; where that namespace is gone: rm -r ${instance}`,
      },
    );
  }

  /** Attaches the pinned program. Remembered first, so that whoever is stopped in between leaves nothing that is not. */
  attach(program: Descriptor, target: NetworkInterface): void {
    const file = escapePinName(target.name);
    for (const folder of ["filters", "qdiscs"]) makePinDirectory(this.#path(folder));
    this.#rememberNamespace();
    unpin(this.#path("filters", file));
    pin(program, this.#path("filters", file));
    try {
      if (!attachTcFilter(program, target).isQdiscMade) return;
    } catch (error) {
      if (queryTcFilter(target) === undefined) unpin(this.#path("filters", file));
      throw error;
    }
    unpin(this.#path("qdiscs", file));
    pin(program, this.#path("qdiscs", file));
  }

  /** Whether the interface has a filter of the pinned program now. */
  isAttached(target: NetworkInterface): boolean {
    const id = queryTcFilter(target);
    return id !== undefined && this.#programIds().includes(id);
  }

  /**
   * `target` undefined: the interface is gone, and its filter with it. What somebody else put in our place stays. So does the qdisc: to
   * take it away stops the interface's transmission for a moment (dev_deactivate in qdisc_graft, net/sched/sch_api.c of Linux 6.18).
   */
  detach(name: string, target: NetworkInterface | undefined): void {
    if (target !== undefined && this.isAttached(target)) detachTcFilter(target);
    unpin(this.#path("filters", escapePinName(name)));
  }

  /** Interfaces whose clsact qdisc is ours. */
  listQdiscs(): string[] {
    return listPins(this.#path("qdiscs")).map(unescapePinName);
  }

  /** Takes our clsact qdisc away, unless some filter needs it. Harmless when there is none of ours. */
  removeQdisc(name: string, target: NetworkInterface | undefined): void {
    if (target !== undefined && this.listQdiscs().includes(name)) removeTcQdisc(target);
    unpin(this.#path("qdiscs", escapePinName(name)));
  }

  /** Removes the files; filters and qdiscs are to be removed before. */
  remove(): void {
    removePins(this.#directory);
  }

  #rememberNamespace(): void {
    const own = networkNamespace();
    if (own === undefined) return;
    // Of filters that are no more.
    for (const other of listPins(this.#path("netns"))) {
      if (other !== own) removePinDirectory(this.#path("netns", other));
    }
    makePinDirectory(this.#path("netns", own));
  }

  #programIds(): number[] {
    return ["program", "next"].flatMap((name) => {
      const program = openPin(this.#path(name), name);
      if (program === undefined) return [];
      try {
        return [programInfo(program).id];
      } finally {
        program.close();
      }
    });
  }

  #path(...parts: readonly string[]): string {
    return join(this.#directory, ...parts);
  }
}

/** The inode of the calling thread's (namespaces(7)); another may have the number once this one is gone. Undefined without /proc. */
function networkNamespace(): string | undefined {
  const file = statSync("/proc/thread-self/ns/net", { throwIfNoEntry: false });
  return file === undefined ? undefined : String(file.ino);
}
