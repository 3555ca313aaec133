/** XDP programs of a few instructions, for tests of what is around programs. */
import { assemble } from "../../../dataplane/isa/assemble.ts";
import { encode } from "../../../dataplane/isa/encoding.ts";
import { Descriptor } from "../../../dataplane/kernel/descriptor.ts";
import { libbpf } from "../../../dataplane/kernel/libbpf.ts";

const BPF_PROG_TYPE_XDP = 6;

/** Loads what the text says: by default XDP_PASS. Throws KernelError. */
export function loadBare(name: string, text = "r0 = 2\nexit\n"): Descriptor {
  const instructions = assemble(text);
  const bytes = encode(instructions, true);
  const result = libbpf().bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", bytes, bytes.length / 8, null);
  return Descriptor.from(result, `load program "${name}"`, `program "${name}"`);
}
