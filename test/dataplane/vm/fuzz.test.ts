/**
 * Random programs that mean harm: whatever instructions, helpers and arguments they use, a run ends with a number or a VmFault, in
 * bounded time, and leaves the machine fit for the next. Registers begin with what programs really have (context, packet, maps,
 * values, stack, callbacks), since numbers out of the blue would all fault at once.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Instruction, instruction, loadImmediate64 } from "../../../dataplane/isa/instruction.ts";
import { OPERATIONS } from "../../../dataplane/isa/opcodes.ts";
import type { MapSpec } from "../../../dataplane/object/spec.ts";
import { type Engine, VmFault } from "../../../dataplane/vm/engine.ts";
import { ANY, CONTEXT, mapOf, type Parameter } from "../../../dataplane/vm/helpers/helper.ts";
import { helperByNumber } from "../../../dataplane/vm/helpers/table.ts";
import { linkProgram } from "../../../dataplane/vm/link.ts";
import { Machine } from "../../../dataplane/vm/machine.ts";
import * as mapTypes from "../../../dataplane/vm/maps/map-type.ts";
import type { PerfEventArray } from "../../../dataplane/vm/maps/perf-event-array.ts";
import { XDP_MD_SIZE_BYTES } from "../../../dataplane/vm/xdp-buffer.ts";
import { ENGINES } from "./engines.ts";
import { programOf } from "./program.ts";

const map = (
  type: number,
  keySizeBytes: number,
  valueSizeBytes: number,
  maxEntries: number,
  flags = 0,
): MapSpec => ({
  name: mapTypes.mapTypeName(type),
  type,
  keySizeBytes,
  valueSizeBytes,
  maxEntries,
  flags,
  isReadonly: false,
});
const INNER = map(mapTypes.BPF_MAP_TYPE_ARRAY, 4, 16, 4);
const MAPS: readonly MapSpec[] = [
  INNER,
  map(mapTypes.BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 3),
  map(mapTypes.BPF_MAP_TYPE_HASH, 4, 8, 4),
  map(mapTypes.BPF_MAP_TYPE_LRU_HASH, 8, 8, 4),
  map(mapTypes.BPF_MAP_TYPE_PERCPU_HASH, 4, 12, 4),
  map(mapTypes.BPF_MAP_TYPE_LPM_TRIE, 8, 4, 4, mapTypes.BPF_F_NO_PREALLOC),
  { ...map(mapTypes.BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 2), inner: INNER, values: new Map([[0, INNER.name]]) },
  map(mapTypes.BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 2),
  map(mapTypes.BPF_MAP_TYPE_DEVMAP, 4, 4, 4),
  map(mapTypes.BPF_MAP_TYPE_RINGBUF, 0, 0, 4096),
  map(mapTypes.BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 1),
];
const HELPERS = [
  12,
  ...Array.from({ length: 220 }, (_, i) => i).filter((i) => helperByNumber(i) !== undefined),
];
const TAIL_CALL: readonly Parameter[] = [CONTEXT, mapOf(mapTypes.BPF_MAP_TYPE_PROG_ARRAY), ANY];
const PLAIN = OPERATIONS.filter(({ section, opcode }) => !section.startsWith("4.3") && opcode !== 0x18);
const JUMPS = OPERATIONS.filter(({ mnemonic }) => /^j/.test(mnemonic) && mnemonic !== "ja32");

const register = fc.nat(10);
const small = fc.oneof(
  fc.constantFrom(0, 1, 2, 4, 8, 14, 16, 60, -4, -8, -16),
  fc.integer({ min: -600, max: 600 }),
);
const plain = fc
  .record({
    operation: fc.constantFrom(...PLAIN),
    dst: fc.nat(9),
    src: register,
    offset: small,
    imm: fc.oneof(small, fc.integer()),
  })
  .map(({ operation, ...fields }) => {
    const uses = (name: "src" | "offset" | "imm"): number => {
      if (operation.variant?.field === name) return operation.variant.value;
      return operation.operands.has(name) ? fields[name] : 0;
    };
    const { opcode } = operation;
    return [
      instruction({
        opcode,
        dst: fields.dst,
        src: uses("src"),
        offset: uses("offset"),
        imm: uses("imm") | 0,
      }),
    ];
  });
const HELPER_CALLS = HELPERS.map((helper) => ({
  helper,
  parameters: helperByNumber(helper)?.parameters ?? TAIL_CALL,
}));
/** Mostly what the helper wants, now and then something else, then the call. */
const call = fc
  .record({
    call: fc.constantFrom(...HELPER_CALLS),
    choices: fc.array(fc.record({ isWrong: fc.nat(15), value: small, map: fc.nat(), register }), {
      minLength: 5,
      maxLength: 5,
    }),
  })
  .map(({ call: { helper, parameters }, choices }) => [
    ...choices.flatMap((choice, i) =>
      argument(i + 1, choice.isWrong === 0 ? undefined : parameters[i], choice),
    ),
    instruction({ opcode: 0x85, imm: helper }),
  ]);

