/**
 * libbpf, through koffi: every function of it that Lamna calls is declared here and nowhere else. All are in libbpf 1.0; a newer one may be declared if its
 * caller asks `hasLibbpfFunction` first.
 *
 * Structs of options are bytes (NativeStruct with `hasSize`): their first field is their size, by which any libbpf 1.x knows which
 * fields the caller has (libbpf_common.h, LIBBPF_OPTS). Functions return a negative error number; those that return a pointer return null
 * and set errno.
 *
 * libbpf prints to standard error unless told otherwise: it never does here, see libbpf-messages.ts.
 */
import { KernelError } from "./kernel-error.ts";
import { bindLibrary, koffi, type NativeBytes, type NativeLibrary, type Pointer } from "./native.ts";

export interface Libbpf {
  libbpf_major_version(): number;
  libbpf_minor_version(): number;
  libbpf_num_possible_cpus(): number;
  libbpf_set_print(callback: Pointer | null): Pointer | null;

  // Objects (libbpf.h). An object owns its maps and programs.
  bpf_object__open_mem(file: NativeBytes, sizeBytes: number, options: NativeBytes): Pointer | null;
  bpf_object__load(object: Pointer): number;
  bpf_object__close(object: Pointer): void;
  bpf_object__find_map_by_name(object: Pointer, name: string): Pointer | null;
  bpf_object__find_program_by_name(object: Pointer, name: string): Pointer | null;
  bpf_object__next_map(object: Pointer, previous: Pointer | null): Pointer | null;
  bpf_object__next_program(object: Pointer, previous: Pointer | null): Pointer | null;
  bpf_map__fd(map: Pointer): number;
  bpf_map__name(map: Pointer): string;
  bpf_map__reuse_fd(map: Pointer, fd: number): number;
  bpf_map__set_autocreate(map: Pointer, isCreated: boolean): number;
  bpf_map__set_initial_value(map: Pointer, value: NativeBytes, sizeBytes: number): number;
  bpf_map__set_inner_map_fd(map: Pointer, fd: number): number;
  bpf_map__set_max_entries(map: Pointer, count: number): number;
  bpf_map__set_numa_node(map: Pointer, node: number): number;
  bpf_map__set_pin_path(map: Pointer, path: string | null): number;
  bpf_program__fd(program: Pointer): number;
  bpf_program__flags(program: Pointer): number;
  bpf_program__name(program: Pointer): string;
  bpf_program__set_autoload(program: Pointer, isLoaded: boolean): number;
  bpf_program__set_flags(program: Pointer, flags: number): number;
  bpf_program__set_ifindex(program: Pointer, ifindex: number): void;
  bpf_program__set_log_buf(program: Pointer, buffer: NativeBytes, sizeBytes: number): number;
  bpf_program__set_log_level(program: Pointer, level: number): number;
  bpf_program__set_type(program: Pointer, type: number): number;

  // Maps, by descriptor (bpf.h).
  bpf_map_create(
    type: number,
    name: string | null,
    keySizeBytes: number,
    valueSizeBytes: number,
    maxEntries: number,
    options: NativeBytes,
  ): number;
  bpf_map_update_elem(fd: number, key: NativeBytes, value: NativeBytes, flags: number): number;
  bpf_map_lookup_elem(fd: number, key: NativeBytes, value: NativeBytes): number;
  bpf_map_delete_elem(fd: number, key: NativeBytes): number;
  bpf_map_get_next_key(fd: number, key: NativeBytes, next: NativeBytes): number;
  bpf_map_freeze(fd: number): number;
  /** `count`: one element, in and out. */
  bpf_map_update_batch(
    fd: number,
    keys: NativeBytes,
    values: NativeBytes,
    count: Uint32Array,
    options: NativeBytes,
  ): number;
  bpf_map_delete_batch(fd: number, keys: NativeBytes, count: Uint32Array, options: NativeBytes): number;
  bpf_map_lookup_batch(
    fd: number,
    from: NativeBytes,
    next: NativeBytes,
    keys: NativeBytes,
    values: NativeBytes,
    count: Uint32Array,
    options: NativeBytes,
  ): number;

  // Programs and links, by descriptor.
  bpf_prog_load(
    type: number,
    name: string | null,
    license: string,
    instructions: NativeBytes,
    instructionCount: number,
    options: NativeBytes,
  ): number;
  bpf_prog_test_run_opts(fd: number, options: NativeBytes): number;
  bpf_link_create(programFd: number, target: number, attachType: number, options: NativeBytes): number;
  bpf_link_update(linkFd: number, programFd: number, options: NativeBytes): number;
  bpf_link_detach(linkFd: number): number;
  bpf_xdp_attach(ifindex: number, programFd: number, flags: number, options: NativeBytes): number;
  bpf_xdp_detach(ifindex: number, flags: number, options: NativeBytes): number;
  bpf_xdp_query(ifindex: number, flags: number, options: NativeBytes): number;
  /** `hook`: struct bpf_tc_hook. */
  bpf_tc_hook_create(hook: NativeBytes): number;
  bpf_tc_hook_destroy(hook: NativeBytes): number;
  bpf_tc_attach(hook: NativeBytes, options: NativeBytes): number;
  bpf_tc_detach(hook: NativeBytes, options: NativeBytes): number;
  bpf_tc_query(hook: NativeBytes, options: NativeBytes): number;

