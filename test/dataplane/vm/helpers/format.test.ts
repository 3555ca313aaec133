import { expect, test } from "vitest";
import { formatText } from "../../../../dataplane/vm/helpers/format.ts";
import type { HelperCall } from "../../../../dataplane/vm/helpers/helper.ts";
import { Machine } from "../../../../dataplane/vm/machine.ts";

const machine = new Machine([]);
const address = machine.allocateRegion({ name: "memory", sizeBytes: 16, isWritable: false });
machine.memory.write(address, Uint8Array.of(10, 0, 200, 1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255));
const text = machine.allocateRegion({ name: "text", sizeBytes: 4, isWritable: false });
machine.memory.write(text, Uint8Array.of(0x61, 0x62, 0x63, 0x64));
// Of a call, formatting uses what can be read, and the memory.
const call = {
  machine,
  canRead: (at: bigint, size: number) =>
    (at >= BigInt(address) && at + BigInt(size) <= BigInt(address + 16)) ||
    (at >= BigInt(text) && at + BigInt(size) <= BigInt(text + 4)),
} as unknown as HelperCall;

test.for([
  { format: "no value", values: [], result: "no value" },
  { format: "100%%", values: [], result: "100%" },
  { format: "%d %i", values: [2n ** 64n - 1n, 0x1_0000_0002n], result: "-1 2" },
  { format: "%u", values: [2n ** 64n - 1n], result: "4294967295" },
  { format: "%ld %lld", values: [2n ** 64n - 7n, 5n], result: "-7 5" },
  { format: "%llu", values: [2n ** 64n - 1n], result: "18446744073709551615" },
  { format: "%x %X %lx", values: [0xabn, 0xabn, 0x1_0000_00ffn], result: "ab AB 1000000ff" },
  {
    format: "[%5d] [%-5d] [%05d] [%+d] [% d]",
    values: [-7n, -7n, -7n, 7n, 7n],
    result: "[   -7] [-7   ] [-0007] [+7] [ 7]",
  },
  { format: "%c%c", values: [0x41n, 0x142n], result: "AB" },
  { format: "<%s>", values: [BigInt(text)], result: "<abcd>" },
  { format: "<%s>", values: [0n], result: "<>" },
  { format: "<%pks %pus>", values: [BigInt(text), BigInt(text + 2)], result: "<abcd cd>" },
  {
    format: "%p %px %pK",
    values: [0x1234n, 1n, 2n],
    result: "0000000000001234 0000000000000001 0000000000000002",
  },
  { format: "%pI4 %pi4", values: [BigInt(address), BigInt(address)], result: "10.0.200.1 010.000.200.001" },
  { format: "%pI6", values: [BigInt(address)], result: "0a00:c801:0506:0708:090a:0b0c:0d0e:0fff" },
  { format: "%pi6.", values: [BigInt(address)], result: "0a00c80105060708090a0b0c0d0e0fff." },
  { format: "%pI4", values: [1n], result: "0.0.0.0" },
  { format: "%pI4ab %pxyz!", values: [1n, 2n], result: "0.0.0.0 0000000000000002!" },
  { format: "tab\tnew\n", values: [], result: "tab\tnew\n" },
])("$format", ({ format, values, result }) => {
  expect(formatText(call, format, values)).toBe(result);
});

test.for(["%", "%f", "%lls", "%n", "%hd", "%pI5", "%pIx", "%pz", "%d %d", "\x01", "\xe9", "%pa"])(
  "%o is refused",
  (format) => {
    expect(formatText(call, format, [1n])).toBeUndefined();
  },
);
