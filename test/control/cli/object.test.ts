import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { printable, printableJson } from "../../../control/cli/printable.ts";
import { buildCli, ROOT, runCli } from "./built-cli.ts";

const MAIN = buildCli();
const OBJECTS = join(ROOT, "test/dataplane/object/objects");
const BALANCER = join(ROOT, "dataplane/xdp/balancer.bpf.o");
const scratch = mkdtempSync(join(tmpdir(), "lamna-object-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function object(...args: string[]): string {
  const { status, stdout, stderr } = runCli(MAIN, ["object", ...args]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
}

test("an object's programs, maps, options, variables and types are listed", () => {
  const text = object(BALANCER);
  expect(text).toMatch(/balancer\.bpf\.o: BPF object, little-endian, license "Dual MIT\/GPL", \d+ types\n/);
  expect(text).toMatch(/^ {2}balance +xdp +[\d,]+ +balance/m);
  expect(text).toMatch(/^ {2}rings +ARRAY +69 +__u32 \(4\) +struct ring \(266,240\) +17\.5 MiB +MMAPABLE$/m);
  expect(text).toMatch(/^ {2}flows_ipv4\.inner +ARRAY +65,536 /m);
  expect(text).toMatch(/^ {2}option_hash_seed +__u32 +33554944$/m);
  expect(text).toMatch(/^ {2}clock_ticks +__u64 +0$/m);
  expect(text).toMatch(/^ {2}struct vip +64 bytes +address port protocol /m);
});

test("map types, flags, pinning and initial values have the kernel's names", () => {
  const text = object(join(OBJECTS, "maps.bpfel.o"));
  expect(text).toMatch(/^ {2}outer +ARRAY_OF_MAPS .*\[2\] = inner_a \[5\] = inner_b \[6\] = inner_a$/m);
  expect(text).toMatch(/^ {2}everything +HASH .*NO_PREALLOC pinned by name NUMA node 2 extra 4886718345$/m);
  expect(text).toMatch(/^ {2}programs +PROG_ARRAY .*\[1\] = target \[3\] = target$/m);
});

test("numbers of map definitions are listed up to the largest", () => {
  const text = object(join(OBJECTS, "large-maps.bpfel.o"));
  expect(text).toMatch(/^ {2}large +ARRAY +1,073,741,824 +__u32 \(4\) +__u64 \(8\) +8\.00 GiB$/m);
  expect(text).toMatch(/^ {2}largest +ARRAY +4,294,967,295 +__u32 \(4\) +__u32 \(4\) +32\.0 GiB$/m);
});

test("disassembly has functions, source lines and what instructions refer to", () => {
  const text = object(join(OBJECTS, "relocations.bpfel.o"), "--program", "first", "--disassemble");
  expect(text).toMatch(/^\nprogram first \(section xdp\)\n\nfirst:\n; \S*relocations\.c:\d+: /);
  expect(text).toMatch(/^callback:\n; .*relocations\.c:\d+: /m);
  expect(text).toMatch(/: r1 = map_by_fd\(0\) +; map global_map$/m);
  expect(text).toMatch(/: call 1 +; bpf_map_lookup_elem$/m);
  expect(text).toMatch(/: call pc\+\d+ +; shared$/m);
  expect(text).toMatch(/: r2 = code_addr\(\d+\) +; callback$/m);
  expect(text).toMatch(/ = map_val\(map_by_fd\(0\)\) \+ 8 +; static_cell$/m);
  expect(text).toMatch(/: if r0 == 0 goto \+\d+ +; to \d+$/m);
  expect(text).not.toContain("program second");
});

test("what the kernel is to define is listed", () => {
  const text = object(join(OBJECTS, "externs.bpfel.o"));
  expect(text).toMatch(/^ {2}CONFIG_HZ +needed +program$/m);
  expect(text).toMatch(/^ {2}CONFIG_RARE +weak +program$/m);
  expect(text).toMatch(/^ {2}kernel_function +needed +program$/m);
});

test("every instruction of every program is listed once", () => {
  const { programs } = JSON.parse(object(join(OBJECTS, "relocations.bpfeb.o"), "--json")) as {
    programs: { name: string; instructionCount: number }[];
  };
  for (const { name, instructionCount } of programs) {
    const listing = object(join(OBJECTS, "relocations.bpfeb.o"), "--program", name, "--disassemble");
    const slots = [...listing.matchAll(/^ +(\d+): (.*?)(?: +;.*)?$/gm)].map(
      (match) => [Number(match[1]), match[2]!] as const,
    );
    const wide = slots.filter(([, text]) => /= (0x\w+ ll|map_|code_addr)/.test(text)).length;
    expect(slots.length + wide).toBe(instructionCount);
  }
});

test("--json is one object with the same facts", () => {
  const json = JSON.parse(object(join(OBJECTS, "codecs.bpfel.o"), "--json", "--disassemble"));
  expect(json).toMatchObject({
    isLittleEndian: true,
    license: "GPL",
    programs: [{ name: "program", section: "xdp", functions: [{ name: "program", slot: 0 }] }],
    variables: expect.arrayContaining([
      {
        name: "option_large",
        isOption: true,
        map: ".rodata",
        type: "__u64",
        offsetBytes: 8,
        sizeBytes: 8,
        value: "18364758544493064720",
      },
    ]),
  });
  expect(json.maps.find((map: { name: string }) => map.name === "tables")).toMatchObject({
    type: "ARRAY_OF_MAPS",
    inner: { valueType: "struct scalars", valueSizeBytes: 64 },
  });
  expect(json.types.find((type: { name: string }) => type.name === "struct point").members).toEqual([
    { name: "x", type: "short", offsetBits: 0 },
    { name: "y", type: "__be16", offsetBits: 16 },
  ]);
  expect(json.programs[0].instructions.at(-1)).toMatchObject({ text: "exit" });
});

const text = join(scratch, "text.o");
writeFileSync(text, "not an object");
const cut = join(scratch, "cut.o");
writeFileSync(cut, readFileSync(BALANCER).subarray(0, 5000));
const empty = join(scratch, "empty.o");
writeFileSync(empty, "");

test.for<{ name: string; args: string[]; message: RegExp }>([
  {
    name: "a text",
    args: [text],
    message: /^lamna: object .*text\.o: 13 bytes, expected an ELF header of 64\n$/,
  },
  { name: "an object cut short", args: [cut], message: /^lamna: object .*cut\.o: .*\d+/ },
  { name: "an empty file", args: [empty], message: /0 bytes, expected an ELF header/ },
  {
    name: "a file that is not there",
    args: [join(scratch, "nothing.o")],
    message: /nothing\.o: no such file\n$/,
  },
  { name: "a folder", args: [scratch], message: /: a directory, expected a file\n$/ },
  {
    name: "a device without end",
    args: ["/dev/zero"],
    message: /: not a regular file, expected an object file\n$/,
  },
  {
    name: "the host's own executable",
    args: [process.execPath],
    message: /ELF type \d, expected 1 \(relocatable\)\n$|expected an object file of at most/,
  },
  {
    name: "CO-RE relocations",
    args: [join(OBJECTS, "core.bpfel.o")],
    message: /section "\.BTF\.ext" offset \d+: 1 CO-RE relocations/,
  },
  {
    name: "a program that is not there",
    args: [BALANCER, "--program", "other"],
    message: /no program "other", expected balance\n$/,
  },
  { name: "no file at all", args: [], message: /missing required argument 'file'/ },
])("$name ends with 2 and one message", ({ args, message }) => {
  const { status, stdout, stderr } = runCli(MAIN, ["object", ...args]);
  expect(stderr).toMatch(message);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).not.toMatch(/^ +at /m);
});

test.for([
  { name: "large-maps", programs: "program" },
  { name: "functions", programs: "none" },
])("$name: programs $programs", ({ name, programs }) => {
  const text = object(join(OBJECTS, `${name}.bpfel.o`));
  expect(text.includes("no programs")).toBe(programs === "none");
  if (programs === "none") expect(text).toMatch(/^no programs, only functions to be called: first second$/m);
});

test("names of a hostile object cannot command the terminal", () => {
  const hostile = join(scratch, "hostile.o");
  copyFileSync(join(OBJECTS, "relocations.bpfel.o"), hostile);
  const bytes = readFileSync(hostile);
  for (let at = bytes.indexOf("global_map"); at >= 0; at = bytes.indexOf("global_map", at + 1))
    bytes.write("\u001b[2Jal_map", at, "latin1");
  writeFileSync(hostile, bytes);
  const text = object(hostile, "--disassemble") + object(hostile, "--json");
  expect(text).toContain("\\u001b[2Jal_map");
  expect(text).not.toContain("\u001b");
  expect(printableJson(["\u009b\u202e"])).toBe('[\n  "\\u009b\\u202e"\n]');
  expect(printable("a\tb\u202ec\u0007\n")).toBe("a    b\\u202ec\\u0007\\u000a");
});

test("a terminal has colours, a pipe has none", () => {
  const file = join(OBJECTS, "codecs.bpfel.o");
  expect(runCli(MAIN, ["object", file], { environment: { FORCE_COLOR: "1" } }).stdout).toContain(
    "\u001b[1mprograms",
  );
  expect(object(file)).not.toContain("\u001b");
});
