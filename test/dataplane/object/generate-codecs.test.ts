import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import type { Codec, MapLayout } from "../../../dataplane/object/codec.ts";
import { generateCodecs } from "../../../dataplane/object/generate-codecs.ts";
import { readObject } from "../../../dataplane/object/read-object.ts";
import * as balancer from "../../../dataplane/xdp/generated/balancer.ts";
import { objectBytes, objectErrorOf } from "./test-objects.ts";

const ROOT = join(import.meta.dirname, "../../..");
const scratch = mkdtempSync(join(tmpdir(), "lamna-codecs-"));
// Generated code finds the modules beside it, as in the product.
symlinkSync(join(ROOT, "dataplane/object"), join(scratch, "object"));
symlinkSync(join(ROOT, "node_modules"), join(scratch, "node_modules"));
writeFileSync(join(scratch, "package.json"), '{"type": "module"}');
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Point {
  readonly x: number;
  readonly y: number;
}

interface Scalars {
  readonly u8: number;
  readonly u16: number;
  readonly u32: number;
  readonly u64: bigint;
  readonly i8: number;
  readonly i16: number;
  readonly i32: number;
  readonly i64: bigint;
  readonly be16: number;
  readonly be32: number;
  readonly be64: bigint;
  readonly isSet: boolean;
  readonly colour: number;
}

interface Shapes {
  readonly corner: Point;
  readonly path: readonly Point[];
  readonly macAddress: Uint8Array;
  readonly name: readonly number[];
  readonly grid: readonly Uint8Array[];
  readonly words: readonly number[];
  readonly whole: bigint;
  readonly inlined: number;
  readonly namedUnion: number;
}

interface Generated {
  readonly scalars: Codec<Scalars>;
  readonly shapes: Codec<Shapes>;
  readonly shapesParts: Codec<{ readonly lowPart: number; readonly highPart: number }>;
  readonly point: Codec<Point>;
  readonly Colour: Record<string, number>;
  readonly Wide: Record<string, number | bigint>;
  readonly REASON_NAMES: readonly string[];
  readonly maps: Record<string, MapLayout<unknown>>;
  readonly options: Record<
    string,
    { readonly value: unknown; readonly type: string; readonly offsetBytes: number }
  >;
  readonly variables: Record<string, { readonly value: unknown; readonly map: string }>;
  readonly programs: Record<string, string>;
}

const generated = { bpfel: await generate("bpfel"), bpfeb: await generate("bpfeb") };
const TARGETS = ["bpfel", "bpfeb"] as const;

const POINT = fc.record({ x: signed(16), y: unsigned(16) });
const SCALARS = fc.record({
  u8: unsigned(8),
  u16: unsigned(16),
  u32: unsigned(32),
  u64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  i8: signed(8),
  i16: signed(16),
  i32: signed(32),
  i64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  be16: unsigned(16),
  be32: unsigned(32),
  be64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  isSet: fc.boolean(),
  colour: unsigned(32),
});
const SHAPES = fc.record({
  corner: POINT,
  path: fc.array(POINT, { minLength: 3, maxLength: 3 }),
  macAddress: bytes(6),
  name: fc.array(signed(8), { minLength: 10, maxLength: 10 }),
  grid: fc.array(bytes(3), { minLength: 2, maxLength: 2 }),
  words: fc.array(unsigned(32), { minLength: 2, maxLength: 2 }),
  whole: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  inlined: unsigned(32),
  namedUnion: unsigned(32),
});

test.for(TARGETS)("what a codec for %s writes it reads back, and it touches nothing else", (target) => {
  const { scalars, shapes } = generated[target];
  const roundTrip = <T>(codec: Codec<T>, value: T, offset: number): void => {
    const memory = new Uint8Array(codec.sizeBytes + offset + 5).fill(0xa5);
    codec.write(memory, value, offset);
    expect(codec.read(memory, offset)).toEqual(value);
    const outside = memory.filter((_, at) => at < offset || at >= offset + codec.sizeBytes);
    expect(outside).toEqual(new Uint8Array(offset + 5).fill(0xa5));
  };
  const offset = fc.integer({ min: 0, max: 9 });
  fc.assert(fc.property(SCALARS, offset, (value, at) => roundTrip(scalars, value, at)));
  fc.assert(fc.property(SHAPES, offset, (value, at) => roundTrip(shapes, value, at)));
});

