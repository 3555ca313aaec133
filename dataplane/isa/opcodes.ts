/**
 * The opcode table: every instruction of RFC 9669 but the deprecated packet access. Decoding, encoding, disassembly and assembly
 * all work from it. A row's text is a template; the operands named in it are the fields the instruction uses, and
 * every other field is reserved and must be 0.
 *
 *     {dst} {src}   a register's number, behind `r` (64 bits) or `w` (its low 32 bits)
 *     {offset}      signed 16 bits            {imm}     signed 32 bits
 *     {imm64}       the 64-bit immediate      {next}    its high half, as a signed number
 *     {lo}          its low half
 *
 * A plus sign in the braces (`{+offset}`, `{+ offset}`) asks for the number's sign to be written, with a space behind it or without.
 */

// Instruction classes (section 3), the low three bits of an opcode.
export const BPF_LD = 0x00;
export const BPF_LDX = 0x01;
export const BPF_ST = 0x02;
export const BPF_STX = 0x03;
export const BPF_ALU = 0x04;
export const BPF_JMP = 0x05;
export const BPF_JMP32 = 0x06;
export const BPF_ALU64 = 0x07;

// Where the second operand comes from (section 4): the immediate or the source register.
export const BPF_K = 0x00;
export const BPF_X = 0x08;

// Arithmetic (section 4.1).
export const BPF_ADD = 0x00;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30; // offset 1: signed
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
export const BPF_MOD = 0x90; // offset 1: signed
export const BPF_XOR = 0xa0;
export const BPF_MOV = 0xb0; // offset 8, 16, 32 (register only): sign-extends that many bits
export const BPF_ARSH = 0xc0;
export const BPF_END = 0xd0; // section 4.2; imm 16, 32, 64

// Jumps (section 4.3).
export const BPF_JA = 0x00; // class JMP: by offset; class JMP32: by imm
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;
export const BPF_JNE = 0x50;
export const BPF_JSGT = 0x60;
export const BPF_JSGE = 0x70;
export const BPF_CALL = 0x80;
export const BPF_EXIT = 0x90;
export const BPF_JLT = 0xa0;
export const BPF_JLE = 0xb0;
export const BPF_JSLT = 0xc0;
export const BPF_JSLE = 0xd0;

// Kinds of call (section 4.3.1), in `src`.
export const BPF_HELPER_CALL = 0;
export const BPF_PSEUDO_CALL = 1; // imm: slots from the next instruction to the function
export const BPF_PSEUDO_KFUNC_CALL = 2; // imm: BTF id; offset: which BTF

// Sizes and modes of loads and stores (section 5).
export const BPF_W = 0x00;
export const BPF_H = 0x08;
export const BPF_B = 0x10;
export const BPF_DW = 0x18;
export const BPF_IMM = 0x00;
export const BPF_ABS = 0x20;
export const BPF_IND = 0x40;
export const BPF_MEM = 0x60;
export const BPF_MEMSX = 0x80;
export const BPF_ATOMIC = 0xc0;

// Atomic operations (section 5.3), in `imm`. The arithmetic ones are BPF_ADD, BPF_OR, BPF_AND and BPF_XOR.
export const BPF_FETCH = 0x01;
export const BPF_XCHG = 0xe1; // BPF_FETCH included
export const BPF_CMPXCHG = 0xf1; // BPF_FETCH included

// Kinds of 64-bit immediate (section 5.4), in `src`.
export const BPF_PSEUDO_MAP_FD = 1;
export const BPF_PSEUDO_MAP_VALUE = 2; // the high half is the offset into the value
export const BPF_PSEUDO_BTF_ID = 3;
export const BPF_PSEUDO_FUNC = 4; // imm: slots from the next instruction to the function
export const BPF_PSEUDO_MAP_IDX = 5;
export const BPF_PSEUDO_MAP_IDX_VALUE = 6;

export type Operand = "dst" | "src" | "offset" | "imm" | "imm64" | "lo" | "next";

/** Conformance groups (section 2.4); `callx` belongs to none. */
export type ConformanceGroup =
  | "base32"
  | "base64"
  | "atomic32"
  | "atomic64"
  | "divmul32"
  | "divmul64"
  | "none";

export interface Operation {
  /** Unique. Classic names with the width where there are two: "add64", "jeq32", "ldxw", "lock_fetch_add64". */
  readonly mnemonic: string;
  readonly opcode: number;
  /** What tells operations of one opcode apart: the value of this field. */
  readonly variant: { readonly field: "src" | "offset" | "imm"; readonly value: number } | undefined;
  readonly text: string;
  readonly operands: ReadonlySet<Operand>;
  /** Section of RFC 9669. */
  readonly section: string;
  readonly group: ConformanceGroup;
  /** Lowest `-mcpu` with which clang emits it. */
  readonly version: 1 | 2 | 3 | 4;
}

