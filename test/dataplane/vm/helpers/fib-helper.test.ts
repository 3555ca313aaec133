import { describe, expect, test } from "vitest";
import { type FibNext, FibTable } from "../../../../dataplane/vm/fib.ts";
import { Machine } from "../../../../dataplane/vm/machine.ts";
import { ENGINES } from "../engines.ts";
import { faultOf, run } from "../run.ts";

const OUR_MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const THEIR_MAC = Uint8Array.of(2, 0, 0, 0, 0, 2);
const V6 = Uint8Array.of(0xfd, ...new Array(15).fill(0));

const forward: Extract<FibNext, { kind: "forward" }> = {
  kind: "forward",
  ifindex: 9,
  sourceMac: OUR_MAC,
  destinationMac: THEIR_MAC,
  mtu: 1500,
  metric: 100,
};

const ROUTES = new FibTable([
  { address: Uint8Array.of(10, 0, 0, 0), prefixBits: 8, next: forward },
  {
    address: Uint8Array.of(10, 1, 0, 0),
    prefixBits: 16,
    next: { ...forward, gateway: Uint8Array.of(10, 0, 0, 1), preferredSource: Uint8Array.of(10, 9, 9, 9) },
  },
  { address: Uint8Array.of(10, 2, 0, 0), prefixBits: 16, next: { ...forward, destinationMac: undefined } },
  { address: Uint8Array.of(10, 3, 0, 0), prefixBits: 16, next: { kind: "blackhole" } },
  { address: Uint8Array.of(10, 4, 0, 0), prefixBits: 16, next: { kind: "unreachable" } },
  { address: Uint8Array.of(10, 5, 0, 0), prefixBits: 16, next: { kind: "prohibit" } },
  { address: Uint8Array.of(10, 6, 0, 1), prefixBits: 32, next: { kind: "local" } },
  { address: Uint8Array.of(10, 7, 0, 0), prefixBits: 16, next: { ...forward, gateway: V6 } },
  { address: V6, prefixBits: 7, next: forward },
]);

interface Question {
  readonly family?: number;
  readonly length?: number;
  readonly ifindex?: number;
  readonly destination: readonly number[];
  readonly flags?: number;
}

/** The struct lies in the frame's first 64 bytes, so that a test can write and read it. */
const SOURCE = (flags: number, size = 64): string =>
  `r2 = *(u32 *)(r1 + 0)\nr3 = ${size}\nr4 = ${flags}\ncall 69\nexit`;

describe.for(ENGINES)("$name", (engine) => {
  function ask(question: Question, size?: number) {
    const { family = 2, length = 0, ifindex = 3, destination, flags = 0 } = question;
    const machine = new Machine([], { fib: ROUTES, isInterface: (index) => index === 3 });
    const params = new Uint8Array(80).fill(0xa5);
    const view = new DataView(params.buffer);
    params[0] = family;
    view.setUint16(6, length, true);
    view.setUint32(8, ifindex, true);
    params.fill(0, 16, 48);
    params.set(destination, 32);
    const result = Number(BigInt.asIntN(64, run(engine, machine, SOURCE(flags, size), { frame: params })));
    const out = machine.cpu(0).xdp.frame;
    const outView = new DataView(out.buffer, out.byteOffset, out.length);
    return {
      result,
      family: out[0],
      mtu: outView.getUint16(6, true),
      ifindex: outView.getUint32(8, true),
      metric: outView.getUint32(12, true),
      source: [...out.subarray(16, 20)],
      destination: [...out.subarray(32, 36)],
      vlan: outView.getUint32(48, true),
      sourceMac: [...out.subarray(52, 58)],
      destinationMac: [...out.subarray(58, 64)],
    };
  }

  test("a route on the link fills in interface, MACs, MTU and metric", () => {
    expect(ask({ destination: [10, 200, 0, 1] })).toEqual({
      result: 0,
      family: 2,
      mtu: 1500,
      ifindex: 9,
      metric: 100,
      source: [0, 0, 0, 0],
      destination: [10, 200, 0, 1],
      vlan: 0,
      sourceMac: [...OUR_MAC],
      destinationMac: [...THEIR_MAC],
    });
  });

  test("the longest prefix decides, and a gateway takes the destination's place", () => {
    const answer = ask({ destination: [10, 1, 2, 3] });
    expect(answer).toMatchObject({ result: 0, destination: [10, 0, 0, 1], source: [0, 0, 0, 0] });
  });

  test("the preferred source is filled in when asked for", () => {
    expect(ask({ destination: [10, 1, 2, 3], flags: 16 })).toMatchObject({
      result: 0,
      source: [10, 9, 9, 9],
    });
    expect(ask({ destination: [10, 200, 2, 3], flags: 16 }).result).toBe(9);
  });

  test("an IPv4 route may have an IPv6 gateway", () => {
    expect(ask({ destination: [10, 7, 2, 3] })).toMatchObject({
      result: 0,
      family: 10,
      destination: [0xfd, 0, 0, 0],
    });
  });

  test("an IPv6 route", () => {
    expect(ask({ family: 10, destination: [...V6] })).toMatchObject({ result: 0, ifindex: 9, family: 10 });
  });

  test.for([
    { name: "no route", destination: [192, 0, 2, 1], result: 4 },
    { name: "an IPv6 address that no route has", family: 10, destination: [0x20], result: 4 },
    { name: "a blackhole", destination: [10, 3, 0, 1], result: 1 },
    { name: "unreachable", destination: [10, 4, 0, 1], result: 2 },
    { name: "prohibited", destination: [10, 5, 0, 1], result: 3 },
    { name: "an address of the host", destination: [10, 6, 0, 1], result: 4 },
    { name: "a neighbour that is not resolved", destination: [10, 2, 0, 1], result: 7 },
    { name: "that neighbour, not asked for", destination: [10, 2, 0, 1], flags: 4, result: 0 },
    { name: "a family that is neither", family: 7, destination: [10, 0, 0, 1], result: -97 },
    { name: "an interface that is not there", ifindex: 4, destination: [10, 0, 0, 1], result: -19 },
    { name: "an unknown flag", destination: [10, 0, 0, 1], flags: 64, result: -22 },
  ])("$name: $result", ({ result, ...question }) => {
    expect(ask(question).result).toBe(result);
  });

  test("a packet longer than the MTU learns it", () => {
    expect(ask({ destination: [10, 200, 0, 1], length: 1501 })).toMatchObject({ result: 8, mtu: 1500 });
    expect(ask({ destination: [10, 200, 0, 1], length: 1500 }).result).toBe(0);
  });

  test("a struct that is too short is refused", () => {
    expect(ask({ destination: [10, 200, 0, 1] }, 63).result).toBe(-22);
  });

  test("a struct that is not all in memory is a fault", () => {
    const machine = new Machine([]);
    const fault = faultOf(() => run(engine, machine, "r2 = r10\nr2 += -32\nr3 = 64\nr4 = 0\ncall 69\nexit"));
    expect(fault).toMatchObject({ code: "bad-helper-argument", slot: 4 });
  });
});

test.for([
  { name: "an address of 5 bytes", route: { address: new Uint8Array(5), prefixBits: 8, next: forward } },
  { name: "33 bits of 32", route: { address: new Uint8Array(4), prefixBits: 33, next: forward } },
  {
    name: "a MAC of 5 bytes",
    route: { address: new Uint8Array(4), prefixBits: 8, next: { ...forward, sourceMac: new Uint8Array(5) } },
  },
])("a table refuses $name", ({ route }) => {
  expect(() => new FibTable([route])).toThrow(RangeError);
});
