/**
 * The part of a pinned instance that is about tc: filters have no link to pin, so that which interfaces have one is remembered by files of
 * the same names.
 *
 *     tc/program                the program of every filter
 *     tc/next                   the one that is about to take its place
 *     tc/filters/<interface>    it has a filter of ours (another pin of the program)
 *     tc/qdiscs/<interface>     and its clsact qdisc is ours as well
 *
 * All of it assumes the lock on the directory, except for looking.
 */
import { join } from "node:path";
import type { Descriptor } from "../kernel/descriptor.ts";
import {
  escapePinName,
  listPins,
  makePinDirectory,
  movePin,
  openPin,
  pin,
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

  /** Attaches the pinned program. Remembered first, so that whoever is stopped in between leaves nothing that is not. */
  attach(program: Descriptor, target: NetworkInterface): void {
    const file = escapePinName(target.name);
    for (const folder of ["filters", "qdiscs"]) makePinDirectory(this.#path(folder));
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