test.for(TARGETS)(
  "integers of %s are in the object's byte order, __be ones always in network order",
  (target) => {
    const { scalars } = generated[target];
    const memory = new Uint8Array(scalars.sizeBytes);
    scalars.write(memory, {
      u8: 1,
      u16: 0x0203,
      u32: 0x04050607,
      u64: 0x08090a0b0c0d0e0fn,
      i8: -1,
      i16: -2,
      i32: -3,
      i64: -4n,
      be16: 0x1011,
      be32: 0x12131415,
      be64: 0x161718191a1b1c1dn,
      isSet: true,
      colour: 7,
    });
    const hex = (start: number, length: number): string =>
      Buffer.from(memory.subarray(start, start + length)).toString("hex");
    const { offsets } = scalars;
    expect([hex(offsets.be16, 2), hex(offsets.be32, 4), hex(offsets.be64, 8)]).toEqual([
      "1011",
      "12131415",
      "161718191a1b1c1d",
    ]);
    const native = [
      hex(offsets.u16, 2),
      hex(offsets.u32, 4),
      hex(offsets.u64, 8),
      hex(offsets.i16, 2),
      hex(offsets.colour, 4),
    ];
    expect(native).toEqual(
      target === "bpfel"
        ? ["0302", "07060504", "0f0e0d0c0b0a0908", "feff", "07000000"]
        : ["0203", "04050607", "08090a0b0c0d0e0f", "fffe", "00000007"],
    );
  },
);

test("reserved fields and padding are written as zeros and are not part of the value", () => {
  const { scalars, shapes } = generated.bpfel;
  expect(Object.keys(scalars.offsets)).not.toContain("reserved");
  const memory = new Uint8Array(shapes.sizeBytes).fill(0xff);
  const value = fc.sample(SHAPES, 1)[0]!;
  shapes.write(memory, value);
  const before = shapes.offsets.words + 8;
  expect(memory.subarray(before, shapes.offsets.whole)).toEqual(
    new Uint8Array(shapes.offsets.whole - before),
  );
});

test("values do not alias the bytes they were read from", () => {
  const memory = Buffer.alloc(balancer.vip.sizeBytes, 1);
  const value = balancer.vip.read(memory);
  memory.fill(2);
  expect(value.address).toEqual(new Uint8Array(16).fill(1));
});

test("a struct in an anonymous union has a codec of its own", () => {
  const { shapes, shapesParts } = generated.bpfel;
  const memory = new Uint8Array(shapes.sizeBytes);
  shapesParts.write(memory, { lowPart: 0x01020304, highPart: 0x0506 }, shapes.offsets.whole);
  expect(shapes.read(memory).whole).toBe(0x060501020304n);
  expect(balancer.backendIpv6.sizeBytes).toBe(40);
  expect(balancer.backendIpv4.offsets.destination).toBe(16);
});

type Write = () => void;
test.for<{ name: string; write: Write; message: string }>([
  {
    name: "beyond the end",
    write: () => generated.bpfel.point.write(new Uint8Array(5), { x: 0, y: 0 }, 2),
    message: "4 bytes at offset 2 of 5",
  },
  {
    name: "before the start",
    write: () => generated.bpfel.point.write(new Uint8Array(9), { x: 0, y: 0 }, -1),
    message: "offset -1",
  },
  {
    name: "a number too large",
    write: () => writePoint({ x: 0, y: 65536 }),
    message: "point.y: 65536, expected an integer from 0 to 65535",
  },
  { name: "a number too small", write: () => writePoint({ x: -32769, y: 0 }), message: "point.x: -32769" },
  { name: "a fraction", write: () => writePoint({ x: 0.5, y: 0 }), message: "point.x: 0.5" },
  { name: "NaN", write: () => writePoint({ x: 0, y: Number.NaN }), message: "point.y: NaN" },
  {
    name: "too few bytes",
    write: () => writeShapes({ macAddress: new Uint8Array(5) }),
    message: "shapes.macAddress: 5 bytes, expected 6",
  },
  {
    name: "too many elements",
    write: () => writeShapes({ words: [1, 2, 3] }),
    message: "shapes.words: 3 elements, expected 2",
  },
  {
    name: "a bigint too large",
    write: () => writeShapes({ whole: 2n ** 64n }),
    message: "shapes.whole: 18446744073709551616",
  },
  { name: "a bigint below zero", write: () => writeShapes({ whole: -1n }), message: "shapes.whole: -1" },
])("writing $name is refused", ({ write, message }) => {
  expect(write).toThrow(RangeError);
  expect(write).toThrow(message);
});

