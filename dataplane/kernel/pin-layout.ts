/**
 * How an instance lies in its pin directory, and how a change to it is whole or has not been, whenever the process ends:
 *
 *     program            the program that runs on every interface
 *     object             the object file that it was loaded from, in an array; left out by who does not need it
 *     maps/<name>        its maps
 *     links/<interface>  one link each
 *     next/              a change on its way: the same again, of what is new
 *
 * A change is pinned in next/, its program last: from then on the change counts as made, and what is left to do is done by whoever comes next
 * (settle): every link gets the new program, and the files move to their places, again the program last. A next/ without a program is a
 * change that was never made, and is thrown away; so is everything, when there is no program at all.
 *
 * All of it assumes the lock on the directory, except for looking.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Descriptor } from "./descriptor.ts";
import { KernelError } from "./kernel-error.ts";
import { XdpLink } from "./link.ts";
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
} from "./pins.ts";
import { describeProgram, programInfo } from "./program-info.ts";

const PROGRAM = "program";
const OBJECT = "object";
const MAPS = "maps";
const LINKS = "links";
const NEXT = "next";
/** What else is in the directory is left alone. */
const OURS: readonly string[] = [PROGRAM, OBJECT, MAPS, LINKS, NEXT];

/** What is new in a change. Maps go by the names of their pins, links by their interfaces. */
export interface Staged {
  readonly program: Descriptor;
  readonly object?: Descriptor;
  readonly maps: ReadonlyMap<string, Descriptor>;
  readonly links: ReadonlyMap<string, XdpLink>;
}

export interface PinnedLink {
  /** As it was called when it was attached. */
  readonly interface: string;
  /** In its own network namespace. 0: the interface was deleted, or the link detached by force. */
  readonly ifindex: number;
  readonly programId: number;
}

/** What settle() found: nothing to do, a change that it completed, or remains that it took away. */
export type Settled = "clean" | "completed" | "discarded";

export class PinLayout {
  readonly directory: string;

  /** `directory`: absolute, in a BPF file system (requirePinDirectory). */
  constructor(directory: string) {
    this.directory = directory;
  }

