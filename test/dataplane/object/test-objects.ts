/** The compiled sources of objects/, and ways to damage them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readElf } from "../../../dataplane/object/elf.ts";
import { ObjectError } from "../../../dataplane/object/object-error.ts";

export const OBJECTS_FOLDER: string = join(import.meta.dirname, "objects");

export function objectPath(name: string, target: "bpfel" | "bpfeb" = "bpfel"): string {
  return join(OBJECTS_FOLDER, `${name}.${target}.o`);
}

/** A fresh copy. */
export function objectBytes(name: string, target: "bpfel" | "bpfeb" = "bpfel"): Uint8Array {
  return new Uint8Array(readFileSync(objectPath(name, target)));
}

/** Where a section's bytes begin in the file. */
export function sectionStart(bytes: Uint8Array, name: string): number {
  return sectionOf(bytes, name).bytes.byteOffset - bytes.byteOffset;
}

/** Where a section's header begins in the file. */
export function headerStart(bytes: Uint8Array, name: string): number {
  const tableOffset = Number(new DataView(bytes.buffer).getBigUint64(40, true));
  return tableOffset + 64 * sectionOf(bytes, name).index;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Overwrites the first place in a section that holds `from` (terminated) with a text of the same length. */
export function replaceString(bytes: Uint8Array, section: string, from: string, to: string): void {
  if (from.length !== to.length) throw new Error("expected texts of the same length");
  const start = sectionStart(bytes, section);
  const found = Buffer.from(bytes.buffer, bytes.byteOffset).indexOf(`\0${from}\0`, start);
  if (found < 0) throw new Error(`no "${from}" in section ${section}`);
  bytes.set(Buffer.from(to), found + 1);
}

/** The ObjectError an action throws; anything else fails the test. */
export function objectErrorOf(action: () => unknown): ObjectError {
  try {
    action();
  } catch (error) {
    if (error instanceof ObjectError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

function sectionOf(bytes: Uint8Array, name: string): ReturnType<typeof readElf>["sections"][number] {
  const section = readElf(bytes).sections.find((each) => each.name === name);
  if (section === undefined) throw new Error(`no section ${name}`);
  return section;
}
