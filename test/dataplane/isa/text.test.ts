import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { assemble } from "../../../dataplane/isa/assemble.ts";
import { disassemble, disassembleAll } from "../../../dataplane/isa/disassemble.ts";
import { decode, encode } from "../../../dataplane/isa/encoding.ts";
import { type Instruction, InstructionError } from "../../../dataplane/isa/instruction.ts";
import { CONFORMANCE_VECTORS, conformanceVectors, lacks } from "../../needs.ts";
import { anyInstruction } from "./any-instruction.ts";

test.for([
  { text: "r0 = *(u32 *)(r1 + 4)", bytes: "6110040000000000" },
  { text: "r0 = *(s16 *)(r1 - 4)", bytes: "8910fcff00000000" },
  { text: "*(u8 *)(r10 - 1) = 7", bytes: "720affff07000000" },
  { text: "*(u64 *)(r10 - 8) = r6", bytes: "7b6af8ff00000000" },
  { text: "r1 += -3", bytes: "07010000fdffffff" },
  { text: "w1 s/= w2", bytes: "3c21010000000000" },
  { text: "r1 = (s8)r2", bytes: "bf21080000000000" },
  { text: "r3 = -r3", bytes: "8703000000000000" },
  { text: "r3 = be16 r3", bytes: "dc03000010000000" },
  { text: "r3 = le32 r3", bytes: "d403000020000000" },
  { text: "r3 = bswap64 r3", bytes: "d703000040000000" },
  { text: "if w2 s> -5 goto +3", bytes: "66020300fbffffff" },
  { text: "if r2 & r3 goto -2", bytes: "4d32feff00000000" },
  { text: "goto -1", bytes: "0500ffff00000000" },
  { text: "gotol +70000", bytes: "0600000070110100" },
  { text: "call 44", bytes: "850000002c000000" },
  { text: "call pc-6", bytes: "85100000faffffff" },
  { text: "call kfunc(513, 1)", bytes: "8520010001020000" },
  { text: "callx r3", bytes: "8d03000000000000" },
  { text: "exit", bytes: "9500000000000000" },
  { text: "lock *(u64 *)(r1 + 0) += r2", bytes: "db21000000000000" },
  { text: "w2 = atomic_fetch_or((u32 *)(r1 + 8), w2)", bytes: "c321080041000000" },
  { text: "r2 = xchg_64(r1 + 0, r2)", bytes: "db210000e1000000" },
  { text: "w0 = cmpxchg32_32(r1 + 0, w0, w2)", bytes: "c3210000f1000000" },
  { text: "r1 = 0x1122334455667788 ll", bytes: "18010000887766550000000044332211" },
  { text: "r1 = map_by_fd(3)", bytes: "18110000030000000000000000000000" },
  { text: "r1 = map_val(map_by_idx(3)) + 16", bytes: "18610000030000000000000010000000" },
  { text: "r1 = code_addr(-4)", bytes: "18410000fcffffff0000000000000000" },
])("$text has the bytes $bytes", ({ text, bytes }) => {
  const instructions = decode(Uint8Array.from(Buffer.from(bytes, "hex")), true);
  expect(disassemble(instructions[0]!)).toBe(text);
  expect(Buffer.from(encode(assemble(text), true)).toString("hex")).toBe(bytes);
});

test("what is disassembled assembles to the same instructions", () => {
  fc.assert(
    fc.property(fc.array(anyInstruction(), { maxLength: 40 }), (groups) => {
      const instructions = groups.flat();
      expect(assemble(disassembleAll(instructions))).toEqual(instructions);
    }),
  );
});

test("jumps, calls and function addresses take labels", () => {
  const instructions = assemble(`
      r1 = code_addr(callback)
    again:
      r2 += -1                  ; a comment
      if r2 != 0 goto again     # another
      if w2 == 0 goto done
      goto done <function+0x38>
      gotol again
      call callback
    done: exit
    callback:
      r0 = 0x5 ll
      exit
  `);
  expect(disassembleAll(instructions).trim().split("\n")).toEqual([
    "r1 = code_addr(8)",
    "r2 += -1",
    "if r2 != 0 goto -2",
    "if w2 == 0 goto +3",
    "goto +2",
    "gotol -5",
    "call pc+1",
    "exit",
    "r0 = 0x5 ll",
    "exit",
  ]);
});

test.for([
  { text: "r1 = r2 +", why: 'line 1: "r1 = r2 +" is no instruction' },
  { text: "\n r11 = r2", why: 'line 2: "r11 = r2" mov64_reg: dst register 11, expected 0 to 10' },
  { text: "r1 = -r2", why: "names register 2 where it must be 1" },
  { text: "r1 = cmpxchg_64(r1 + 0, r0, r2)", why: "names register 1 where it must be 0" },
  { text: "r1 = 0x100000000", why: "4294967296 does not fit 32 bits" },
  { text: "r1 = 0x10000000000000000 ll", why: "does not fit 64 bits" },
  { text: "goto +32768", why: "ja: offset 32768, expected a signed 16-bit number" },
  { text: "goto nowhere", why: 'there is no label "nowhere"' },
  { text: "a:\na:\n exit", why: 'label "a" is already taken' },
  { text: "r1 = be24 r1", why: "is no instruction" },
])("$text is refused", ({ text, why }) => {
  expect(() => assemble(text)).toThrow(InstructionError);
  expect(() => assemble(text)).toThrow(why);
});

test("0xffffffff means the 32 bits it has", () => {
  expect(assemble("w1 = 0xffffffff")).toEqual(assemble("w1 = -1"));
});

test("registers of narrow loads and stores may be called w, as newer LLVM does", () => {
  expect(assemble("w1 = *(u32 *)(r2 + 0x4)\n*(u8 *)(r2 +0) = w3")).toEqual(
    assemble("r1 = *(u32 *)(r2 + 4)\n*(u8 *)(r2 + 0) = r3"),
  );
  expect(() => assemble("w1 = *(u64 *)(r2 + 0)")).toThrow(InstructionError);
});

test("what is no instruction is disassembled as none", () => {
  const bogus: Instruction = { opcode: 0xff, dst: 1, src: 2, offset: 3, imm: 4, imm64: undefined };
  expect(disassemble(bogus)).toBe("(no instruction: opcode 0xff, dst 1, src 2, offset 3, imm 4)");
});

test.skipIf(lacks("the text of the conformance vectors", conformanceVectors))(
  "every vector of bpf_conformance survives the way through text",
  () => {
    const vectors: { name: string; hex: string }[] = JSON.parse(readFileSync(CONFORMANCE_VECTORS, "utf8"));
    expect(vectors).toHaveLength(313);
    for (const { name, hex } of vectors) {
      const text = disassembleAll(decode(Uint8Array.from(Buffer.from(hex, "hex")), true));
      expect(Buffer.from(encode(assemble(text), true)).toString("hex"), name).toBe(hex);
    }
  },
);