test("reading beyond the end is refused", () => {
  expect(() => generated.bpfel.point.read(new Uint8Array(3))).toThrow("4 bytes at offset 0 of 3");
  expect(() => balancer.ring.read(new Uint8Array(100))).toThrow(RangeError);
});

test("enums, maps, options, variables and programs are named", () => {
  const { Colour, Wide, REASON_NAMES, maps, options, variables, programs, shapes, scalars } = generated.bpfel;
  expect(Colour).toEqual({ RED: 1, GREEN: 0x80000000, BLUE: 7 });
  expect(Wide).toEqual({ NARROW: -1, WIDE: 0x4000000000000000n });
  expect(REASON_NAMES).toEqual(["none", "too_big"]);
  expect(maps.shapes).toEqual({
    name: "shapes",
    keySizeBytes: 4,
    value: shapes,
    maxEntries: 4,
    isMapInMap: false,
  });
  expect(maps.tables).toEqual({
    name: "tables",
    keySizeBytes: 4,
    value: scalars,
    maxEntries: 6,
    isMapInMap: true,
  });
  expect(options.option_large).toMatchObject({ value: 0xfedcba9876543210n, type: "__u64" });
  expect(options.option_on).toMatchObject({ value: true, type: "_Bool" });
  expect(variables).toMatchObject({ counter: { map: ".data", value: -3 } });
  expect(programs).toEqual({ program: "xdp" });
});

test("generated code passes the compiler's strictest checks", () => {
  const settings = { extends: join(ROOT, "tsconfig.json"), include: [join(scratch, "*.ts")] };
  writeFileSync(join(scratch, "tsconfig.json"), JSON.stringify(settings));
  const tsc = spawnSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", scratch], {
    encoding: "utf8",
  });
  expect(tsc.stdout).toBe("");
  expect(tsc.status).toBe(0);
});

test("the reasons of the balancer have the numbers of their names", () => {
  for (const [number, name] of balancer.REASON_NAMES.entries()) {
    expect(balancer.Reason[`REASON_${name.toUpperCase()}` as keyof typeof balancer.Reason]).toBe(number);
  }
  expect(balancer.REASON_NAMES).toHaveLength(balancer.Reason.REASON_COUNT);
});

test("an object without types, or with fields that have no counterpart, is refused", () => {
  const options = { objectName: "x", objectSha256: "0", command: "y", codecFolder: "." };
  const generateFrom = (name: Parameters<typeof objectBytes>[0]) => () =>
    generateCodecs(readObject(objectBytes(name)), options);
  expect(objectErrorOf(generateFrom("instructions-without-btf"))).toMatchObject({
    code: "unsupported",
    section: ".BTF",
  });
});

async function generate(target: "bpfel" | "bpfeb"): Promise<Generated> {
  const file = join(scratch, `${target}.ts`);
  const text = generateCodecs(readObject(objectBytes("codecs", target)), {
    objectName: "codecs",
    objectSha256: "0".repeat(64),
    command: "none",
    codecFolder: "./object",
  });
  writeFileSync(file, text);
  expect(readFileSync(file, "utf8")).toContain("Do not edit");
  return (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Generated;
}

function writePoint(value: Point): void {
  generated.bpfel.point.write(new Uint8Array(4), value);
}

function writeShapes(change: Partial<Shapes>): void {
  const { shapes } = generated.bpfel;
  const zero = shapes.read(new Uint8Array(shapes.sizeBytes));
  shapes.write(new Uint8Array(shapes.sizeBytes), { ...zero, ...change });
}

function unsigned(bits: number): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: 2 ** bits - 1 });
}

function signed(bits: number): fc.Arbitrary<number> {
  return fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
}

function bytes(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}