  // Anything that has a descriptor.
  bpf_obj_pin(fd: number, path: string): number;
  bpf_obj_get(path: string): number;
  /** `sizeBytes`: one element, in and out. */
  bpf_obj_get_info_by_fd(fd: number, info: NativeBytes, sizeBytes: Uint32Array): number;
  bpf_prog_get_fd_by_id(id: number): number;
  bpf_map_get_fd_by_id(id: number): number;
  bpf_link_get_fd_by_id(id: number): number;
  bpf_prog_get_next_id(after: number, next: Uint32Array): number;
  bpf_link_get_next_id(after: number, next: Uint32Array): number;
  libbpf_probe_bpf_prog_type(type: number, options: NativeBytes): number;
  libbpf_probe_bpf_map_type(type: number, options: NativeBytes): number;
  libbpf_probe_bpf_helper(programType: number, helper: number, options: NativeBytes): number;
}

const DECLARATIONS: Readonly<Record<keyof Libbpf, string>> = {
  libbpf_major_version: "uint32_t libbpf_major_version()",
  libbpf_minor_version: "uint32_t libbpf_minor_version()",
  libbpf_num_possible_cpus: "int libbpf_num_possible_cpus()",
  libbpf_set_print: "void *libbpf_set_print(void *callback)",

  bpf_object__open_mem: "void *bpf_object__open_mem(const void *file, size_t size, const void *options)",
  bpf_object__load: "int bpf_object__load(void *object)",
  bpf_object__close: "void bpf_object__close(void *object)",
  bpf_object__find_map_by_name: "void *bpf_object__find_map_by_name(void *object, const char *name)",
  bpf_object__find_program_by_name: "void *bpf_object__find_program_by_name(void *object, const char *name)",
  bpf_object__next_map: "void *bpf_object__next_map(void *object, void *previous)",
  bpf_object__next_program: "void *bpf_object__next_program(void *object, void *previous)",
  bpf_map__fd: "int bpf_map__fd(void *map)",
  bpf_map__name: "const char *bpf_map__name(void *map)",
  bpf_map__reuse_fd: "int bpf_map__reuse_fd(void *map, int fd)",
  bpf_map__set_autocreate: "int bpf_map__set_autocreate(void *map, bool isCreated)",
  bpf_map__set_initial_value: "int bpf_map__set_initial_value(void *map, const void *value, size_t size)",
  bpf_map__set_inner_map_fd: "int bpf_map__set_inner_map_fd(void *map, int fd)",
  bpf_map__set_max_entries: "int bpf_map__set_max_entries(void *map, uint32_t count)",
  bpf_map__set_numa_node: "int bpf_map__set_numa_node(void *map, uint32_t node)",
  bpf_map__set_pin_path: "int bpf_map__set_pin_path(void *map, const char *path)",
  bpf_program__fd: "int bpf_program__fd(void *program)",
  bpf_program__flags: "uint32_t bpf_program__flags(void *program)",
  bpf_program__name: "const char *bpf_program__name(void *program)",
  bpf_program__set_autoload: "int bpf_program__set_autoload(void *program, bool isLoaded)",
  bpf_program__set_flags: "int bpf_program__set_flags(void *program, uint32_t flags)",
  bpf_program__set_ifindex: "void bpf_program__set_ifindex(void *program, uint32_t ifindex)",
  bpf_program__set_log_buf: "int bpf_program__set_log_buf(void *program, void *buffer, size_t size)",
  bpf_program__set_log_level: "int bpf_program__set_log_level(void *program, uint32_t level)",
  bpf_program__set_type: "int bpf_program__set_type(void *program, int type)",

  bpf_map_create:
    "int bpf_map_create(int type, const char *name, uint32_t keySize, uint32_t valueSize, uint32_t maxEntries, const void *options)",
  bpf_map_update_elem: "int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags)",
  bpf_map_lookup_elem: "int bpf_map_lookup_elem(int fd, const void *key, void *value)",
  bpf_map_delete_elem: "int bpf_map_delete_elem(int fd, const void *key)",
  bpf_map_get_next_key: "int bpf_map_get_next_key(int fd, const void *key, void *next)",
  bpf_map_freeze: "int bpf_map_freeze(int fd)",
  bpf_map_update_batch:
    "int bpf_map_update_batch(int fd, const void *keys, const void *values, void *count, const void *options)",
  bpf_map_delete_batch:
    "int bpf_map_delete_batch(int fd, const void *keys, void *count, const void *options)",
  bpf_map_lookup_batch:
    "int bpf_map_lookup_batch(int fd, void *from, void *next, void *keys, void *values, void *count, const void *options)",

  bpf_prog_load:
    "int bpf_prog_load(int type, const char *name, const char *license, const void *instructions, size_t count, const void *options)",
  bpf_prog_test_run_opts: "int bpf_prog_test_run_opts(int fd, void *options)",
  bpf_link_create: "int bpf_link_create(int programFd, int target, int attachType, const void *options)",
  bpf_link_update: "int bpf_link_update(int linkFd, int programFd, const void *options)",
  bpf_link_detach: "int bpf_link_detach(int linkFd)",
  bpf_xdp_attach: "int bpf_xdp_attach(int ifindex, int programFd, uint32_t flags, const void *options)",
  bpf_xdp_detach: "int bpf_xdp_detach(int ifindex, uint32_t flags, const void *options)",
  bpf_xdp_query: "int bpf_xdp_query(int ifindex, int flags, void *options)",
  bpf_tc_hook_create: "int bpf_tc_hook_create(void *hook)",
  bpf_tc_hook_destroy: "int bpf_tc_hook_destroy(void *hook)",
  bpf_tc_attach: "int bpf_tc_attach(const void *hook, void *options)",
  bpf_tc_detach: "int bpf_tc_detach(const void *hook, const void *options)",
  bpf_tc_query: "int bpf_tc_query(const void *hook, void *options)",

  bpf_obj_pin: "int bpf_obj_pin(int fd, const char *path)",
  bpf_obj_get: "int bpf_obj_get(const char *path)",
  bpf_obj_get_info_by_fd: "int bpf_obj_get_info_by_fd(int fd, void *info, void *size)",
  bpf_prog_get_fd_by_id: "int bpf_prog_get_fd_by_id(uint32_t id)",
  bpf_map_get_fd_by_id: "int bpf_map_get_fd_by_id(uint32_t id)",
  bpf_link_get_fd_by_id: "int bpf_link_get_fd_by_id(uint32_t id)",
  bpf_prog_get_next_id: "int bpf_prog_get_next_id(uint32_t after, void *next)",
  bpf_link_get_next_id: "int bpf_link_get_next_id(uint32_t after, void *next)",
  libbpf_probe_bpf_prog_type: "int libbpf_probe_bpf_prog_type(int type, const void *options)",
  libbpf_probe_bpf_map_type: "int libbpf_probe_bpf_map_type(int type, const void *options)",
  libbpf_probe_bpf_helper: "int libbpf_probe_bpf_helper(int programType, int helper, const void *options)",
};

