/** Small programs for the kernel's tests, as text. */
import { assemble } from "../../../dataplane/isa/assemble.ts";
import { encode } from "../../../dataplane/isa/encoding.ts";
import { Descriptor } from "../../../dataplane/kernel/descriptor.ts";
import { libbpf } from "../../../dataplane/kernel/libbpf.ts";
import { NativeStruct } from "../../../dataplane/kernel/native.ts";

/** struct bpf_prog_load_opts (libbpf's bpf.h): its third field of 32 bits is prog_btf_fd, the next one prog_flags. */
const LOAD_OPTIONS = { sizeBytes: 104, programFlags: 20 } as const;

/** An XDP program. Throws KernelError. */
export function loadText(
  name: string,
  text: string,
  { flags = 0 }: { readonly flags?: number } = {},
): Descriptor {
  const code = encode(assemble(text), true);
  const options = new NativeStruct(LOAD_OPTIONS.sizeBytes, { hasSize: true });
  options.setU32(LOAD_OPTIONS.programFlags, flags);
  const fd = libbpf().bpf_prog_load(6, name, "GPL", code, code.length / 8, options.bytes);
  return Descriptor.from(fd, `load program "${name}"`, `program "${name}"`);
}
