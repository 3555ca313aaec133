/** XDP programs of a few instructions, for tests of what is around programs. */
import { assemble } from "../../../dataplane/isa/assemble.ts";
import { encode } from "../../../dataplane/isa/encoding.ts";
import { Descriptor } from "../../../dataplane/kernel/descriptor.ts";
import { libbpf } from "../../../dataplane/kernel/libbpf.ts";
import { NativeStruct } from "../../../dataplane/kernel/native.ts";

const BPF_PROG_TYPE_XDP = 6;
/** struct bpf_prog_load_opts (libbpf's bpf.h). */
const LOAD_OPTIONS = { sizeBytes: 104, programFlags: 20 } as const;

/** Loads what the text says: by default XDP_PASS. Throws KernelError. */
export function loadBare(
  name: string,
  text = "r0 = 2\nexit\n",
  { flags = 0 }: { readonly flags?: number } = {},
): Descriptor {
  const instructions = assemble(text);
  const bytes = encode(instructions, true);
  const options = new NativeStruct(LOAD_OPTIONS.sizeBytes, { hasSize: true });
  options.setU32(LOAD_OPTIONS.programFlags, flags);
  const result = libbpf().bpf_prog_load(
    BPF_PROG_TYPE_XDP,
    name,
    "GPL",
    bytes,
    bytes.length / 8,
    options.bytes,
  );
  return Descriptor.from(result, `load program "${name}"`, `program "${name}"`);
}
