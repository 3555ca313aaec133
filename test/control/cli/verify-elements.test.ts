import { expect, test } from "vitest";
import { describeElement, type Naming } from "../../../control/cli/verify-elements.ts";
import { parseConfig } from "../../../control/model/config-file.ts";
import { flowIpv6Line, fragment } from "../../../dataplane/xdp/generated/balancer.ts";

const { vips } = parseConfig(
  `
version: 1
vips:
  - {name: web, address: 10.200.1.1, port: 80, protocol: tcp, backends: [{address: 10.0.0.1}]}
  - {address: "fc00:1::1", port: 0, protocol: udp, backends: [{address: "fc00::1"}]}
`,
  { file: "config.yaml" },
);
const NAMING: Naming = {
  names: {
    vips: [
      { id: 1, flowVip: 5, vip: vips[0]! },
      { id: 2, flowVip: 6, vip: vips[1]! },
    ],
    backends: [
      { id: 1, address: "10.0.0.1" },
      { id: 2, address: "fc00::1" },
    ],
  },
  cpuCount: 2,
  entriesOf: () => 8,
};

function bytesOf(sizeBytes: number, values: Readonly<Record<number, number>> = {}): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (const [offset, value] of Object.entries(values)) bytes[Number(offset)] = value;
  return bytes;
}

test("counters are those of a VIP, on whichever CPU", () => {
  // Two CPUs of four entries each: the second's entry 2.
  const element = {
    map: "vip_counters",
    index: 6,
    expected: bytesOf(16, { 0: 1, 8: 60 }),
    found: bytesOf(16, { 0: 2, 8: 60 }),
  };
  expect(describeElement(element, NAMING)).toEqual([
    { map: "vip_counters", index: 6, what: "packets of VIP udp [fc00:1::1]:0", expected: "1", found: "2" },
  ]);
});

test("an id that the config has not is said to be one", () => {
  const element = { map: "backend_counters", index: 3, expected: bytesOf(16), found: bytesOf(16, { 8: 5 }) };
  expect(describeElement(element, NAMING)).toMatchObject([
    { what: "bytes of backend id 3, which the config has not", expected: "0", found: "5" },
  ]);
});

test("a flow of IPv6 is said with its client, VIP, backend and age, a free entry as such", () => {
  const source = Uint8Array.from([0x20, 1, 0xd, 0xb8, ...new Array<number>(11).fill(0), 9]);
  const found = new Uint8Array(64);
  const flow = { source, ports: 0x3500_1027, flowVip: 6, backend: 2, seen: (1234 << 2) | 3 };
  const free = { source: new Uint8Array(16), ports: 0, flowVip: 0, backend: 0, seen: 0 };
  flowIpv6Line.write(found, { entries: [free, flow] });
  const element = { map: "flows_ipv6[1]", index: 77, expected: new Uint8Array(64), found };
  expect(describeElement(element, NAMING)).toEqual([
    {
      map: "flows_ipv6[1]",
      index: 77,
      what: "flow entry 1 of the line",
      expected: "free",
      found:
        "[2001:db8::9]:10000 to port 53 of VIP udp [fc00:1::1]:0: backend fc00::1, datagrams, seen at tick 1234",
    },
  ]);
});

test("a datagram of fragments is said with its addresses and id", () => {
  const expected = new Uint8Array(64);
  fragment.write(expected, {
    source: Uint8Array.from([192, 0, 2, 1, ...new Array<number>(12).fill(0)]),
    destination: Uint8Array.from([10, 200, 1, 1, ...new Array<number>(12).fill(0)]),
    id: 0xbeef,
    protocol: 6,
    family: 4,
    backend: 1,
    vip: 1,
    seen: 99,
    ports: 0x5000,
  });
  expect(
    describeElement({ map: "fragments[0]", index: 3, expected, found: new Uint8Array(64) }, NAMING),
  ).toEqual([
    {
      map: "fragments[0]",
      index: 3,
      what: "fragmented datagram",
      expected:
        "192.0.2.1 to 10.200.1.1, id 0xbeef, protocol 6, ports 0x5000: VIP web tcp 10.200.1.1:80, backend 10.0.0.1, seen at tick 99",
      found: "free",
    },
  ]);
});

test.for([
  { name: "of a map that is not known", map: "lru", sizeBytes: 4 },
  { name: "where no field is", map: "fragments[0]", sizeBytes: 64 },
])("bytes differ $name", ({ map, sizeBytes }) => {
  const at = sizeBytes - 2;
  const element = {
    map,
    index: 0,
    expected: bytesOf(sizeBytes, { [at]: 0xab }),
    found: bytesOf(sizeBytes, { [at]: 0xcd, 0: 0 }),
  };
  const found = describeElement(element, NAMING);
  expect(found).toHaveLength(1);
  if (map === "lru") {
    expect(found[0]).toMatchObject({ what: "bytes 2 to 3 of the element", expected: "ab00", found: "cd00" });
  } else expect(found[0]!.what).toMatch(/^bytes 62 to 63/);
});
