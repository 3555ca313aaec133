/** What somebody without any privilege can tell of an instance that is pinned: whether there is one, and on which interfaces. */
import { join } from "node:path";
import { KernelError } from "./kernel-error.ts";
import { listPins, unescapePinName } from "./pins.ts";

export interface PinnedFacts {
  readonly directory: string;
  /** "unreadable": the directory belongs to somebody else. */
  readonly state: "none" | "there" | "unreadable";
  /** Interfaces by name: of links, and of tc filters. */
  readonly interfaces: readonly string[];
}

export function readPinned(directory: string): PinnedFacts {
  try {
    const isThere = listPins(directory).length > 0;
    const interfaces = [...listPins(join(directory, "links")), ...listPins(join(directory, "tc", "filters"))];
    return {
      directory,
      state: isThere ? "there" : "none",
      interfaces: [...new Set(interfaces.map(unescapePinName))].sort(),
    };
  } catch (error) {
    if (error instanceof KernelError) return { directory, state: "unreadable", interfaces: [] };
    throw error;
  }
}
