/**
 * The functions of the C library that Node does not offer. They are found in the running process, so that it does not matter which C library
 * that is. Declared without their variadic arguments, which Linux's calling conventions pass alike where they are integers or pointers.
 *
 * Sizes of `long` and of pointers are those of 64-bit Linux, the only one Lamna runs its dataplane on.
 */
import { KernelError, systemError } from "./kernel-error.ts";
import {
  bindLibrary,
  koffi,
  lastErrno,
  type NativeBytes,
  type NativeLibrary,
  type Pointer,
} from "./native.ts";

export interface Libc {
  /** MAP_FAILED is 2^64-1. The values of maps: see mapping.ts. */
  mmap(
    address: Pointer | null,
    sizeBytes: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): Pointer;
  munmap(address: Pointer, sizeBytes: number): number;
  sysconf(name: number): number;
  /** For system calls that have no function: the number is the architecture's own, see syscallNumber(). */
  syscall(number: number, a: number, b: number, c: number): number;
  /** Of the calling thread, which is the main one; functions called with `.async` run in other threads and namespaces. */
  setns(fd: number, type: number): number;
  ioctl(fd: number, request: number, argument: NativeBytes): number;
  fcntl(fd: number, command: number, argument: number): number;
  flock(fd: number, operation: number): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: NativeBytes, sizeBytes: number): number;
  connect(fd: number, address: NativeBytes, sizeBytes: number): number;
  getsockname(fd: number, address: NativeBytes, sizeBytes: Uint32Array): number;
  getsockopt(fd: number, level: number, name: number, value: NativeBytes, sizeBytes: Uint32Array): number;
  setsockopt(fd: number, level: number, name: number, value: NativeBytes, sizeBytes: number): number;
  send(fd: number, bytes: NativeBytes, sizeBytes: number, flags: number): number;
  sendto(
    fd: number,
    bytes: NativeBytes,
    sizeBytes: number,
    flags: number,
    address: NativeBytes,
    addressSizeBytes: number,
  ): number;
  recv(fd: number, bytes: NativeBytes, sizeBytes: number, flags: number): number;
  recvfrom(
    fd: number,
    bytes: NativeBytes,
    sizeBytes: number,
    flags: number,
    address: NativeBytes,
    addressSizeBytes: Uint32Array | null,
  ): number;
  poll(descriptors: NativeBytes, count: number, timeoutMs: number): number;
  /** `set`: a bit for each CPU. Thread 0 is the calling one. */
  sched_getaffinity(thread: number, sizeBytes: number, set: NativeBytes): number;
  sched_setaffinity(thread: number, sizeBytes: number, set: NativeBytes): number;
  /** 0: no such interface, and errno. */
  if_nametoindex(name: string): number;
  /** `name`: 16 bytes (IF_NAMESIZE) that it is written to. */
  if_indextoname(ifindex: number, name: NativeBytes): Pointer | null;
  /** `list`: a va_list as a callback got it. */
  vsnprintf(target: NativeBytes, sizeBytes: number, format: Pointer, list: Pointer): number;
}

const DECLARATIONS: Readonly<Record<keyof Libc, string>> = {
  mmap: "void *mmap(void *address, size_t size, int protection, int flags, int fd, int64_t offset)",
  munmap: "int munmap(void *address, size_t size)",
  sysconf: "long sysconf(int name)",
  syscall: "long syscall(long number, long a, long b, long c)",
  setns: "int setns(int fd, int type)",
  ioctl: "int ioctl(int fd, unsigned long request, void *argument)",
  fcntl: "int fcntl(int fd, int command, long argument)",
  flock: "int flock(int fd, int operation)",
  socket: "int socket(int domain, int type, int protocol)",
  bind: "int bind(int fd, const void *address, uint32_t size)",
  connect: "int connect(int fd, const void *address, uint32_t size)",
  getsockname: "int getsockname(int fd, void *address, void *size)",
  getsockopt: "int getsockopt(int fd, int level, int name, void *value, void *size)",
  setsockopt: "int setsockopt(int fd, int level, int name, const void *value, uint32_t size)",
  send: "int64_t send(int fd, const void *bytes, size_t size, int flags)",
  sendto:
    "int64_t sendto(int fd, const void *bytes, size_t size, int flags, const void *address, uint32_t addressSize)",
  recv: "int64_t recv(int fd, void *bytes, size_t size, int flags)",
  recvfrom: "int64_t recvfrom(int fd, void *bytes, size_t size, int flags, void *address, void *addressSize)",
  poll: "int poll(void *descriptors, unsigned long count, int timeout)",
  sched_getaffinity: "int sched_getaffinity(int thread, size_t size, void *set)",
  sched_setaffinity: "int sched_setaffinity(int thread, size_t size, const void *set)",
  if_nametoindex: "uint32_t if_nametoindex(const char *name)",
  if_indextoname: "void *if_indextoname(uint32_t ifindex, void *name)",
  vsnprintf: "int vsnprintf(void *target, size_t size, const void *format, void *list)",
};

let library: NativeLibrary<Libc> | undefined;

/** Throws KernelError "no-feature", here or at the use of a function, on other platforms than Linux. */
export function libc(): NativeLibrary<Libc> {
  if (process.platform !== "linux") {
    const why = `runs on Linux only, and this is ${process.platform}`;
    throw new KernelError("no-feature", "the kernel dataplane", why, {
      remedy: "lamna replay runs anywhere",
    });
  }
  library ??= bindLibrary<Libc>(
    // The process itself: what it is linked with, which includes its C library.
    () => koffi().load(null),
    DECLARATIONS,
    (name, cause) =>
      new KernelError("no-feature", `C library function ${name}`, "this C library does not have it", {
        cause,
      }),
  );
  return library;
}

/** For functions that return -1 and set errno: the result, or a KernelError. */
export function checked(result: number, operation: string): number {
  if (result < 0) throw systemError(operation, lastErrno());
  return result;
}

/** Numbers that differ between architectures (arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h). */
const SYSCALLS = { membarrier: { x64: 324, generic: 283 } } as const;

export function syscallNumber(name: keyof typeof SYSCALLS): number {
  return SYSCALLS[name][process.arch === "x64" ? "x64" : "generic"];
}
