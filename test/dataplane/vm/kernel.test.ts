/**
 * The helpers on the packet, against the running kernel's: the same object on the same frames, here and through the kernel's test_run.
 * Return value, metadata and frame must agree.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readObject } from "../../../dataplane/object/read-object.ts";
import { linkObject } from "../../../dataplane/vm/link.ts";
import { Machine } from "../../../dataplane/vm/machine.ts";
import { XDP_MD_SIZE_BYTES } from "../../../dataplane/vm/xdp-buffer.ts";
import { kernelBpf, lacks, linuxSince } from "../../needs.ts";
import { ENGINES } from "./engines.ts";

const OBJECT = new URL("objects/edges.bpf.o", import.meta.url).pathname;
const PIN = `/sys/fs/bpf/lamna-test-edges-${process.pid}`;
const FRAME_BYTES = 100;

// Before 6.13 csum_diff did not fold, and wanted multiples of 4.
const isSkipped = lacks("helpers on the packet against the kernel's", kernelBpf, linuxSince(6, 13));

interface Row {
  readonly what: string;
  readonly operation: number;
  readonly first: number;
  readonly second?: number;
}

const rows: readonly Row[] = [
  ...[0, 1, -1, 20, -20, -40, -215, -216, -217, 86, 87, 100, -(2 ** 31), 2 ** 31 - 1].map(
    (first) => ({ what: "adjust_head", operation: 0, first }) as const,
  ),
  ...[0, 1, -1, -86, -87, -100, 3419, 3420, 3421, 4096, -(2 ** 31), 2 ** 31 - 1].map(
    (first) => ({ what: "adjust_tail", operation: 1, first }) as const,
  ),
  ...[0, -1, -2, -3, -4, -6, -32, -36, -212, -216, -217, -220, -252, -256, 1, 4].map(
    (first) => ({ what: "adjust_meta", operation: 2, first }) as const,
  ),
  ...[-8, -200, -208, -209, -216, 8, 86, 87].map(
    (second) => ({ what: "adjust_meta -8, adjust_head", operation: 3, first: -8, second }) as const,
  ),
  ...[-4, -196, -200, -252, -256, 4].map(
    (second) =>
      ({ what: "adjust_head 100 bytes less room, adjust_meta", operation: 4, first: -20, second }) as const,
  ),
  ...[-4, -252, -256].map(
    (second) =>
      ({ what: "adjust_head 80 bytes more room, adjust_meta", operation: 4, first: 80, second }) as const,
  ),
  ...[1, 10, 60, 3470].map(
    (second) => ({ what: "adjust_tail -50, adjust_tail", operation: 5, first: -50, second }) as const,
  ),
  ...checksumRows(),
  ...[0, 96, 97, 100, 65535, 65536, -1].map(
    (first) => ({ what: "load_bytes", operation: 7, first }) as const,
  ),
  ...[0, 60, 96, 97, 65535, 65536, -1].map(
    (first) => ({ what: "store_bytes", operation: 8, first, second: 0x11223344 }) as const,
  ),
  { what: "get_buff_len", operation: 9, first: 0 },
  { what: "redirect with flags", operation: 10, first: 1, second: 1 },
];

/** Lengths and seeds in every combination of what is there and what is not, and sums that are 0 in ones' complement. */
function checksumRows(): Row[] {
  const built: Row[] = [];
  const lengths = [0, 1, 2, 3, 4, 7, 20, 32];
  for (const from of lengths) {
    for (const to of [0, 3, 4, 20, 31]) {
      for (const seed of [0, 0xffff_ffff, 0xfffe_0001, 0x1234_5678]) {
        built.push({
          what: `csum_diff -${from} +${to} seed 0x${seed.toString(16)}`,
          operation: 6,
          first: (seed << 16) | from | 0,
          second: (seed & 0xffff_0000) | to | 0,
        });
      }
    }
  }
  return built;
}

describe.skipIf(isSkipped)("helpers on the packet, as in this kernel", () => {
  let directory = "";
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "lamna-edges-"));
    execFileSync("bpftool", ["prog", "load", OBJECT, PIN], { stdio: "pipe" });
  });
  afterAll(() => {
    rmSync(PIN, { force: true });
    rmSync(directory, { recursive: true, force: true });
  });

  const object = readObject(readFileSync(OBJECT));
  const machine = new Machine(object.maps);
  const program = linkObject(machine, object).get("edges")!;
  const prepared = ENGINES.map((engine) => engine.prepare(program, machine));

  test.for(rows)("$what $first $second", (row) => {
    const frame = frameOf(row);
    const kernel = runInKernel(directory, frame);
    for (const each of prepared) {
      const { xdp } = machine.cpu(0);
      xdp.load(frame, { ingressIfindex: 1, rxQueueIndex: 0 });
      const result = Number(each.run(xdp.contextAddress, XDP_MD_SIZE_BYTES, 0) & 0xffff_ffffn);
      expect({ result, bytes: hex(xdp.metadata) + hex(xdp.frame) }).toEqual(kernel);
    }
  });
});

function frameOf({ operation, first, second = 0 }: Row): Uint8Array {
  const frame = Uint8Array.from({ length: FRAME_BYTES }, (_, i) => (i * 37 + 11) & 0xff);
  frame[14] = operation;
  const view = new DataView(frame.buffer);
  view.setInt32(16, first, true);
  view.setInt32(20, second, true);
  return frame;
}

function runInKernel(
  directory: string,
  frame: Uint8Array,
): { readonly result: number; readonly bytes: string } {
  const input = join(directory, "in");
  const output = join(directory, "out");
  writeFileSync(input, frame);
  const text = execFileSync(
    "bpftool",
    ["-j", "prog", "run", "pinned", PIN, "data_in", input, "data_out", output],
    { encoding: "utf8" },
  );
  const { retval } = JSON.parse(text) as { retval: number };
  return { result: retval >>> 0, bytes: hex(readFileSync(output)) };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
