/** Helpers that do for a program what it could do itself, in less instructions (kernel/bpf/bpf_iter.c and helpers.c, Linux 6.18). */
import { E2BIG, EINVAL } from "../maps/errno.ts";
import { ANY, FUNCTION, type Helper, type HelperCall, READ_MEMORY, SIZE, TEXT } from "./helper.ts";

/** BPF_MAX_LOOPS. The machine's step limit usually ends such a loop much earlier. */
const LOOPS_MAX = 8 * 1024 * 1024;

export const PROGRAM_HELPERS: readonly Helper[] = [
  { number: 181, name: "loop", parameters: [ANY, FUNCTION, ANY, ANY], call: loop },
  { number: 182, name: "strncmp", parameters: [READ_MEMORY, SIZE, TEXT], call: compareText },
];

/** callback(index, context) until it returns something else than 0; r0 says how often it was called. */
function loop(call: HelperCall): number {
  const { registers } = call;
  const count = registers.low(1);
  const slot = registers.low(2);
  const contextLow = registers.low(3);
  const contextHigh = registers.high(3);
  if (registers.u64[4] !== 0n) return -EINVAL;
  if (count > LOOPS_MAX) return -E2BIG;
  for (let index = 0; index < count; index++) {
    registers.setHalves(1, index, 0);
    registers.setHalves(2, contextLow, contextHigh);
    registers.setHalves(3, 0, 0);
    registers.setHalves(4, 0, 0);
    registers.setHalves(5, 0, 0);
    call.invoke(slot);
    if (registers.u64[0] !== 0n) return index + 1;
  }
  return count;
}

/** -1, 0 or 1, of the first `size` bytes or up to a zero. */
function compareText({ machine, registers }: HelperCall): number {
  const { u8 } = machine.memory;
  const a = registers.low(1);
  const b = registers.low(3);
  const size = registers.low(2);
  for (let i = 0; i < size; i++) {
    const difference = u8[a + i]! - u8[b + i]!;
    if (difference !== 0) return Math.sign(difference);
    if (u8[a + i] === 0) return 0;
  }
  return 0;
}
