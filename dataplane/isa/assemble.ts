/**
 * Text to instructions: what `disassemble` writes and, since their style is the same, what llvm-objdump and the kernel write.
 * Numbers may be decimal or hexadecimal, blanks are free, `;` and `#` start a comment, `<...>` at the end of a line is ignored.
 *
 * Labels stand in place of jump distances, calls to local functions and `code_addr`:
 *
 *     again:                          ; a label alone on its line
 *       r1 += -1
 *       if r1 != 0 goto again
 *       call helper_of_mine
 *       exit
 *
 * How it works: in a line and in the templates of the opcode table alike, registers and numbers are taken out and the rest
 * is squeezed to a skeleton, "if r# == r# goto #"; the skeleton finds the row and the operands are read in order.
 */
import { encode } from "./encoding.ts";
import { type Instruction, InstructionError, instruction, LD_IMM64, loadImmediate64 } from "./instruction.ts";
import { BPF_DW, OPERATIONS, type Operation } from "./opcodes.ts";

interface Pattern {
  readonly operation: Operation;
  /** What the registers and numbers of the text are, in its order: an operand, or the number of a register that is spelled out. */
  readonly slots: readonly string[];
}

interface Line {
  readonly number: number;
  readonly text: string;
  /** Where the instruction goes. */
  readonly slot: number;
  readonly pattern: Pattern;
  readonly values: readonly bigint[];
  /** The label in place of the last number. */
  readonly label: string | undefined;
}

const PATTERNS: ReadonlyMap<string, Pattern> = new Map(
  OPERATIONS.flatMap((operation) => templatesOf(operation).map((template) => patternOf(operation, template))),
);

/** One element per slot, as `decode` gives. Throws InstructionError with code "bad-text" that names the line. */
export function assemble(text: string): Instruction[] {
  const labels = new Map<string, number>();
  const lines = parseLines(text, labels);
  const instructions: Instruction[] = [];
  for (const line of lines) {
    const built = build(line, labels);
    try {
      encode(built, true);
    } catch (cause) {
      if (!(cause instanceof InstructionError)) throw cause;
      throw badText(line.slot, line.number, line.text, cause.message.replace(/^slot 0: /, ""));
    }
    instructions.push(...built);
  }
  return instructions;
}