type Row = Omit<Operation, "operands">;

const WIDTHS = [
  { bits: 64, register: "r", alu: BPF_ALU64, jump: BPF_JMP, base: "base64", divmul: "divmul64", version: 1 },
  { bits: 32, register: "w", alu: BPF_ALU, jump: BPF_JMP32, base: "base32", divmul: "divmul32", version: 3 },
] as const;

const SOURCES = [
  { source: BPF_K, suffix: "imm", isRegister: false },
  { source: BPF_X, suffix: "reg", isRegister: true },
] as const;

/** Every operation. */
export const OPERATIONS: readonly Operation[] = [
  ...arithmetic(),
  ...byteSwaps(),
  ...jumps(),
  ...loadsAndStores(),
  ...atomics(),
  ...immediates(),
].map((row) => ({ ...row, operands: operandsOf(row.text) }));

const OPERATIONS_BY_OPCODE: readonly (readonly Operation[])[] = Array.from({ length: 256 }, (_, opcode) =>
  OPERATIONS.filter((operation) => operation.opcode === opcode),
);

/** All operations that share an opcode; none: there is no such opcode. */
export function operationsOf(opcode: number): readonly Operation[] {
  return OPERATIONS_BY_OPCODE[opcode] ?? [];
}

/** The operation these fields mean, whether or not its reserved fields are 0; undefined when there is none. */
export function operationOf(fields: {
  readonly opcode: number;
  readonly src: number;
  readonly offset: number;
  readonly imm: number;
}): Operation | undefined {
  return operationsOf(fields.opcode).find(
    ({ variant }) => variant === undefined || fields[variant.field] === variant.value,
  );
}

/** Whether the opcode is one of the deprecated instructions that load from the packet (section 5.5). */
export function isLegacyPacketAccess(opcode: number): boolean {
  const mode = opcode & 0xe0;
  return (opcode & 0x07) === BPF_LD && (mode === BPF_ABS || mode === BPF_IND) && (opcode & 0x18) !== BPF_DW;
}

function operandsOf(text: string): ReadonlySet<Operand> {
  return new Set([...text.matchAll(/\{[+ ]*(\w+)\}/g)].map((match) => match[1] as Operand));
}

function arithmetic(): Row[] {
  const binary = [
    { name: "add", code: BPF_ADD, sign: "+=" },
    { name: "sub", code: BPF_SUB, sign: "-=" },
    { name: "mul", code: BPF_MUL, sign: "*=", isDivmul: true },
    { name: "div", code: BPF_DIV, sign: "/=", isDivmul: true, offset: 0 },
    { name: "sdiv", code: BPF_DIV, sign: "s/=", isDivmul: true, offset: 1 },
    { name: "or", code: BPF_OR, sign: "|=" },
    { name: "and", code: BPF_AND, sign: "&=" },
    { name: "lsh", code: BPF_LSH, sign: "<<=" },
    { name: "rsh", code: BPF_RSH, sign: ">>=" },
    { name: "mod", code: BPF_MOD, sign: "%=", isDivmul: true, offset: 0 },
    { name: "smod", code: BPF_MOD, sign: "s%=", isDivmul: true, offset: 1 },
    { name: "xor", code: BPF_XOR, sign: "^=" },
    { name: "mov", code: BPF_MOV, sign: "=", offset: 0 },
    { name: "arsh", code: BPF_ARSH, sign: "s>>=" },
  ] as const;
  const rows: Row[] = [];
  for (const { bits, register: r, alu, base, divmul, version } of WIDTHS) {
    for (const operation of binary) {
      for (const { source, suffix, isRegister } of SOURCES) {
        // Only the register form of MOV has variants (MOVSX); in the immediate form the offset is reserved.
        const hasVariants = "offset" in operation && (isRegister || operation.name !== "mov");
        const operand = isRegister ? `${r}{src}` : "{imm}";
        rows.push({
          mnemonic: `${operation.name}${bits}_${suffix}`,
          opcode: operation.code | source | alu,
          variant: hasVariants ? { field: "offset", value: operation.offset } : undefined,
          text: `${r}{dst} ${operation.sign} ${operand}`,
          section: "4.1",
          group: "isDivmul" in operation ? divmul : base,
          version: operation.name === "sdiv" || operation.name === "smod" ? 4 : version,
        });
      }
    }
    for (const from of [8, 16, 32]) {
      if (from >= bits) continue;
      rows.push({
        mnemonic: `movsx${from}to${bits}`,
        opcode: BPF_MOV | BPF_X | alu,
        variant: { field: "offset", value: from },
        text: `${r}{dst} = (s${from})${r}{src}`,
        section: "4.1",
        group: base,
        version: 4,
      });
    }
    rows.push({
      mnemonic: `neg${bits}`,
      opcode: BPF_NEG | alu,
      variant: undefined,
      text: `${r}{dst} = -${r}{dst}`,
      section: "4.1",
      group: base,
      version,
    });
  }
  return rows;
}

