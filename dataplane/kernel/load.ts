/**
 * From an object file to maps and a program in the kernel. libbpf does the work (maps, BTF, relocations, the verifier's call); this says what it
 * is to make: sizes, options, inner maps, which program. What exists already can be used in place of new maps, so that a program is
 * replaced under running traffic.
 *
 * libbpf's own view of the object is closed again at the end: what lives on are descriptors.
 */
import type { LoadRequest } from "../dataplane.ts";
import type { MapSpec, ProgramSpec } from "../object/spec.ts";
import { requestedMaps, requireSameMap } from "../requested-maps.ts";
import { Descriptor } from "./descriptor.ts";
import { cpuNodes, createPerCpuMaps, putInnerMaps } from "./inner-maps.ts";
import { KernelError, systemError } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";
import { type LibbpfMessage, warningsOf, withLibbpfMessages } from "./libbpf-messages.ts";
import { checked, libc } from "./libc.ts";
import { loadError } from "./load-error.ts";
import { mapInfo } from "./map-info.ts";
import { callAsync, cString, lastErrno, NativeStruct, type Pointer } from "./native.ts";

/** A map in the kernel; of a map-in-map also its inner maps, by index. */
export interface MapDescriptors {
  readonly descriptor: Descriptor;
  readonly inner?: readonly Descriptor[] | undefined;
}

export interface LoadOptions {
  /**
   * Maps to be used in place of new ones, by the object's names for them. They stay their owner's. `.rodata` and its like cannot be among
   * them: a program's options are its own.
   */
  readonly reuse?: ReadonlyMap<string, MapDescriptors>;
  /** Asks for packets in several buffers (jumbo frames, LRO), which takes Linux 5.18; a section named "xdp.frags" asks as well. */
  readonly isMultiBuffer?: boolean;
}

export interface LoadedObject {
  readonly request: LoadRequest;
  /** The wanted program; with it were loaded those that it tail-calls. */
  readonly program: Descriptor;
  /** The maps that were made, by the object's names; not those that were reused. */
  readonly maps: ReadonlyMap<string, MapDescriptors>;
  /** Closes all of them. What is attached or pinned lives on. */
  close(): void;
}

/**
 * Loads one program of an object, of any type that libbpf knows by its section.
 *
 * Rejects with ObjectError for an option the object does not have, MapError for a map it does not have or one of `reuse` that is
 * not as the program wants it ("wrong-layout"), RangeError for an option's value that does not fit or an unknown program, and KernelError: "rejected" with the verifier's log,
 * "no-privilege", "no-libbpf", "no-space", "no-feature".
 */
export async function loadObject(request: LoadRequest, options: LoadOptions = {}): Promise<LoadedObject> {
  const specs = requestedMaps(request);
  const program = findProgram(request);
  const reuse = options.reuse ?? new Map<string, MapDescriptors>();
  for (const spec of specs) {
    const present = reuse.get(spec.name);
    if (present !== undefined) requireLayout(spec, present);
  }

  const owned = new Ownership();
  try {
    const perCpuMaps = new Map<string, Descriptor[]>();
    for (const spec of specs) {
      if (spec.inner === undefined || !request.maxEntries.has(spec.name) || reuse.has(spec.name)) continue;
      const nodes = cpuNodes(request.cpuCount);
      perCpuMaps.set(spec.name, owned.all(createPerCpuMaps(spec.name, spec.inner, request.cpuCount, nodes)));
    }
    const loaded = await loadIntoKernel(request, program, { specs, reuse, perCpuMaps, options, owned });
    await Promise.all(
      [...perCpuMaps].map(([name, inner]) => putInnerMaps(loaded.maps.get(name)!.descriptor, inner)),
    );
    return { request, ...loaded, close: () => owned.close() };
  } catch (error) {
    owned.close();
    throw error;
  }
}

/** What was made, so that all of it goes when one step fails. */
class Ownership {
  readonly #descriptors: Descriptor[] = [];

  one(descriptor: Descriptor): Descriptor {
    this.#descriptors.push(descriptor);
    return descriptor;
  }

  all(descriptors: Descriptor[]): Descriptor[] {
    this.#descriptors.push(...descriptors);
    return descriptors;
  }

