/** An XDP object of somebody else's in the running kernel, to be measured beside ours. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { Descriptor } from "../dataplane/kernel/descriptor.ts";
import { loadObject } from "../dataplane/kernel/load.ts";
import { possibleCpuCount } from "../dataplane/kernel/raw-map.ts";
import { readObject } from "../dataplane/object/read-object.ts";
import type { ForeignObject } from "./suite.ts";

export interface OpenForeignObject {
  readonly name: string;
  readonly program: Descriptor;
  close(): void;
}

/** Loaded with its own map sizes. Rejects with ObjectError for a bad file, KernelError when the kernel refuses it. */
export async function openForeignObject({ file, program }: ForeignObject): Promise<OpenForeignObject> {
  const object = readObject(readFileSync(file));
  const names = object.programs.filter(({ section }) => /^xdp(\.|$)/.test(section)).map(({ name }) => name);
  const wanted = program ?? (names.length === 1 ? names[0] : undefined);
  if (wanted === undefined || !names.includes(wanted)) {
    throw new RangeError(
      `${file}: --program ${wanted ?? "is not given"}, expected one of ${names.join(", ")}`,
    );
  }
  const loaded = await loadObject({
    object,
    program: wanted,
    cpuCount: possibleCpuCount(),
    options: new Map(),
    maxEntries: new Map(),
  });
  return { name: basename(file), program: loaded.program, close: () => loaded.close() };
}
