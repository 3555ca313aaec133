/** Helpers that read the machine's inputs: time, CPU, random numbers. */
import type { Helper } from "./helper.ts";

export const ENVIRONMENT_HELPERS: readonly Helper[] = [
  { number: 5, name: "ktime_get_ns", parameters: [], call: ({ machine }) => machine.clock.monotonicNs },
  { number: 7, name: "get_prandom_u32", parameters: [], call: ({ machine }) => machine.random() >>> 0 },
  { number: 8, name: "get_smp_processor_id", parameters: [], call: ({ cpu }) => cpu.index },
  // All CPUs of a machine share one memory.
  { number: 42, name: "get_numa_node_id", parameters: [], call: () => 0 },
  { number: 118, name: "jiffies64", parameters: [], call: ({ machine }) => machine.clock.jiffies },
  { number: 125, name: "ktime_get_boot_ns", parameters: [], call: ({ machine }) => machine.clock.bootNs },
  { number: 160, name: "ktime_get_coarse_ns", parameters: [], call: ({ machine }) => machine.clock.coarseNs },
  { number: 208, name: "ktime_get_tai_ns", parameters: [], call: ({ machine }) => machine.clock.taiNs },
];