/** The file is named by its ABI, which every libbpf 1.x has; LAMNA_LIBBPF names another one, for a libbpf of one's own. */
const FILE = "libbpf.so.1";
const REMEDY = "install it (Debian, Ubuntu: apt-get install libbpf1; Fedora: dnf install libbpf)";

let library: NativeLibrary<Libbpf> | undefined;

/** Throws KernelError "no-libbpf", here or at the use of a function, where there is no libbpf 1.x. */
export function libbpf(): NativeLibrary<Libbpf> {
  library ??= openLibbpf(process.env.LAMNA_LIBBPF || FILE);
  return library;
}

/** "1.1", or KernelError "no-libbpf". */
export function libbpfVersion(): string {
  const { libbpf_major_version, libbpf_minor_version } = libbpf();
  return `${libbpf_major_version()}.${libbpf_minor_version()}`;
}

/** For functions newer than libbpf 1.0. Throws KernelError "no-libbpf" where there is none at all. */
export function hasLibbpfFunction(name: keyof Libbpf): boolean {
  libbpfVersion();
  try {
    return libbpf()[name] !== undefined;
  } catch {
    return false;
  }
}

function openLibbpf(file: string): NativeLibrary<Libbpf> {
  if (process.platform !== "linux") {
    const why = `libbpf is for Linux, and this is ${process.platform}`;
    throw new KernelError("no-libbpf", "the kernel dataplane", why, { remedy: "lamna replay runs anywhere" });
  }
  let handle: ReturnType<ReturnType<typeof koffi>["load"]>;
  try {
    handle = koffi().load(file);
  } catch (error) {
    if (error instanceof KernelError) throw error;
    throw new KernelError("no-libbpf", `open ${file}`, (error as Error).message, {
      remedy: REMEDY,
      cause: error,
    });
  }
  const bound = bindLibrary<Libbpf>(
    () => handle,
    DECLARATIONS,
    (name, cause) =>
      new KernelError("no-libbpf", `${file}: ${name}`, "it has no such function, so it is older than 1.0", {
        remedy: REMEDY,
        cause,
      }),
  );
  // Without a callback it is silent.
  bound.libbpf_set_print(null);
  return bound;
}
