/**
 * Keeping this thread on one CPU, so that what a program keeps per CPU is in one place: test runs happen on the CPU of the thread that asks
 * for them, and the scheduler moves threads about.
 */
import { KernelError } from "./kernel-error.ts";
import { checked, libc } from "./libc.ts";

/** A set of CPUs (cpu_set_t, but for its size, which the kernel lets the caller choose): room for 8192, the most that Linux is built for. */
const SET_SIZE_BYTES = 1024;
const THIS_THREAD = 0;

export interface PinnedThread {
  /** The CPU it is on. */
  readonly cpu: number;
  /** Lets the thread go where it could go before. Twice is harmless. */
  release(): void;
}

/**
 * Keeps the calling thread on the first CPU that it may run on. Threads that are made meanwhile begin there as well. Throws KernelError.
 */
export function pinThread(): PinnedThread {
  const before = new Uint8Array(SET_SIZE_BYTES);
  checked(
    libc().sched_getaffinity(THIS_THREAD, SET_SIZE_BYTES, before),
    "ask which CPUs this thread may run on",
  );
  const cpu = firstOf(before);
  const only = new Uint8Array(SET_SIZE_BYTES);
  only[cpu >> 3] = 1 << (cpu & 7);
  setAffinity(only, `keep this thread on CPU ${cpu}`);
  let isReleased = false;
  return {
    cpu,
    release() {
      if (isReleased) return;
      isReleased = true;
      setAffinity(before, "let this thread run on other CPUs again");
    },
  };
}

function setAffinity(set: Uint8Array, operation: string): void {
  checked(libc().sched_setaffinity(THIS_THREAD, SET_SIZE_BYTES, set), operation);
}

/** The set is an array of longs, little-endian on every platform that we run on: bit c of byte c / 8. */
function firstOf(set: Uint8Array): number {
  const byte = set.findIndex((bits) => bits !== 0);
  if (byte < 0) throw new KernelError("io", "ask which CPUs this thread may run on", "none, says the kernel");
  return byte * 8 + Math.log2(set[byte]! & -set[byte]!);
}
