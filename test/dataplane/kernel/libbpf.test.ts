import { describe, expect, test } from "vitest";
import { hasLibbpfFunction, libbpf, libbpfVersion } from "../../../dataplane/kernel/libbpf.ts";
import {
  type LibbpfMessage,
  warningsOf,
  withLibbpfMessages,
} from "../../../dataplane/kernel/libbpf-messages.ts";
import { libc } from "../../../dataplane/kernel/libc.ts";
import { lacks, libbpf as libbpfNeed } from "../../needs.ts";

describe.skipIf(lacks("libbpf", libbpfNeed))("libbpf", () => {
  test("is of version 1", () => {
    expect(libbpfVersion()).toMatch(/^1\.\d+$/);
  });

  test("has every function that is declared", () => {
    for (const name of Object.keys(libbpf()) as (keyof ReturnType<typeof libbpf>)[]) {
      expect(hasLibbpfFunction(name), name).toBe(true);
    }
  });

  test("says what is wrong with an object, to whoever listens", () => {
    const messages: LibbpfMessage[] = [];
    const file = new Uint8Array(100).fill(7);
    const open = () => libbpf().bpf_object__open_mem(file, file.length, null);
    expect(withLibbpfMessages(messages, open)).toBeNull();
    expect(warningsOf(messages)).toMatch(/not a proper ELF object/);
    const count = messages.length;
    expect(open()).toBeNull();
    expect(messages.length).toBe(count);
  });

  test("counts the CPUs", () => {
    expect(libbpf().libbpf_num_possible_cpus()).toBeGreaterThan(0);
  });
});

test.skipIf(lacks("the C library's functions", libbpfNeed))(
  "the C library has every function that is declared",
  () => {
    const functions = libc();
    for (const name of Object.keys(functions)) {
      expect(typeof functions[name as keyof typeof functions], name).toBe("function");
    }
  },
);
