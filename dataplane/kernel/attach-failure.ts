/**
 * Why a program cannot be put on an interface. BPF_LINK_CREATE answers with a bare error number, of which several mean two things;
 * netlink's way of attaching says more (extack), so the same is tried that way, to be told, and taken back at once should it not fail.
 */
import type { Descriptor } from "./descriptor.ts";
import { errnoName, KernelError, systemError } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";
import { type LibbpfMessage, warningsOf, withLibbpfMessages } from "./libbpf-messages.ts";
import { libc } from "./libc.ts";
import { findXdpLink } from "./link-info.ts";
import { NativeStruct } from "./native.ts";
import { describeProgram } from "./program-info.ts";
import { type AttachMode, MODE_FLAGS, type NetworkInterface, queryXdp } from "./xdp-state.ts";

export interface AttachAttempt {
  readonly program: Descriptor;
  readonly target: NetworkInterface;
  readonly mode: AttachMode;
}

/** The error for what BPF_LINK_CREATE returned. */
export function attachFailure(result: number, attempt: AttachAttempt): KernelError {
  const { target, mode } = attempt;
  const { name, ifindex } = target;
  const errno = errnoName(result);
  const operation = `attach to ${name} in ${mode} mode`;
  if (libc().if_indextoname(ifindex, new Uint8Array(IF_NAMESIZE)) === null) {
    return new KernelError("no-interface", operation, `no interface has index ${ifindex} any more`, {
      errno,
      remedy: "ip link shows those that there are",
    });
  }
  if (errno === "EPERM" || errno === "EACCES") return systemError(operation, result);
  if (errno === "EBUSY" || errno === "EEXIST") return inTheWay(operation, errno, attempt);

  const extack = askNetlink(attempt);
  const why = [errno, ...(extack === undefined ? [] : [`the kernel says: ${extack}`])].join("; ");
  if (mode === "offload") {
    return new KernelError("no-feature", operation, `the NIC cannot run the program itself (${why})`, {
      errno,
      remedy: "few NICs can, and only programs loaded for them; use --mode native",
    });
  }
  if (errno === "ERANGE" || /\bmtu\b/i.test(extack ?? "")) {
    return new KernelError("no-feature", operation, `the MTU is too large for native XDP (${why})`, {
      errno,
      remedy: `lower it (ip link set dev ${name} mtu 1500; of a veth pair, both ends), or use --mode generic`,
    });
  }
  if (errno === "ENOSPC") {
    return new KernelError("no-space", operation, `the interface has too few queues for XDP (${why})`, {
      errno,
      remedy: `give it more (ethtool -L ${name}; a veth needs as many receive queues as its peer has transmit queues), or use --mode generic`,
    });
  }
  if (mode === "native" && (errno === "EOPNOTSUPP" || errno === "ENOTSUPP")) {
    return new KernelError("no-feature", operation, `its driver has no native XDP (${why})`, {
      errno,
      remedy: "use --mode generic, which is slower",
    });
  }
  return new KernelError("io", operation, why, {
    errno,
    remedy: mode === "native" ? "lamna doctor may know more; --mode generic works anywhere" : undefined,
  });
}

const IF_NAMESIZE = 16;

/** Another program has the interface, or has it in the mode that cannot be beside this one. */
function inTheWay(operation: string, errno: string, { target, mode }: AttachAttempt): KernelError {
  const state = queryXdp(target);
  if (state.mode === undefined) return new KernelError("busy", operation, `${errno}: try again`, { errno });
  const who = describeProgram(state.programId);
  const link = findXdpLink(target, state);
  const holder =
    link === undefined ? "" : link === 0 ? ", attached by netlink" : `, attached by link ${link}`;
  const conflict = errno === "EEXIST" && state.mode !== mode ? `, and ${mode} cannot be beside it` : "";
  return new KernelError("busy", operation, `${who} is there in ${state.mode} mode${holder}${conflict}`, {
    errno,
    remedy: removal(target.name, state.mode, link),
  });
}

function removal(name: string, mode: AttachMode, link: number | undefined): string {
  const netlink = `ip link set dev ${name} ${IP_KEYWORDS[mode]} off`;
  const byLink = (id: string): string =>
    `end what owns the link, or take it off with "bpftool link detach id ${id}" (of another lamna: lamna detach with its --pin-dir)`;
  if (link === undefined)
    return `take it off with "${netlink}"; or if a link has it (bpftool link): ${byLink("ID")}`;
  return link === 0 ? `take it off with "${netlink}"` : byLink(String(link));
}

const IP_KEYWORDS: { readonly [mode in AttachMode]: string } = {
  native: "xdp",
  generic: "xdpgeneric",
  offload: "xdpoffload",
};

const XDP_FLAGS_UPDATE_IF_NOEXIST = 1 << 0;

/** What the kernel says in words of why this cannot be, where it does. Should it be possible now, it is undone. */
function askNetlink({ program, target, mode }: AttachAttempt): string | undefined {
  const flags = MODE_FLAGS[mode] | XDP_FLAGS_UPDATE_IF_NOEXIST;
  const messages: LibbpfMessage[] = [];
  const result = withLibbpfMessages(messages, () =>
    libbpf().bpf_xdp_attach(target.ifindex, program.fd, flags, null),
  );
  if (result >= 0) {
    const options = new NativeStruct(ATTACH_OPTIONS.sizeBytes, { hasSize: true });
    options.setU32(ATTACH_OPTIONS.oldProgramFd, program.fd);
    libbpf().bpf_xdp_detach(target.ifindex, MODE_FLAGS[mode], options.bytes);
    return undefined;
  }
  return /Kernel error message: (.*)/.exec(warningsOf(messages))?.[1]?.trim();
}

/** struct bpf_xdp_attach_opts of libbpf 1.0. */
const ATTACH_OPTIONS = { sizeBytes: 16, oldProgramFd: 8 };
