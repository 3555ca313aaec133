/** Facts of kernel and process in, findings out. */
import { describe, expect, test } from "vitest";
import { judgeKernel } from "../../../control/doctor/kernel.ts";
import { judgePrivileges } from "../../../control/doctor/privileges.ts";
import type { KernelFacts } from "../../../dataplane/kernel/kernel-facts.ts";
import type { PrivilegeFacts } from "../../../dataplane/kernel/privilege-facts.ts";
import { kernelFacts, privilegeFacts, shown } from "./facts.ts";

test("a kernel as it should be gives nothing to do", () => {
  expect(shown(judgeKernel(kernelFacts()))).toEqual([
    "ok version: Linux 6.12.1",
    "ok JIT: on",
    "ok lockdown: none",
  ]);
});

test.for<{ name: string; change: Partial<KernelFacts>; expected: string | RegExp }>([
  {
    name: "a kernel that is too old",
    change: { release: "5.4.0", version: [5, 4], memlockBytes: undefined },
    expected: "problem version: Linux 5.4.0 -> Lamna needs Linux 5.10 or later",
  },
  { name: "the oldest kernel that will do", change: { version: [5, 10] }, expected: /^ok version/ },
  { name: "a kernel of a later major version", change: { version: [7, 0] }, expected: /^ok version/ },
  {
    name: "no JIT",
    change: { jit: 0 },
    expected: /^warning JIT: off.* -> sysctl -w net\.core\.bpf_jit_enable=1$/,
  },
  { name: "a JIT that prints", change: { jit: 2 }, expected: /^warning JIT: .*kernel's log/ },
  {
    name: "a program that was compiled",
    change: { jit: undefined, isJitted: true },
    expected: "ok JIT: on (tried)",
  },
  {
    name: "a program that was not compiled",
    change: { jit: undefined, isJitted: false },
    expected: /^warning JIT/,
  },
  { name: "a JIT that cannot be seen", change: { jit: undefined }, expected: /^unknown JIT/ },
  {
    name: "constants blinded for root",
    change: { jitHarden: 2 },
    expected: /^warning JIT hardening.*bpf_jit_harden=1/,
  },
  {
    name: "lockdown",
    change: { lockdown: "confidentiality" },
    expected: "ok lockdown: confidentiality, which allows for all that Lamna does",
  },
  {
    name: "little locked memory before 5.11",
    change: { version: [5, 10], memlockBytes: 65536 },
    expected: /^warning locked memory: at most 65536 bytes.*LimitMEMLOCK=infinity/,
  },
  {
    name: "a feature that is needed and missing",
    change: { features: [{ feature: "xdp-links", isThere: false, how: "types", since: [5, 9] }] },
    expected: "problem features: no XDP links (by the kernel's types) -> a kernel from 5.9 on has them",
  },
  {
    name: "a feature that is missing and not needed",
    change: { features: [{ feature: "live-frames", isThere: false, how: "version", since: [5, 18] }] },
    expected:
      /^ok features: no live frames \(by its version, which is all that can be seen\); only the .*benchmark/,
  },
  {
    name: "features by how they were seen",
    change: {
      features: [
        { feature: "xdp", isThere: true, how: "tried", since: [4, 8] },
        { feature: "ring-buffer", isThere: true, how: "tried", since: [5, 8] },
        { feature: "xdp-links", isThere: true, how: "types", since: [5, 9] },
      ],
    },
    expected: "ok features: XDP, ring buffers (tried); XDP links (by the kernel's types)",
  },
])("$name", ({ change, expected }) => {
  expect(shown(judgeKernel(kernelFacts(change)))).toContainEqual(
    typeof expected === "string" ? expected : expect.stringMatching(expected),
  );
});

test("locked memory is no matter from 5.11 on, nor without a limit", () => {
  for (const change of [
    { version: [5, 11] as const },
    { version: [5, 10] as const, memlockBytes: undefined },
  ]) {
    expect(judgeKernel(kernelFacts(change)).map(({ check }) => check)).not.toContain("locked memory");
  }
});

describe("privileges", () => {
  const holding = (...names: string[]): PrivilegeFacts["capabilities"] =>
    privilegeFacts().capabilities.map(({ name }) => ({ name, isHeld: names.includes(name) }));

  test("of root, nothing to do", () => {
    expect(shown(judgePrivileges(privilegeFacts()))).toEqual([
      "ok capabilities: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN",
      "ok libbpf: version 1.5",
      "ok BPF file system: /sys/fs/bpf, writable",
    ]);
  });

  test.for<{ name: string; change: Partial<PrivilegeFacts>; expected: RegExp }>([
    {
      name: "the three that are needed are enough",
      change: { capabilities: holding("CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON") },
      expected: /^ok capabilities: CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON$/,
    },
    {
      name: "CAP_SYS_ADMIN stands for two of them",
      change: { capabilities: holding("CAP_NET_ADMIN", "CAP_SYS_ADMIN") },
      expected: /^ok capabilities: CAP_NET_ADMIN and CAP_SYS_ADMIN$/,
    },
    {
      name: "CAP_SYS_ADMIN does not stand for CAP_NET_ADMIN",
      change: { capabilities: holding("CAP_SYS_ADMIN") },
      expected: /^warning capabilities: this process has no CAP_NET_ADMIN/,
    },
    {
      name: "without CAP_PERFMON, what that means",
      change: { capabilities: holding("CAP_BPF", "CAP_NET_ADMIN") },
      expected: /^warning capabilities: no CAP_PERFMON, .*refuses the program.* -> grant CAP_PERFMON/,
    },
    {
      name: "none at all",
      change: { capabilities: holding() },
      expected: /^warning capabilities: this process has no CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, /,
    },
    {
      name: "not to be seen",
      change: {
        capabilities: privilegeFacts().capabilities.map(({ name }) => ({ name, isHeld: undefined })),
      },
      expected: /^unknown capabilities/,
    },
    { name: "a user namespace", change: { isInUserNamespace: true }, expected: /^problem user namespace/ },
    {
      name: "no libbpf",
      change: { libbpf: { isThere: false, why: "open libbpf.so.1: no such file", remedy: "install it" } },
      expected: /^problem libbpf: open libbpf.so.1: no such file -> install it$/,
    },
    {
      name: "no BPF file system",
      change: { bpffs: { path: "/tmp", isBpffs: false, isWritable: false } },
      expected: /^problem BPF file system: \/tmp is in none.*mount -t bpf bpf \/sys\/fs\/bpf/,
    },
    {
      name: "a BPF file system of somebody else",
      change: { bpffs: { path: "/sys/fs/bpf", isBpffs: true, isWritable: false }, isRoot: false },
      expected: /^warning BPF file system: \/sys\/fs\/bpf, not writable for this user/,
    },
  ])("$name", ({ change, expected }) => {
    expect(shown(judgePrivileges(privilegeFacts(change)))).toContainEqual(expect.stringMatching(expected));
  });
});