function byteSwaps(): Row[] {
  const kinds = [
    { name: "le", opcode: BPF_END | BPF_K | BPF_ALU, version: 1 },
    { name: "be", opcode: BPF_END | BPF_X | BPF_ALU, version: 1 },
    { name: "bswap", opcode: BPF_END | BPF_K | BPF_ALU64, version: 4 },
  ] as const;
  return kinds.flatMap(({ name, opcode, version }) =>
    [16, 32, 64].map((bits) => ({
      mnemonic: `${name}${bits}`,
      opcode,
      variant: { field: "imm", value: bits } as const,
      text: `r{dst} = ${name}${bits} r{dst}`,
      section: "4.2",
      group: bits === 64 ? ("base64" as const) : ("base32" as const),
      version,
    })),
  );
}

function jumps(): Row[] {
  const conditions = [
    { name: "jeq", code: BPF_JEQ, sign: "==", version: 1 },
    { name: "jgt", code: BPF_JGT, sign: ">", version: 1 },
    { name: "jge", code: BPF_JGE, sign: ">=", version: 1 },
    { name: "jset", code: BPF_JSET, sign: "&", version: 1 },
    { name: "jne", code: BPF_JNE, sign: "!=", version: 1 },
    { name: "jsgt", code: BPF_JSGT, sign: "s>", version: 1 },
    { name: "jsge", code: BPF_JSGE, sign: "s>=", version: 1 },
    { name: "jlt", code: BPF_JLT, sign: "<", version: 2 },
    { name: "jle", code: BPF_JLE, sign: "<=", version: 2 },
    { name: "jslt", code: BPF_JSLT, sign: "s<", version: 2 },
    { name: "jsle", code: BPF_JSLE, sign: "s<=", version: 2 },
  ] as const;
  const rows: Row[] = [];
  for (const { bits, register: r, jump, base, version } of WIDTHS) {
    for (const condition of conditions) {
      for (const { source, suffix, isRegister } of SOURCES) {
        const operand = isRegister ? `${r}{src}` : "{imm}";
        rows.push({
          mnemonic: `${condition.name}${bits}_${suffix}`,
          opcode: condition.code | source | jump,
          variant: undefined,
          text: `if ${r}{dst} ${condition.sign} ${operand} goto {+offset}`,
          section: "4.3",
          group: base,
          version: bits === 32 ? version : condition.version,
        });
      }
    }
  }
  const call = { section: "4.3.1", group: "base32", version: 1 } as const;
  rows.push(
    { ...jump("ja", BPF_JA | BPF_JMP, "goto {+offset}"), version: 1 },
    { ...jump("ja32", BPF_JA | BPF_JMP32, "gotol {+imm}"), version: 4 },
    { ...jump("exit", BPF_EXIT | BPF_JMP, "exit"), version: 1 },
    { ...call, ...callKind("call", BPF_HELPER_CALL, "call {imm}") },
    { ...call, ...callKind("call_local", BPF_PSEUDO_CALL, "call pc{+imm}") },
    { ...call, ...callKind("call_kfunc", BPF_PSEUDO_KFUNC_CALL, "call kfunc({imm}, {offset})") },
    // Not in the RFC. Clang emits it for calls through a pointer that it could not resolve; kernels refuse it.
    {
      mnemonic: "callx",
      opcode: BPF_CALL | BPF_X | BPF_JMP,
      variant: undefined,
      text: "callx r{dst}",
      section: "4.3",
      group: "none",
      version: 1,
    },
  );
  return rows;

  function jump(mnemonic: string, opcode: number, text: string): Omit<Row, "version"> {
    return { mnemonic, opcode, variant: undefined, text, section: "4.3", group: "base32" };
  }
  function callKind(
    mnemonic: string,
    kind: number,
    text: string,
  ): Pick<Row, "mnemonic" | "opcode" | "variant" | "text"> {
    return { mnemonic, opcode: BPF_CALL | BPF_JMP, variant: { field: "src", value: kind }, text };
  }
}

