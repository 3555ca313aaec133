/** Attaching to real interfaces: veth pairs in namespaces of the test's own. */
import { describe, expect, test } from "vitest";
import type { Descriptor } from "../../../dataplane/kernel/descriptor.ts";
import { KernelError } from "../../../dataplane/kernel/kernel-error.ts";
import { libbpf } from "../../../dataplane/kernel/libbpf.ts";
import { libc } from "../../../dataplane/kernel/libc.ts";
import { type Attachment, attachXdp, type RequestedMode } from "../../../dataplane/kernel/link.ts";
import { programInfo } from "../../../dataplane/kernel/program-info.ts";
import { MODE_FLAGS, queryXdp } from "../../../dataplane/kernel/xdp-state.ts";
import { bpffs, lacks, libbpf as libbpfNeed, namespaces, root } from "../../needs.ts";
import { loadBare } from "./bare-program.ts";
import { Namespaces } from "./namespaces.ts";

describe.skipIf(lacks("links", root, libbpfNeed, bpffs, namespaces))("links", () => {
  const spaces = new Namespaces("link");
  let count = 0;

  /** A veth in a namespace of its own; `act` runs there. */
  function withVeth(
    act: (target: { name: string; ifindex: number }, space: string) => void,
    options: Parameters<Namespaces["addVeth"]>[2] = {},
  ): void {
    const space = `n${count++}`;
    spaces.add(space);
    spaces.addVeth([space, "e0"], [space, "p0"], options);
    spaces.inside(space, () => act({ name: "e0", ifindex: libc().if_nametoindex("e0") }, space));
  }

  test.for(["native", "generic"] as const)("%s mode", (mode) => {
    withVeth((target) => {
      const program = loadBare("pass");
      const attachment = attachXdp(program, target, mode);
      const { id } = programInfo(program);
      expect(attachment).toMatchObject({ mode, fallback: undefined });
      expect(queryXdp(target)).toEqual({ mode, programId: id });
      expect(attachment.link.info()).toMatchObject({ programId: id, ifindex: target.ifindex });
      attachment.link.detach();
      expect(queryXdp(target)).toEqual({ mode: undefined, programId: 0 });
      expect(attachment.link.info().ifindex).toBe(0);
      attachment.link.detach();
      attachment.link.close();
      program.close();
    });
  });

  test("auto is native where the driver can", () => {
    withVeth((target) => {
      const program = loadBare("pass");
      const { mode, fallback, link } = attachXdp(program, target, "auto");
      expect({ mode, fallback }).toEqual({ mode: "native", fallback: undefined });
      link.close();
      program.close();
    });
  });

  test.for<{
    name: string;
    options: Parameters<Namespaces["addVeth"]>[2];
    code: KernelError["code"];
    says: RegExp;
  }>([
    {
      name: "a peer with more queues",
      options: {
        options: ["numrxqueues", "1", "numtxqueues", "1"],
        peerOptions: ["numrxqueues", "4", "numtxqueues", "4"],
      },
      code: "no-space",
      says: /too few queues.*XDP expects number of rx queues.*ethtool -L e0/,
    },
    {
      name: "a large MTU",
      options: { options: ["mtu", "9000"], peerOptions: ["mtu", "9000"] },
      code: "no-feature",
      says: /MTU is too large for native XDP.*Peer MTU is too large.*ip link set dev e0 mtu/,
    },
  ])("$name: native is refused with the reason, auto tells it and falls back", ({ options, code, says }) => {
    withVeth((target) => {
      const program = loadBare("pass");
      const error = refusal(program, target, "native");
      expect(error.code).toBe(code);
      expect(error.message).toMatch(says);
      const { mode, fallback, link } = attachXdp(program, target, "auto");
      expect(mode).toBe("generic");
      expect(fallback?.message).toBe(error.message);
      link.close();
      program.close();
    }, options);
  });

  test("a driver without native XDP", () => {
    withVeth(() => {
      const program = loadBare("pass");
      const target = { name: "lo", ifindex: 1 };
      expect(refusal(program, target, "native")).toMatchObject({
        code: "no-feature",
        message: expect.stringMatching(/lo in native mode: its driver has no native XDP .*--mode generic/),
      });
      const { mode, link } = attachXdp(program, target, "auto");
      expect(mode).toBe("generic");
      link.close();
      program.close();
    });
  });

  test("offload on a NIC that cannot", () => {
    withVeth((target) => {
      const program = loadBare("pass");
      expect(refusal(program, target, "offload")).toMatchObject({
        code: "no-feature",
        message: expect.stringMatching(/cannot run the program itself.*--mode native/),
      });
      expect(queryXdp(target).mode).toBeUndefined();
      program.close();
    });
  });

  test("another program, by link or by netlink, in this mode or the other, is named, with what removes it", () => {
    withVeth((target) => {
      const other = loadBare("somebody");
      const ours = loadBare("ours");
      const { id } = programInfo(other);
      const linked = attachXdp(other, target, "native");
      const linkId = linked.link.info().id;
      for (const mode of ["native", "auto"] as const) {
        expect(refusal(ours, target, mode)).toMatchObject({
          code: "busy",
          message: expect.stringMatching(
            new RegExp(
              `program ${id} \\("somebody"\\) is there in native mode, attached by link ${linkId}; .*bpftool link detach id ${linkId}`,
            ),
          ),
        });
      }
      expect(refusal(ours, target, "generic").message).toMatch(
        /native mode.*and generic cannot be beside it/,
      );
      linked.link.detach();
      linked.link.close();

      expect(libbpf().bpf_xdp_attach(target.ifindex, other.fd, MODE_FLAGS.generic, null)).toBe(0);
      expect(refusal(ours, target, "generic").message).toMatch(
        /generic mode, attached by netlink; .*"ip link set dev e0 xdpgeneric off"/,
      );
      expect(queryXdp(target)).toEqual({ mode: "generic", programId: id });
      other.close();
      ours.close();
    });
  });

  test("an interface that is gone", () => {
    withVeth((_, space) => {
      const program = loadBare("pass");
      expect(refusal(program, { name: "e9", ifindex: 4711 }, "auto")).toMatchObject({ code: "no-interface" });

      const { link } = attached(program, space);
      spaces.ip(space, "link", "del", "e0");
      expect(link.info().ifindex).toBe(0);
      const next = loadBare("next");
      expect(() => link.update(next, program)).toThrow(
        expect.objectContaining({ code: "no-interface", errno: "ENOLINK" }),
      );
      link.detach();
      link.close();
      next.close();
      program.close();
    });
  });

  test("an update says what it replaces, and is refused when something else is there", () => {
    withVeth((target, space) => {
      const [first, second, third] = [loadBare("first"), loadBare("second"), loadBare("third")];
      const { link } = attached(first, space);
      link.update(second, first);
      expect(queryXdp(target).programId).toBe(programInfo(second).id);
      expect(() => link.update(third, first)).toThrow(expect.objectContaining({ code: "busy" }));
      expect(queryXdp(target).programId).toBe(programInfo(second).id);
      link.close();
      expect(() => link.update(third, second)).toThrow(expect.objectContaining({ code: "closed" }));
      for (const program of [first, second, third]) program.close();
    });
  });

  function attached(program: Descriptor, space: string): Attachment {
    return spaces.inside(space, () =>
      attachXdp(program, { name: "e0", ifindex: libc().if_nametoindex("e0") }, "auto"),
    );
  }

  function refusal(
    program: Descriptor,
    target: { name: string; ifindex: number },
    mode: RequestedMode,
  ): KernelError {
    try {
      attachXdp(program, target, mode).link.close();
    } catch (error) {
      if (error instanceof KernelError) return error;
      throw error;
    }
    throw new Error("it was attached");
  }
});
