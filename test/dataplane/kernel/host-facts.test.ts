/** What the running kernel, this process and small files of /proc say. */
import { readFileSync } from "node:fs";
import { release } from "node:os";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseCpuList, readHostFile, readSysctl } from "../../../dataplane/kernel/host-files.ts";
import { memlockLimit, readKernelFacts } from "../../../dataplane/kernel/kernel-facts.ts";
import { parseVersion } from "../../../dataplane/kernel/kernel-version.ts";
import { readPinned } from "../../../dataplane/kernel/pinned-facts.ts";
import { readPrivilegeFacts } from "../../../dataplane/kernel/privilege-facts.ts";
import { chooseReceiveInterrupts, parseInterrupts } from "../../../dataplane/kernel/queue-interrupts.ts";
import { bpffs, lacks, libbpf, linuxSince, root } from "../../needs.ts";

test.for([
  ["0-3", [0, 1, 2, 3]],
  ["0,2-3,7", [0, 2, 3, 7]],
  ["5", [5]],
  ["", []],
  ["nonsense", []],
  ["3-1", []],
] as const)("the list of CPUs %j", ([text, cpus]) => {
  expect(parseCpuList(text)).toEqual(cpus);
});

test("no list of CPUs takes long", () => {
  expect(parseCpuList("0-999999999").length).toBeLessThan(10_000);
  fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseCpuList(text))));
});

test.for([
  ["Max locked memory         8388608              8388608              bytes     ", 8388608],
  ["Max locked memory         unlimited            unlimited            bytes     ", undefined],
  ["", undefined],
] as const)("locked memory of %j", ([text, bytes]) => {
  expect(memlockLimit(`Limit  Soft  Hard  Units\n${text}\n`)).toBe(bytes);
});

test("files that are not there are an answer", () => {
  expect(readHostFile("/proc/no/such/file")).toBeUndefined();
  expect(readSysctl("net", "ipv4", "conf", "no-such-interface", "rp_filter")).toBeUndefined();
});

describe("interrupts", () => {
  const text = [
    "           CPU0       CPU1       ",
    "  1:          9          0   IO-APIC   1-edge      i8042",
    " 40:    1234567          0  PCI-MSIX-0000:01:00.0   0-edge      eth0",
    " 41:          5        100  PCI-MSIX-0000:01:00.0   1-edge      eth0-TxRx-0",
    " 42:          5        100  PCI-MSIX-0000:01:00.0   2-edge      eth0-TxRx-1",
    "NMI:          0          0   Non-maskable interrupts",
  ].join("\n");

  test("have their names at the end", () => {
    expect([...parseInterrupts(text)]).toEqual([
      [1, "i8042"],
      [40, "eth0"],
      [41, "eth0-TxRx-0"],
      [42, "eth0-TxRx-1"],
    ]);
  });

  test.for([
    {
      driver: "ixgbe",
      names: ["eth0", "eth0-TxRx-0", "eth0-TxRx-1"],
      receive: ["eth0-TxRx-0", "eth0-TxRx-1"],
    },
    {
      driver: "virtio_net",
      names: ["virtio0-config", "virtio0-input.0", "virtio0-output.0"],
      receive: ["virtio0-input.0"],
    },
    {
      driver: "mlx5_core",
      names: ["mlx5_async0@pci:0000:01:00.0", "mlx5_comp0@pci:0000:01:00.0"],
      receive: ["mlx5_comp0@pci:0000:01:00.0"],
    },
    { driver: "ena", names: ["ena-mgmnt@pci:0000:00:05.0", "eth0-Tx-Rx-0"], receive: ["eth0-Tx-Rx-0"] },
    { driver: "one that says little", names: ["odd", "odd-0", "odd-1"], receive: ["odd-0", "odd-1"] },
    { driver: "one that says nothing", names: ["odd"], receive: [] },
  ])("of $driver are known by their names", ({ names, receive }) => {
    const interrupts = names.map((name, index) => ({ irq: index + 1, name }));
    expect(chooseReceiveInterrupts(interrupts).map(({ name }) => name)).toEqual(receive);
  });

  test("of nothing are none", () => {
    expect(parseInterrupts("").size).toBe(0);
    fc.assert(fc.property(fc.string(), (text) => parseInterrupts(text).size >= 0));
  });
});

describe.skipIf(lacks("the facts of a kernel of today", root, libbpf, linuxSince(5, 18)))(
  "this kernel",
  () => {
    test("has every feature, most of them tried", () => {
      const { features, isJitted, onlineCpus, version, release: name } = readKernelFacts();
      expect(name).toBe(release());
      expect(version).toEqual(parseVersion(release()));
      expect(isJitted).toBe(true);
      expect(onlineCpus.length).toBeGreaterThan(0);
      expect(features.filter(({ isThere }) => !isThere)).toEqual([]);
      const tried = features.filter(({ how }) => how === "tried").map(({ feature }) => feature);
      expect(tried).toEqual(["xdp", "mmapable-arrays", "batch-operations", "ring-buffer"]);
    });

    test("names its features in its types, where those can be read", () => {
      const types = readFileSync("/sys/kernel/btf/vmlinux");
      const { features } = readKernelFacts();
      for (const { feature, how } of features) {
        if (["xdp-links", "live-frames", "xdp-frags"].includes(feature)) expect(how).toBe("types");
      }
      expect(types.includes("\0bpf_xdp_link_attach\0")).toBe(true);
    });
  },
);

describe.skipIf(lacks("the facts of root", root, libbpf, bpffs))("this process", () => {
  test("is root with libbpf and a BPF file system, also where the directory is yet to be made", () => {
    const facts = readPrivilegeFacts("/sys/fs/bpf/lamna-not-there/deeper");
    expect(facts).toMatchObject({
      isRoot: true,
      isInUserNamespace: false,
      libbpf: { isThere: true },
      bpffs: { path: "/sys/fs/bpf", isBpffs: true, isWritable: true },
    });
    expect(facts.capabilities.every(({ isHeld }) => isHeld === true)).toBe(true);
  });

  test("knows a directory that is in no BPF file system", () => {
    expect(readPrivilegeFacts("/proc/none").bpffs).toMatchObject({ path: "/proc", isBpffs: false });
  });
});

test("an instance that is not there", () => {
  expect(readPinned("/proc/no/such/directory")).toEqual({
    directory: "/proc/no/such/directory",
    state: "none",
    interfaces: [],
  });
});