function loadsAndStores(): Row[] {
  const sizes = [
    { suffix: "b", size: BPF_B, bits: 8 },
    { suffix: "h", size: BPF_H, bits: 16 },
    { suffix: "w", size: BPF_W, bits: 32 },
    { suffix: "dw", size: BPF_DW, bits: 64 },
  ] as const;
  const rows: Row[] = [];
  for (const { suffix, size, bits } of sizes) {
    const group = bits === 64 ? "base64" : "base32";
    const cell = (base: string, sign: string): string => `*(${sign}${bits} *)(r{${base}} {+ offset})`;
    const plain = { variant: undefined, section: "5.1", group, version: 1 } as const;
    rows.push(
      {
        ...plain,
        mnemonic: `ldx${suffix}`,
        opcode: BPF_MEM | size | BPF_LDX,
        text: `r{dst} = ${cell("src", "u")}`,
      },
      {
        ...plain,
        mnemonic: `st${suffix}`,
        opcode: BPF_MEM | size | BPF_ST,
        text: `${cell("dst", "u")} = {imm}`,
      },
      {
        ...plain,
        mnemonic: `stx${suffix}`,
        opcode: BPF_MEM | size | BPF_STX,
        text: `${cell("dst", "u")} = r{src}`,
      },
    );
    if (bits === 64) continue;
    rows.push({
      mnemonic: `ldxs${suffix}`,
      opcode: BPF_MEMSX | size | BPF_LDX,
      variant: undefined,
      text: `r{dst} = ${cell("src", "s")}`,
      section: "5.2",
      group: "base64",
      version: 4,
    });
  }
  return rows;
}

function atomics(): Row[] {
  const operations = [
    { name: "add", code: BPF_ADD, sign: "+=" },
    { name: "or", code: BPF_OR, sign: "|=" },
    { name: "and", code: BPF_AND, sign: "&=" },
    { name: "xor", code: BPF_XOR, sign: "^=" },
  ] as const;
  const widths = [
    { bits: 64, size: BPF_DW, r: "r", infix: "", group: "atomic64" },
    { bits: 32, size: BPF_W, r: "w", infix: "32", group: "atomic32" },
  ] as const;
  const rows: Row[] = [];
  for (const { bits, size, r, infix, group } of widths) {
    const row = (mnemonic: string, value: number, text: string, version: 1 | 3): void => {
      const opcode = BPF_ATOMIC | size | BPF_STX;
      rows.push({
        mnemonic,
        opcode,
        variant: { field: "imm", value },
        text,
        section: "5.3",
        group,
        version,
      });
    };
    for (const { name, code, sign } of operations) {
      row(
        `lock_${name}${bits}`,
        code,
        `lock *(u${bits} *)(r{dst} {+ offset}) ${sign} ${r}{src}`,
        name === "add" ? 1 : 3,
      );
      row(
        `lock_fetch_${name}${bits}`,
        code | BPF_FETCH,
        `${r}{src} = atomic_fetch_${name}((u${bits} *)(r{dst} {+ offset}), ${r}{src})`,
        3,
      );
    }
    row(`lock_xchg${bits}`, BPF_XCHG, `${r}{src} = xchg${infix}_${bits}(r{dst} {+ offset}, ${r}{src})`, 3);
    row(
      `lock_cmpxchg${bits}`,
      BPF_CMPXCHG,
      `${r}0 = cmpxchg${infix}_${bits}(r{dst} {+ offset}, ${r}0, ${r}{src})`,
      3,
    );
  }
  return rows;
}

function immediates(): Row[] {
  const kinds = [
    { mnemonic: "lddw", kind: 0, text: "r{dst} = {imm64} ll" },
    { mnemonic: "lddw_map_fd", kind: BPF_PSEUDO_MAP_FD, text: "r{dst} = map_by_fd({lo})" },
    {
      mnemonic: "lddw_map_value",
      kind: BPF_PSEUDO_MAP_VALUE,
      text: "r{dst} = map_val(map_by_fd({lo})) {+ next}",
    },
    { mnemonic: "lddw_btf_id", kind: BPF_PSEUDO_BTF_ID, text: "r{dst} = var_addr({lo}, {next})" },
    { mnemonic: "lddw_func", kind: BPF_PSEUDO_FUNC, text: "r{dst} = code_addr({lo})" },
    { mnemonic: "lddw_map_index", kind: BPF_PSEUDO_MAP_IDX, text: "r{dst} = map_by_idx({lo})" },
    {
      mnemonic: "lddw_map_index_value",
      kind: BPF_PSEUDO_MAP_IDX_VALUE,
      text: "r{dst} = map_val(map_by_idx({lo})) {+ next}",
    },
  ];
  return kinds.map(({ mnemonic, kind, text }) => ({
    mnemonic,
    opcode: BPF_IMM | BPF_DW | BPF_LD,
    variant: { field: "src", value: kind } as const,
    text,
    section: "5.4",
    group: "base64" as const,
    version: 1 as const,
  }));
}