function argument(
  dst: number,
  parameter: Parameter | undefined,
  choice: { readonly value: number; readonly map: number; readonly register: number },
): readonly Instruction[] {
  const copy = (src: number): Instruction => instruction({ opcode: 0xbf, dst, src });
  switch (parameter?.kind) {
    case undefined:
      return [copy(choice.register)];
    case "context":
      return [copy(6)];
    case "map": {
      const fitting = MAPS.filter(({ type }) => parameter.types?.includes(type) ?? true);
      const chosen = fitting[choice.map % fitting.length] ?? INNER;
      return loadImmediate64(dst, BigInt(MAPS.indexOf(chosen) + 1), 1);
    }
    case "any":
      return [instruction({ opcode: 0xb7, dst, imm: choice.value })];
    case "size":
      return [instruction({ opcode: 0xb7, dst, imm: Math.abs(choice.value) % 17 })];
    case "function":
      return [copy(9)];
    case "record":
      return [copy(0)];
    case "text":
    case "lock":
      return [copy(8)];
    default: // Memory: on the stack, or in the packet.
      if (choice.map % 4 === 0) return [copy(8)];
      return [copy(10), instruction({ opcode: 0x07, dst, imm: -16 })];
  }
}

const jump = fc
  .record({
    operation: fc.constantFrom(...JUMPS),
    dst: register,
    src: register,
    imm: small,
    offset: fc.integer({ min: -3, max: 4 }),
  })
  .map(({ operation, ...fields }) => [
    instruction({
      opcode: operation.opcode,
      dst: operation.operands.has("dst") ? fields.dst : 0,
      src: operation.operands.has("src") ? fields.src : 0,
      imm: operation.operands.has("imm") ? fields.imm : 0,
      offset: fields.offset,
    }),
  ]);
const body = fc
  .array(
    fc.oneof({ weight: 6, arbitrary: plain }, { weight: 4, arbitrary: call }, { weight: 1, arbitrary: jump }),
    { minLength: 1, maxLength: 30 },
  )
  .map((parts) => parts.flat());

/** r6 the context, r7 a map, r8 the packet or a map's value, r9 a callback; values on the stack. */
function assembled(
  mapId: number,
  main: readonly Instruction[],
  callback: readonly Instruction[],
): Instruction[] {
  const prelude = [
    instruction({ opcode: 0xbf, dst: 6, src: 1 }),
    ...loadImmediate64(7, BigInt(mapId), 1),
    instruction({ opcode: 0x61, dst: 8, src: 1 }),
    // Counted from the slot behind this one: the rest of the prelude, the main part, its exit.
    ...loadImmediate64(9, BigInt(3 + main.length + 1), 4),
    instruction({ opcode: 0x7a, dst: 10, offset: -8, imm: 1 }),
    instruction({ opcode: 0x7a, dst: 10, offset: -16, imm: 32 }),
  ];
  const exit = instruction({ opcode: 0x95 });
  return [...prelude, ...main, exit, ...callback, exit];
}

describe.for(ENGINES)("$name", (engine: Engine) => {
  test("ends, with a number or a fault", () => {
    let ran = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MAPS.length }), body, body, (mapId, main, callback) => {
        const machine = new Machine(MAPS, { memory: { maximumBytes: 4 << 20 }, perfBufferBytes: 4096 });
        (machine.map("PERF_EVENT_ARRAY") as PerfEventArray).openAll();
        const { xdp } = machine.cpu(0);
        const process = (source: readonly Instruction[]): unknown => {
          xdp.load(new Uint8Array(60), { ingressIfindex: 1, rxQueueIndex: 0 });
          const program = linkProgram(machine, programOf(source));
          return engine.prepare(program, machine).run(xdp.contextAddress, XDP_MD_SIZE_BYTES, 0);
        };
        try {
          expect(process(assembled(mapId, main, callback))).toEqual(expect.any(BigInt));
          ran++;
        } catch (error) {
          if (!(error instanceof VmFault)) throw error;
          expect(error.message).not.toContain("undefined");
        }
        expect(machine.cpu(0).records).toEqual([]);
        expect(process(programOf("r0 = 7\nexit").instructions)).toBe(7n);
      }),
      { numRuns: 600 },
    );
    // Else the programs would be too bad to show anything.
    expect(ran).toBeGreaterThan(20);
  });
});