  close(): void {
    for (const descriptor of this.#descriptors) descriptor.close();
  }
}

interface LoadPlan {
  readonly specs: readonly MapSpec[];
  readonly reuse: ReadonlyMap<string, MapDescriptors>;
  readonly perCpuMaps: ReadonlyMap<string, readonly Descriptor[]>;
  readonly options: LoadOptions;
  readonly owned: Ownership;
}

/**
 * The verifier takes tenths of a second, on a thread of its own. libbpf's words are not listened to meanwhile, as they would have to come over
 * from there one by one; when they are wanted - it failed, and not for the verifier - it fails once more, here, while they are.
 */
async function loadIntoKernel(
  request: LoadRequest,
  program: ProgramSpec,
  plan: LoadPlan,
): Promise<Pick<LoadedObject, "program" | "maps">> {
  const log = new Uint8Array(VERIFIER_LOG_SIZE_BYTES);
  const opened = openObject(request, program, plan, log);
  try {
    const result = await callAsync(libbpf().bpf_object__load, opened);
    if (result >= 0) return takeOver(opened, program, plan);
    const text = textOf(log);
    const words = text.trim() === "" ? wordsOfFailure(request, program, plan) : "";
    throw loadError(operationOf(program), result, text, words);
  } finally {
    libbpf().bpf_object__close(opened);
  }
}

function wordsOfFailure(request: LoadRequest, program: ProgramSpec, plan: LoadPlan): string {
  const messages: LibbpfMessage[] = [];
  withLibbpfMessages(messages, () => {
    const again = openObject(request, program, plan, new Uint8Array(VERIFIER_LOG_SIZE_BYTES));
    libbpf().bpf_object__load(again);
    libbpf().bpf_object__close(again);
  });
  return warningsOf(messages);
}

function operationOf({ name }: ProgramSpec): string {
  return `load program "${name}"`;
}

/** The kernel's limit before 5.2. The memory is only used where the verifier writes. */
const VERIFIER_LOG_SIZE_BYTES = (1 << 24) - 1;
/** struct bpf_object_open_opts (libbpf.h), as long as in libbpf 1.0. */
const OPEN_OPTIONS = { sizeBytes: 80, objectName: 8 } as const;
/** Programs and maps of data sections show it in listings: "lamna.rodata". */
const OBJECT_NAME = "lamna";

/** The object as libbpf sees it, ready to be loaded. `log` must live as long. */
function openObject(request: LoadRequest, program: ProgramSpec, plan: LoadPlan, log: Uint8Array): Pointer {
  const { image } = request.object;
  if (image.length === 0)
    throw new RangeError("the object was not read from a file, so there is none to load");
  const options = new NativeStruct(OPEN_OPTIONS.sizeBytes, { hasSize: true });
  options.setPointer(OPEN_OPTIONS.objectName, cString(OBJECT_NAME));

  const operation = operationOf(program);
  const messages: LibbpfMessage[] = [];
  return withLibbpfMessages(messages, () => {
    const object = libbpf().bpf_object__open_mem(image, image.length, options.bytes);
    if (object === null) {
      const why = warningsOf(messages) || "libbpf cannot read the object";
      throw systemError(operation, lastErrno(), { code: "rejected", why });
    }
    try {
      for (const spec of plan.specs) prepareMap(object, spec, plan, operation);
      preparePrograms(object, { request, main: program, options: plan.options, log });
      return object;
    } catch (error) {
      libbpf().bpf_object__close(object);
      throw error;
    }
  });
}

function prepareMap(
  object: Pointer,
  spec: MapSpec,
  { reuse, perCpuMaps }: LoadPlan,
  operation: string,
): void {
  const bpf = libbpf();
  const map = bpf.bpf_object__find_map_by_name(object, spec.name);
  if (map === null) {
    const why = `libbpf finds no map "${spec.name}" in the object`;
    throw new KernelError("rejected", operation, why);
  }
  const check = (result: number, what: string): void => {
    if (result < 0) throw systemError(`${operation}: map "${spec.name}": ${what}`, result);
  };
  // Pins are made by those who know where.
  if (spec.isPinnedByName) check(bpf.bpf_map__set_pin_path(map, null), "leave it without a pin");
  const present = reuse.get(spec.name);
  if (present !== undefined) {
    check(bpf.bpf_map__reuse_fd(map, present.descriptor.fd), "use the one that is there");
    return;
  }
  if (spec.contents !== undefined) {
    check(bpf.bpf_map__set_initial_value(map, spec.contents, spec.contents.length), "set its values");
    return;
  }
  // 0: libbpf chooses.
  if (spec.maxEntries > 0) check(bpf.bpf_map__set_max_entries(map, spec.maxEntries), "set its size");
  const template = perCpuMaps.get(spec.name)?.[0];
  if (template !== undefined) check(bpf.bpf_map__set_inner_map_fd(map, template.fd), "set its inner maps");
}

const BPF_PROG_TYPE_SCHED_CLS = 3;
const BPF_PROG_TYPE_XDP = 6;
const BPF_F_XDP_HAS_FRAGS = 1 << 5;
const BPF_MAP_TYPE_PROG_ARRAY = 3;

interface ProgramPlan {
  readonly request: LoadRequest;
  readonly main: ProgramSpec;
  readonly options: LoadOptions;
  readonly log: Uint8Array;
}

/** The wanted program, and those that it may tail-call. */
function preparePrograms(object: Pointer, { request, main, options, log }: ProgramPlan): void {
  const bpf = libbpf();
  const wanted = new Set([main.name]);
  for (const { type, values } of request.object.maps) {
    if (type === BPF_MAP_TYPE_PROG_ARRAY) for (const name of values?.values() ?? []) wanted.add(name);
  }
  for (const { name, section } of request.object.programs) {
    const program = bpf.bpf_object__find_program_by_name(object, name);
    if (program === null) continue;
    const check = (result: number): void => {
      if (result < 0) throw systemError(`load program "${name}": prepare it`, result);
    };
    check(bpf.bpf_program__set_autoload(program, wanted.has(name)));
    if (!wanted.has(name)) continue;
    check(setType(program, section));
    // The log is only written when the program is refused; the verifier is then asked again for it.
    check(bpf.bpf_program__set_log_buf(program, log, log.length));
    if (options.isMultiBuffer !== true) continue;
    check(bpf.bpf_program__set_flags(program, bpf.bpf_program__flags(program) | BPF_F_XDP_HAS_FRAGS));
  }
}

/** libbpf 1 knows exact section names; objects written for its elders say "xdp-balancer" or "xdp_prog". */
function setType(program: Pointer, section: string): number {
  if (section.startsWith("xdp")) return libbpf().bpf_program__set_type(program, BPF_PROG_TYPE_XDP);
  if (/^(tc|tcx|classifier)\b/.test(section))
    return libbpf().bpf_program__set_type(program, BPF_PROG_TYPE_SCHED_CLS);
  return 0;
}

const F_DUPFD_CLOEXEC = 1030;

/** Descriptors of our own, before libbpf closes its. */
function takeOver(
  object: Pointer,
  { name }: ProgramSpec,
  { specs, reuse, perCpuMaps, owned }: LoadPlan,
): Pick<LoadedObject, "program" | "maps"> {
  const bpf = libbpf();
  const duplicate = (fd: number, what: string): Descriptor => {
    const copy = checked(libc().fcntl(fd, F_DUPFD_CLOEXEC, 3), `${what}: duplicate its descriptor`);
    return owned.one(new Descriptor(copy, what));
  };
  const program = bpf.bpf_object__find_program_by_name(object, name) as Pointer;
  const maps = new Map<string, MapDescriptors>();
  for (const spec of specs) {
    if (reuse.has(spec.name)) continue;
    const map = bpf.bpf_object__find_map_by_name(object, spec.name) as Pointer;
    const descriptor = duplicate(bpf.bpf_map__fd(map), `map "${spec.name}"`);
    maps.set(spec.name, { descriptor, inner: perCpuMaps.get(spec.name) });
  }
  return { program: duplicate(bpf.bpf_program__fd(program), `program "${name}"`), maps };
}

function findProgram({ object, program }: LoadRequest): ProgramSpec {
  const found = object.programs.find(({ name }) => name === program);
  if (found !== undefined) return found;
  const known = object.programs.map(({ name }) => `"${name}"`).join(", ");
  throw new RangeError(`program "${program}", expected one of ${known}`);
}

function requireLayout(wanted: MapSpec, { descriptor, inner }: MapDescriptors): void {
  if (wanted.isReadonly)
    throw new RangeError(`map "${wanted.name}" holds the program's options, and cannot be another's`);
  requireSameMap(wanted, presentSpec(wanted, descriptor));
  if (wanted.inner === undefined) return;
  for (const each of inner ?? []) requireSameMap(wanted.inner, presentSpec(wanted, each));
}

/** What is in the kernel, as far as it can be compared with what is wanted. */
function presentSpec({ name, isReadonly }: MapSpec, descriptor: Descriptor): MapSpec {
  const { type, keySizeBytes, valueSizeBytes, maxEntries, flags } = mapInfo(descriptor);
  return { name, isReadonly, type, keySizeBytes, valueSizeBytes, maxEntries, flags };
}

function textOf(log: Uint8Array): string {
  const end = log.indexOf(0);
  return Buffer.from(log.buffer, log.byteOffset, end < 0 ? log.length : end).toString("utf8");
}