  /** Whether there is an instance, also one that settle() has to complete. */
  get hasInstance(): boolean {
    return exists(this.#path(PROGRAM)) || exists(this.#path(NEXT, PROGRAM));
  }

  /** A balancer keeps its object file, and a backend's decapsulation a folder for tc (decap/tc-pins.ts). */
  get isBalancer(): boolean {
    return exists(this.#path(OBJECT)) || exists(this.#path(NEXT, OBJECT));
  }

  get isBackend(): boolean {
    return exists(this.#path("tc"));
  }

  /** Whether a change was interrupted that counts as made. */
  get isInterrupted(): boolean {
    return exists(this.#path(NEXT, PROGRAM));
  }

  /** Throws KernelError "not-found". */
  openProgram(): Descriptor {
    return this.#open(PROGRAM, "the pinned program");
  }

  openObject(): Descriptor {
    return this.#open(OBJECT, "the pinned object file");
  }

  openMap(name: string): Descriptor {
    return this.#open(join(MAPS, escapePinName(name)), `map "${name}"`);
  }

  /** Interfaces that have a link, in alphabetical order. */
  listLinks(): string[] {
    const names = [
      ...listPins(this.#path(LINKS)),
      ...(this.isInterrupted ? listPins(this.#path(NEXT, LINKS)) : []),
    ];
    return [...new Set(names.map(unescapePinName))].sort();
  }

  openLink(name: string): XdpLink {
    return new XdpLink(this.#open(join(LINKS, escapePinName(name)), `link of ${name}`));
  }

  /** What the kernel says of each link, by interface. Throws KernelError. */
  readLinks(): PinnedLink[] {
    return this.listLinks().map((name) => {
      const link = this.openLink(name);
      try {
        const { ifindex, programId } = link.info();
        return { interface: name, ifindex, programId };
      } finally {
        link.close();
      }
    });
  }

  /** Pins a link of the program that is there. */
  addLink(name: string, link: XdpLink): void {
    makePinDirectory(this.#path(LINKS));
    pin(link.descriptor, this.#path(LINKS, escapePinName(name)));
  }

  /** Takes the program off the interface. Harmless when there is no such link. */
  removeLink(name: string): void {
    this.#detachPinned(this.#path(LINKS, escapePinName(name)), name);
  }

  renameLink(from: string, to: string): void {
    movePin(this.#path(LINKS, escapePinName(from)), this.#path(LINKS, escapePinName(to)));
  }

  /**
   * Pins a change. When this returns, it counts as made; settle() makes it so. Throws KernelError, "busy" when an interface has a program that
   * is not ours to replace.
   */
  stage({ program, object, maps, links }: Staged): void {
    this.#requireOurs();
    this.#discardNext();
    makePinDirectory(this.#path(NEXT, MAPS));
    makePinDirectory(this.#path(NEXT, LINKS));
    for (const [name, map] of maps) pin(map, this.#path(NEXT, MAPS, escapePinName(name)));
    for (const [name, link] of links) pin(link.descriptor, this.#path(NEXT, LINKS, escapePinName(name)));
    if (object !== undefined) pin(object, this.#path(NEXT, OBJECT));
    pin(program, this.#path(NEXT, PROGRAM));
  }

  /** Completes what counts as made, and takes away what does not. Throws KernelError; then it may be called again. */
  settle(): Settled {
    if (this.isInterrupted) {
      this.#completeNext();
      return "completed";
    }
    if (!this.hasInstance) {
      const hasRemains = listPins(this.directory).some((name) => OURS.includes(name));
      if (hasRemains) this.#removeContents();
      return hasRemains ? "discarded" : "clean";
    }
    const isClean = !exists(this.#path(NEXT));
    if (!isClean) this.#discardNext();
    return isClean ? "clean" : "discarded";
  }

  /** Takes the program off every interface and removes all files, and the directory too where it is this user's. */
  remove(): void {
    this.#removeContents();
    this.removeIfEmpty();
  }

  /** Leaves a directory that was made for another user, who may not be able to make it again. */
  removeIfEmpty(): void {
    const owner = statSync(this.directory, { throwIfNoEntry: false })?.uid;
    if (owner === process.geteuid?.()) removePinDirectory(this.directory);
  }

  /** Lets go of maps that are pinned and not among these. */
  removeMapsBut(names: ReadonlySet<string>): void {
    for (const name of listPins(this.#path(MAPS))) {
      if (!names.has(unescapePinName(name))) unpin(this.#path(MAPS, name));
    }
  }

  #completeNext(): void {
    const next = this.openProgram();
    const before = openPin(this.#path(PROGRAM), "the program before");
    try {
      const { id } = programInfo(next);
      for (const pinned of listPins(this.#path(LINKS))) {
        const link = this.openLink(unescapePinName(pinned));
        try {
          const { ifindex, programId } = link.info();
          if (ifindex !== 0 && programId !== id) link.update(next, before ?? next);
        } finally {
          link.close();
        }
      }
    } finally {
      next.close();
      before?.close();
    }
    for (const part of [MAPS, LINKS]) {
      makePinDirectory(this.#path(part));
      for (const name of listPins(this.#path(NEXT, part))) {
        movePin(this.#path(NEXT, part, name), this.#path(part, name));
      }
    }
    for (const part of [OBJECT, PROGRAM]) {
      if (exists(this.#path(NEXT, part))) movePin(this.#path(NEXT, part), this.#path(part));
    }
    removePins(this.#path(NEXT));
  }

  /** That nobody else put a program in the place of the one that is pinned. */
  #requireOurs(): void {
    const pinned = openPin(this.#path(PROGRAM), "the pinned program");
    if (pinned === undefined) return;
    const { id } = programInfo(pinned);
    pinned.close();
    for (const { interface: name, ifindex, programId } of this.readLinks()) {
      if (ifindex === 0 || programId === id) continue;
      const why = `${describeProgram(programId)} runs there, and not the pinned one (${id})`;
      throw new KernelError("busy", `replace the program on ${name}`, why, {
        remedy: `find out who replaced it; "lamna detach ${name}" takes it off`,
      });
    }
  }

  #discardNext(): void {
    this.#detachAll(this.#path(NEXT, LINKS));
    removePins(this.#path(NEXT));
  }

  /** The program last but for the maps: without it the rest is remains, whoever finds them. */
  #removeContents(): void {
    this.#detachAll(this.#path(NEXT, LINKS));
    this.#detachAll(this.#path(LINKS));
    unpin(this.#path(NEXT, PROGRAM));
    unpin(this.#path(PROGRAM));
    unpin(this.#path(OBJECT));
    for (const part of [NEXT, LINKS, MAPS]) removePins(this.#path(part));
  }

  #detachAll(directory: string): void {
    for (const name of listPins(directory)) this.#detachPinned(join(directory, name), unescapePinName(name));
  }

  /** Removing the file would detach as well, but some time later: the kernel lets go of links in the background. */
  #detachPinned(path: string, name: string): void {
    const descriptor = openPin(path, `link of ${name}`);
    if (descriptor === undefined) return;
    try {
      new XdpLink(descriptor).detach();
    } finally {
      descriptor.close();
    }
    unpin(path);
  }

  /** As it is once a change on its way is complete. */
  #open(part: string, what: string): Descriptor {
    const next = this.isInterrupted ? openPin(this.#path(NEXT, part), what) : undefined;
    const found = next ?? openPin(this.#path(part), what);
    if (found !== undefined) return found;
    throw new KernelError("not-found", `open ${this.#path(part)}`, "it is not there", {
      remedy: `"lamna detach --pin-dir ${this.directory}" removes the rest`,
    });
  }

  #path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