function parseLines(text: string, labels: Map<string, number>): Line[] {
  const lines: Line[] = [];
  let slot = 0;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const number = index + 1;
    let rest = raw
      .replace(/[;#].*$/, "")
      .replace(/\s*<[^<>]*>\s*$/, "")
      .trim();
    const label = /^([A-Za-z_.$][\w.$]*):/.exec(rest);
    if (label !== null) {
      const name = label[1]!;
      if (labels.has(name)) throw badText(slot, number, raw, `label "${name}" is already taken`);
      labels.set(name, slot);
      rest = rest.slice(label[0].length).trim();
    }
    if (rest === "") continue;
    const line = parseLine(rest, number, slot);
    lines.push(line);
    slot += line.pattern.operation.opcode === LD_IMM64 ? 2 : 1;
  }
  return lines;
}

function parseLine(text: string, number: number, slot: number): Line {
  const reference = /^(.*\bgotol? +|call +|.*\bcode_addr\( *)([A-Za-z_.$][\w.$]*)( *\)?)$/.exec(text);
  const label = reference?.[2];
  let plain = text;
  if (reference !== null) {
    const head = reference[1]!;
    plain = head.startsWith("call") ? "call pc+0" : `${head}0${reference[3]}`;
  }
  const { skeleton, values } = skeletonOf(plain);
  const pattern = PATTERNS.get(skeleton);
  if (pattern === undefined) throw badText(slot, number, text, "is no instruction");
  return { number, text, slot, pattern, values, label };
}

function build(
  { number, text, slot, pattern, values, label }: Line,
  labels: ReadonlyMap<string, number>,
): readonly Instruction[] {
  const { operation, slots } = pattern;
  const fields = new Map<string, bigint>();
  if (operation.variant !== undefined) fields.set(operation.variant.field, BigInt(operation.variant.value));
  for (const [index, name] of slots.entries()) {
    let value = values[index]!;
    if (label !== undefined && index === slots.length - 1) {
      const target = labels.get(label);
      if (target === undefined) throw badText(slot, number, text, `there is no label "${label}"`);
      value = BigInt(target - slot - 1);
    }
    const isSpelledOut = /^\d/.test(name);
    const before = isSpelledOut ? BigInt(name) : fields.get(name);
    if (before !== undefined && before !== value)
      throw badText(slot, number, text, `names register ${value} where it must be ${before}`);
    if (!isSpelledOut) fields.set(name, value);
  }

  const number32 = (name: string): number => {
    const value = fields.get(name) ?? 0n;
    // 0xffffffff is as good a way to write -1 as any.
    if (value < -(2n ** 31n) || value >= 2n ** 32n)
      throw badText(slot, number, text, `${value} does not fit 32 bits`);
    return Number(BigInt.asIntN(32, value));
  };
  const dst = Number(fields.get("dst") ?? 0n);
  const src = Number(fields.get("src") ?? 0n);
  if (operation.opcode !== LD_IMM64) {
    return [
      instruction({
        opcode: operation.opcode,
        dst,
        src,
        offset: Number(fields.get("offset") ?? 0n),
        imm: number32("imm"),
      }),
    ];
  }
  const whole = fields.get("imm64");
  if (whole === undefined) {
    const halves = (BigInt(number32("next") >>> 0) << 32n) | BigInt(number32("lo") >>> 0);
    return loadImmediate64(dst, halves, src);
  }
  if (whole < -(2n ** 63n) || whole >= 2n ** 64n)
    throw badText(slot, number, text, `${whole} does not fit 64 bits`);
  return loadImmediate64(dst, whole, src);
}

/** Registers become `r#` and `w#`, numbers `#`, blanks go. */
function skeletonOf(text: string): { readonly skeleton: string; readonly values: readonly bigint[] } {
  const values: bigint[] = [];
  const skeleton = text.replace(
    /\b([rw])(\d+)\b|([+-] *)?(?<!\w)(0[xX][0-9a-fA-F]+|\d+)\b/g,
    (_, register: string | undefined, index: string, sign: string | undefined, digits: string) => {
      if (register !== undefined) {
        values.push(BigInt(index));
        return `${register}#`;
      }
      values.push(sign?.startsWith("-") ? -BigInt(digits) : BigInt(digits));
      return "#";
    },
  );
  return { skeleton: skeleton.replace(/\s+/g, ""), values };
}

function patternOf(operation: Operation, template: string): [string, Pattern] {
  const slots: string[] = [];
  const skeleton = template.replace(
    /\b([rw])(?:\{(\w+)\}|(\d+))|\{[+ ]*(\w+)\}/g,
    (_, register: string | undefined, name?: string, index?: string, number?: string) => {
      slots.push(name ?? index ?? number ?? "");
      return register === undefined ? "#" : `${register}#`;
    },
  );
  return [skeleton.replace(/\s+/g, ""), { operation, slots }];
}

/** The template, and for loads and stores of up to 32 bits the form of newer LLVM, which calls the register `w`. */
function templatesOf(operation: Operation): readonly string[] {
  const { text, mnemonic, opcode } = operation;
  if (!/^(ldx|stx)[bhw]$/.test(mnemonic) || (opcode & BPF_DW) === BPF_DW) return [text];
  return [text, mnemonic.startsWith("ldx") ? text.replace(/^r/, "w") : text.replace(/r(\{src\})$/, "w$1")];
}

function badText(slot: number, line: number, text: string, why: string): InstructionError {
  return new InstructionError("bad-text", slot, undefined, `line ${line}: "${text.trim()}" ${why}`);
}
