/** An object as text for people: one line for each program, map, variable and type. */
import { type BtfTypes, typeName } from "../../dataplane/object/btf.ts";
import type { MapSpec, ObjectSpec } from "../../dataplane/object/spec.ts";
import { mapFlagNames, mapTypeName } from "../../dataplane/vm/maps/map-type.ts";
import { describeExterns, describeTypes, describeVariables } from "./object-json.ts";
import { formatBytes, formatCount, type Painter } from "./output.ts";
import { printable } from "./printable.ts";

/** Ends with a newline. */
export function objectText(file: string, spec: ObjectSpec, paint: Painter): string {
  const order = spec.isLittleEndian ? "little-endian" : "big-endian";
  const license = spec.license === "" ? "no license" : `license "${printable(spec.license)}"`;
  const types = spec.btf === undefined ? "no types" : `${formatCount(spec.btf.types.length - 1)} types`;
  const parts = [`${printable(file)}: BPF object, ${order}, ${license}, ${types}\n`];
  const add = (title: string, rows: readonly (readonly string[])[]): void => {
    if (rows.length > 0) parts.push(`\n${paint("bold", title)}\n${table(rows)}`);
  };

  if (spec.programs.length === 0) parts.push(`\n${paint("yellow", noPrograms(spec.btf))}\n`);
  add(
    "programs",
    [
      ["name", "section", "instructions", "functions"],
      ...spec.programs.map(({ name, section, instructions, functions }) => [
        name,
        section,
        formatCount(instructions.length),
        functions.map((each) => each.name).join(" "),
      ]),
    ].slice(spec.programs.length === 0 ? 1 : 0),
  );
  add(
    "maps",
    [
      ["name", "type", "entries", "key", "value", "values", "flags"],
      ...spec.maps.flatMap((map) => [
        mapRow(map, spec.btf),
        ...(map.inner === undefined ? [] : [mapRow(map.inner, spec.btf)]),
      ]),
    ].slice(spec.maps.length === 0 ? 1 : 0),
  );
  const variables = describeVariables(spec);
  const variableRow = ({ name, type, value }: (typeof variables)[number]): string[] => [
    name,
    type,
    value ?? "",
  ];
  add("options (read-only once loaded)", variables.filter(({ isOption }) => isOption).map(variableRow));
  add("variables", variables.filter(({ isOption }) => !isOption).map(variableRow));
  add(
    "externs (the kernel's)",
    describeExterns(spec).map(({ name, isWeak, programs }) => [
      name,
      isWeak ? "weak" : "needed",
      programs.join(" "),
    ]),
  );
  add(
    "structs, unions and enums",
    describeTypes(spec.btf).map(({ name, sizeBytes, members }) => [
      name,
      `${formatCount(sizeBytes)} bytes`,
      shorten(members.map((member) => (member.name === "" ? "(...)" : member.name)).join(" "), 70),
    ]),
  );
  return parts.join("");
}

/** A function without a section of its own is none, which is easily forgotten: so those that are there have their names said. */
function noPrograms(btf: BtfTypes | undefined): string {
  const names = (btf?.types ?? []).flatMap((type) =>
    type.kind === "function" && type.linkage !== "extern" ? [printable(type.name)] : [],
  );
  if (names.length === 0) return "no programs";
  return `no programs, only functions to be called: ${shorten(names.join(" "), 200)}`;
}

function mapRow(map: MapSpec, btf: BtfTypes | undefined): string[] {
  const { name, type, keySizeBytes, valueSizeBytes, keyTypeId, valueTypeId, maxEntries, flags } = map;
  const named = (sizeBytes: number, typeId: number | undefined): string =>
    typeId === undefined || btf === undefined || map.contents !== undefined
      ? `${sizeBytes} bytes`
      : `${typeName(btf, typeId)} (${formatCount(sizeBytes)})`;
  const facts = mapFlagNames(flags).map((flag) => flag.replace(/^BPF_F_/, ""));
  if (map.isPinnedByName) facts.push("pinned by name");
  if (map.numaNode !== undefined) facts.push(`NUMA node ${map.numaNode}`);
  if (map.extra !== undefined) facts.push(`extra ${map.extra}`);
  if (map.values !== undefined)
    facts.push([...map.values].map(([index, target]) => `[${index}] = ${target}`).join(" "));
  return [
    name,
    mapTypeName(type),
    formatCount(maxEntries),
    named(keySizeBytes, keyTypeId),
    named(valueSizeBytes, valueTypeId),
    formatBytes(maxEntries * Math.ceil(valueSizeBytes / 8) * 8),
    facts.join(" "),
  ];
}

/** Columns as wide as they must be; the last is not padded. */
function table(rows: readonly (readonly string[])[]): string {
  const safe = rows.map((row) => row.map(printable));
  // Not Math.max(...), which a large object's rows would overflow.
  const widths = (safe[0] ?? []).map((_, column) =>
    safe.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0),
  );
  return safe
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ")}`.trimEnd())
    .map((line) => `${line}\n`)
    .join("");
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 3)}...`;
}
