/**
 * A program on a network interface, by a bpf_link (BPF_LINK_CREATE with BPF_XDP, Linux 5.9): it stays for as long as somebody has a
 * descriptor or a pin of the link, nobody else replaces it by accident, and it goes with the interface.
 *
 * Modes: native runs in the driver, before the kernel has made an skb of the frame; generic runs behind that, anywhere and slowly;
 * offload runs on the NIC itself. Native and generic cannot be on one interface at a time.
 *
 * Interfaces are those of the calling thread's network namespace.
 */
import { attachFailure } from "./attach-failure.ts";
import { Descriptor } from "./descriptor.ts";
import { errnoName, KernelError, systemError } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";
import { type LinkInfo, readLinkInfo } from "./link-info.ts";
import { NativeStruct } from "./native.ts";
import { type AttachMode, MODE_FLAGS, type NetworkInterface } from "./xdp-state.ts";

/** auto: native, or generic where the interface cannot do that. */
export type RequestedMode = AttachMode | "auto";

export interface Attachment {
  readonly link: XdpLink;
  readonly mode: AttachMode;
  /** Why it is not native, where "auto" had to do with less. */
  readonly fallback: KernelError | undefined;
}

/** enum bpf_attach_type (include/uapi/linux/bpf.h). */
const BPF_XDP = 37;
const BPF_F_REPLACE = 4;

/** struct bpf_link_create_opts (libbpf 1.0): its size, and where the mode flags are. */
const CREATE_OPTIONS = { sizeBytes: 64, flags: 8 };
const UPDATE_OPTIONS = { sizeBytes: 16, flags: 8, oldProgramFd: 12 };

/** Throws KernelError: what is in the way, or what the interface cannot do, with what to do about it. */
export function attachXdp(
  program: Descriptor,
  target: NetworkInterface,
  requested: RequestedMode,
): Attachment {
  if (requested !== "auto") {
    return { link: createLink(program, target, requested), mode: requested, fallback: undefined };
  }
  try {
    return { link: createLink(program, target, "native"), mode: "native", fallback: undefined };
  } catch (error) {
    if (!(error instanceof KernelError) || !isModeAtFault(error)) throw error;
    return { link: createLink(program, target, "generic"), mode: "generic", fallback: error };
  }
}

/** Whether generic mode may do where native failed: not where another program is in the way, or privileges are missing. */
function isModeAtFault({ code }: KernelError): boolean {
  return code === "no-feature" || code === "no-space" || code === "io";
}

function createLink(program: Descriptor, target: NetworkInterface, mode: AttachMode): XdpLink {
  const options = new NativeStruct(CREATE_OPTIONS.sizeBytes, { hasSize: true });
  options.setU32(CREATE_OPTIONS.flags, MODE_FLAGS[mode]);
  const fd = libbpf().bpf_link_create(program.fd, target.ifindex, BPF_XDP, options.bytes);
  if (fd < 0) throw attachFailure(fd, { program, target, mode });
  return new XdpLink(new Descriptor(fd, `link of ${target.name}`));
}

export class XdpLink {
  readonly descriptor: Descriptor;

  /** Takes ownership. */
  constructor(descriptor: Descriptor) {
    this.descriptor = descriptor;
  }

  /** Throws KernelError, "wrong-layout" when it is no link of an XDP program. */
  info(): LinkInfo {
    const info = readLinkInfo(this.descriptor);
    if (!info.isXdp)
      throw new KernelError("wrong-layout", this.descriptor.what, "is no link of an XDP program");
    return info;
  }

  /**
   * Puts another program in the place of `expected`: each packet sees one or the other. Throws KernelError "busy" when it is not
   * `expected` that is there, "no-interface" when the interface was deleted.
   */
  update(program: Descriptor, expected: Descriptor): void {
    const options = new NativeStruct(UPDATE_OPTIONS.sizeBytes, { hasSize: true });
    options.setU32(UPDATE_OPTIONS.flags, BPF_F_REPLACE).setU32(UPDATE_OPTIONS.oldProgramFd, expected.fd);
    const result = libbpf().bpf_link_update(this.descriptor.fd, program.fd, options.bytes);
    if (result >= 0) return;
    const operation = `replace the program of the ${this.descriptor.what}`;
    switch (errnoName(result)) {
      case "ENOLINK":
        throw new KernelError("no-interface", operation, "the interface was deleted", {
          errno: "ENOLINK",
          remedy: "lamna detach removes what is left of the link",
        });
      case "EPERM":
        throw new KernelError("busy", operation, "somebody else has replaced the program meanwhile", {
          errno: "EPERM",
          remedy:
            "find out who manages this interface beside lamna; lamna detach with its name takes the program off",
        });
      default:
        throw systemError(operation, result);
    }
  }

  /** Takes the program off the interface, at once and for every owner of the link. Harmless when it is off already. */
  detach(): void {
    const result = libbpf().bpf_link_detach(this.descriptor.fd);
    if (result < 0 && errnoName(result) !== "ENOLINK") {
      throw systemError(`detach the ${this.descriptor.what}`, result);
    }
  }

  /** Without a pin, or another descriptor, that detaches. */
  close(): void {
    this.descriptor.close();
  }
}
