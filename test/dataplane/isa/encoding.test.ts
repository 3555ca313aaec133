import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decode, encode } from "../../../dataplane/isa/encoding.ts";
import { InstructionError, instruction, loadImmediate64 } from "../../../dataplane/isa/instruction.ts";
import { OPERATIONS, operationsOf } from "../../../dataplane/isa/opcodes.ts";
import { CONFORMANCE_VECTORS, conformanceVectors, lacks } from "../../needs.ts";
import { anyInstruction } from "./any-instruction.ts";

test("an instruction has its fields where RFC 9669 puts them, in both byte orders", () => {
  const load = instruction({ opcode: 0x61, dst: 3, src: 10, offset: -2 });
  const add = instruction({ opcode: 0x07, dst: 4, imm: -2 });
  expect(hex(encode([load, add], true))).toBe("61a3feff00000000" + "07040000feffffff");
  expect(hex(encode([load, add], false))).toBe("613afffe00000000" + "07400000fffffffe");
});

test("a 64-bit immediate load is whole in its first slot and leaves a placeholder in the second", () => {
  const bytes = bytesOf("1801000088776655" + "0000000044332211");
  const instructions = decode(bytes, true);
  expect(instructions).toEqual([
    { opcode: 0x18, dst: 1, src: 0, offset: 0, imm: 0x55667788, imm64: 0x1122334455667788n },
    { opcode: 0, dst: 0, src: 0, offset: 0, imm: 0x11223344, imm64: undefined },
  ]);
  expect(loadImmediate64(1, 0x1122334455667788n)).toEqual(instructions);
});

test("what is encoded decodes to the same instructions, in both byte orders", () => {
  fc.assert(
    fc.property(fc.array(anyInstruction(), { maxLength: 40 }), fc.boolean(), (groups, isLittleEndian) => {
      const instructions = groups.flat();
      expect(decode(encode(instructions, isLittleEndian), isLittleEndian)).toEqual(instructions);
    }),
  );
});

test("random bytes decode to what encodes to the same bytes, or are refused with their slot", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.boolean(), (bytes, isLittleEndian) => {
      try {
        expect(encode(decode(bytes, isLittleEndian), isLittleEndian)).toEqual(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(InstructionError);
        const { slot, byte } = error as InstructionError;
        expect(byte).toBe(slot * 8);
        expect(byte).toBeLessThanOrEqual(bytes.length);
      }
    }),
    { numRuns: 1000 },
  );
});

test.for([
  { name: "bytes that are no whole slots", hex: "95000000000000", code: "bad-length", slot: 0 },
  {
    name: "a cut 64-bit immediate load",
    hex: "9500000000000000" + "1801000000000000",
    code: "bad-length",
    slot: 1,
  },
  { name: "an opcode that does not exist", hex: "ff00000000000000", code: "unknown-opcode", slot: 0 },
  { name: "opcode 0", hex: "0000000000000000", code: "unknown-opcode", slot: 0 },
  { name: "register 11", hex: "bf1b000000000000", code: "bad-register", slot: 0 },
  { name: "a source register where there is none", hex: "b710000001000000", code: "bad-register", slot: 0 },
  { name: "an offset where there is none", hex: "0f10010000000000", code: "bad-field", slot: 0 },
  { name: "an immediate where there is none", hex: "0f10000001000000", code: "bad-field", slot: 0 },
  {
    name: "a division that is neither signed nor unsigned",
    hex: "3f10020000000000",
    code: "unknown-opcode",
    slot: 0,
  },
  { name: "sign extension from 24 bits", hex: "bf10180000000000", code: "unknown-opcode", slot: 0 },
  { name: "sign extension to 32 bits from 32", hex: "bc10200000000000", code: "unknown-opcode", slot: 0 },
  { name: "a byte swap of 24 bits", hex: "dc00000018000000", code: "unknown-opcode", slot: 0 },
  {
    name: "an atomic operation that does not exist",
    hex: "db10000002000000",
    code: "unknown-opcode",
    slot: 0,
  },
  { name: "a call of kind 3", hex: "8530000001000000", code: "unknown-opcode", slot: 0 },
  {
    name: "a 64-bit immediate of kind 7",
    hex: "1870000000000000" + "0000000000000000",
    code: "unknown-opcode",
    slot: 0,
  },
  {
    name: "an opcode in the second slot of a load",
    hex: "1800000000000000" + "9500000000000000",
    code: "bad-field",
    slot: 1,
  },
  {
    name: "a high half where there is none",
    hex: "1810000001000000" + "0000000001000000",
    code: "bad-field",
    slot: 0,
  },
] as const)("$name is refused", ({ hex: text, code, slot }) => {
  const error = catchError(() => decode(bytesOf(text), true));
  expect(error).toMatchObject({ code, slot, byte: slot * 8 });
});

test("legacy packet access is refused by name", () => {
  for (const opcode of [0x20, 0x28, 0x30, 0x40, 0x48, 0x50]) {
    const bytes = Uint8Array.of(opcode, 0, 0, 0, 0, 0, 0, 0);
    expect(catchError(() => decode(bytes, true)).message).toContain("legacy packet access");
  }
});

test.for([
  { name: "a register that does not exist", fields: { opcode: 0xbf, dst: 11 } },
  { name: "an offset of 17 bits", fields: { opcode: 0x05, offset: 32768 } },
  { name: "an immediate of 33 bits", fields: { opcode: 0xb7, imm: 2 ** 31 } },
  { name: "a fraction", fields: { opcode: 0xb7, imm: 0.5 } },
])("encoding $name is refused", ({ fields }) => {
  expect(catchError(() => encode([instruction(fields)], true))).toBeInstanceOf(InstructionError);
});

test("encoding a 64-bit immediate whose halves do not match it is refused", () => {
  const [first, second] = loadImmediate64(1, 5n);
  expect(catchError(() => encode([first, { ...second, imm: 1 }], true))).toMatchObject({
    code: "bad-field",
    slot: 1,
  });
  expect(catchError(() => encode([first], true))).toMatchObject({ code: "bad-length", slot: 0 });
});

test("operations that share an opcode are told apart by the values of one field", () => {
  for (let opcode = 0; opcode < 256; opcode++) {
    const siblings = operationsOf(opcode);
    if (siblings.length < 2) continue;
    expect(new Set(siblings.map(({ variant }) => variant?.field)).size, `opcode ${opcode}`).toBe(1);
    expect(new Set(siblings.map(({ variant }) => variant?.value)).size, `opcode ${opcode}`).toBe(
      siblings.length,
    );
  }
  expect(new Set(OPERATIONS.map(({ mnemonic }) => mnemonic)).size).toBe(OPERATIONS.length);
  expect(new Set(OPERATIONS.map(({ text }) => text)).size).toBe(OPERATIONS.length);
});

test.skipIf(lacks("the encoding of the conformance vectors", conformanceVectors))(
  "every vector of bpf_conformance decodes and encodes to the same bytes",
  () => {
    const vectors: { name: string; hex: string }[] = JSON.parse(readFileSync(CONFORMANCE_VECTORS, "utf8"));
    expect(vectors).toHaveLength(313);
    for (const { name, hex: text } of vectors) {
      expect(hex(encode(decode(bytesOf(text), true), true)), name).toBe(text);
    }
  },
);

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function catchError(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("nothing was thrown");
}
