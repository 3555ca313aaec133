/** Waiting until no packet that was being processed still is. */
import { Descriptor } from "./descriptor.ts";
import { systemError } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";
import { libc, syscallNumber } from "./libc.ts";
import { callAsync, NativeStruct } from "./native.ts";

/** include/uapi/linux/membarrier.h */
const MEMBARRIER_CMD_GLOBAL = 1;
const BPF_MAP_TYPE_ARRAY = 2;
const BPF_MAP_TYPE_ARRAY_OF_MAPS = 12;
/** struct bpf_map_create_opts (bpf.h). */
const CREATE_OPTIONS = { sizeBytes: 48, innerMapFd: 24 } as const;

/**
 * Resolves when every XDP program that was running at the time of the call has ended: one RCU grace period of the kernel, 8 to 25 ms, waited for
 * on another thread. membarrier does that (kernel/sched/membarrier.c), except where CPUs run without ticks (nohz_full, EINVAL) or a
 * filter forbids it; then changing a map of maps does, after which the kernel waits for the programs that may use the old one
 * (maybe_wait_bpf_programs in kernel/bpf/syscall.c).
 *
 * `useMembarrier`: for tests. Rejects with KernelError.
 */
export async function waitGracePeriod({
  useMembarrier = true,
}: {
  readonly useMembarrier?: boolean;
} = {}): Promise<void> {
  if (useMembarrier) {
    const result = await callAsync(libc().syscall, syscallNumber("membarrier"), MEMBARRIER_CMD_GLOBAL, 0, 0);
    if (result === 0) return;
  }
  await changeMapOfMaps();
}

async function changeMapOfMaps(): Promise<void> {
  const operation = "wait until no program uses what it used";
  const create = (type: number, innerFd: number): Descriptor => {
    const options = new NativeStruct(CREATE_OPTIONS.sizeBytes, { hasSize: true });
    options.setU32(CREATE_OPTIONS.innerMapFd, innerFd);
    const result = libbpf().bpf_map_create(type, "lamna_wait", 4, 4, 1, options.bytes);
    return Descriptor.from(result, operation, "a map to wait by");
  };
  const inner = create(BPF_MAP_TYPE_ARRAY, 0);
  try {
    const outer = create(BPF_MAP_TYPE_ARRAY_OF_MAPS, inner.fd);
    try {
      const value = new Uint8Array(Uint32Array.of(inner.fd).buffer);
      const result = await callAsync(libbpf().bpf_map_update_elem, outer.fd, new Uint8Array(4), value, 0);
      if (result < 0) throw systemError(operation, result);
    } finally {
      outer.close();
    }
  } finally {
    inner.close();
  }
}
