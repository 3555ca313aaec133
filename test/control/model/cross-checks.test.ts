import { expect, test } from "vitest";
import { parseConfig } from "../../../control/model/config-file.ts";
import { configText, FILE, goodFile, problemsOf } from "./config-text.ts";

const VIP = (goodFile().vips as object[])[0]!;
const OTHER_VIP = { address: "10.200.1.2", port: 80, protocol: "tcp" };

test.for<{ name: string; changes: { [path: string]: unknown } }>([
  {
    name: "the same address on another port",
    changes: { "vips.1": { address: "10.200.1.1", port: 81, protocol: "tcp" } },
  },
  {
    name: "the same address and port with another protocol",
    changes: { "vips.1": { address: "10.200.1.1", port: 80, protocol: "udp" } },
  },
  {
    name: "every port beside one port",
    changes: { "vips.1": { address: "10.200.1.1", port: 0, protocol: "tcp" } },
  },
  { name: "two VIPs without a name", changes: { "vips.1": OTHER_VIP, "vips.2": { ...OTHER_VIP, port: 81 } } },
  {
    name: "the same backend in two VIPs",
    changes: { "vips.1": { ...OTHER_VIP, backends: [{ address: "10.0.0.1" }] } },
  },
  { name: "as many VIPs as there is room for", changes: { "capacity.vips": 2, "vips.1": OTHER_VIP } },
  {
    name: "as many backend addresses as there is room for, each counted once",
    changes: { "capacity.backends": 2, "vips.1": { ...OTHER_VIP, backends: [{ address: "FC00:0::2" }] } },
  },
])("allowed: $name", ({ changes }) => {
  expect(parseConfig(configText(changes), { file: FILE }).vips.length).toBeGreaterThan(0);
});

test.for<{ name: string; changes: { [path: string]: unknown }; code: string; path: string; message: RegExp }>(
  [
    {
      name: "two VIPs with the same address, port and protocol",
      changes: { "vips.1": { ...VIP, name: "other" } },
      code: "duplicate",
      path: "vips[1]",
      message: /^10\.200\.1\.1 port 80 tcp is vips\[0\] already/,
    },
    {
      name: "the same, the address spelled another way",
      changes: {
        "vips.0.address": "fc00:1::1",
        "vips.1": { address: "FC00:0001:0::1", port: 80, protocol: "tcp" },
      },
      code: "duplicate",
      path: "vips[1]",
      message: /^fc00:1::1 port 80 tcp is vips\[0\] already/,
    },
    {
      name: "two VIPs with the same name",
      changes: { "vips.1": { ...OTHER_VIP, name: "web" } },
      code: "duplicate",
      path: "vips[1].name",
      message: /^"web" is the name of vips\[0\] too/,
    },
    {
      name: "the same backend twice in a VIP",
      changes: { "vips.0.backends.2": { address: "10.0.0.1", weight: 5 } },
      code: "duplicate",
      path: "vips[0].backends[2].address",
      message: /^10\.0\.0\.1 is vips\[0\]\.backends\[0\] already/,
    },
    {
      name: "the same flag twice",
      changes: { "vips.0.flags": ["bypass-flow-table", "bypass-flow-table"] },
      code: "duplicate",
      path: "vips[0].flags[1]",
      message: /"bypass-flow-table" stands here twice/,
    },
    {
      name: "a backend that is a VIP",
      changes: { "vips.1": OTHER_VIP, "vips.0.backends.0.address": "10.200.1.2" },
      code: "bad-value",
      path: "vips[0].backends[0].address",
      message: /^10\.200\.1\.2 is the address of vips\[1\], expected the address of a backend host/,
    },
    {
      name: "more VIPs than there is room for",
      changes: { "capacity.vips": 1, "vips.1": OTHER_VIP },
      code: "over-capacity",
      path: "capacity.vips",
      message: /^room for 1 VIPs, but the file has 2; expected capacity\.vips of 2 or more/,
    },
    {
      name: "more VIPs than the default capacity",
      changes: { vips: Array.from({ length: 65 }, (_, index) => ({ ...OTHER_VIP, port: index + 1 })) },
      code: "over-capacity",
      path: "capacity.vips",
      message: /^room for 64 VIPs, but the file has 65/,
    },
    {
      name: "more backend addresses than there is room for",
      changes: { "capacity.backends": 2, "vips.1": { ...OTHER_VIP, backends: [{ address: "10.0.0.3" }] } },
      code: "over-capacity",
      path: "capacity.backends",
      message: /^room for 2 different backend addresses, but the file has 3/,
    },
    ...(["active", "draining"] as const).map((state) => ({
      name: `katranDown on a backend that is ${state}`,
      changes: { "vips.0.backends.0": { address: "10.0.0.1", state, katranDown: true } },
      code: "bad-value",
      path: "vips[0].backends[0].katranDown",
      message: /expected state down beside it/,
    })),
  ],
)("refused: $name", ({ changes, code, path, message }) => {
  const problems = problemsOf(configText(changes));
  expect(problems).toEqual([expect.objectContaining({ code, path })]);
  expect(problems[0]?.message).toMatch(message);
});

test("problems of every kind are reported together, in the file's order", () => {
  const text = `
version: 1
settings:
  gatewayMac: nonsense
  encapsulation: gue
  mtu: 1500
  mtu: 9000
vips:
  - {name: a, address: 10.200.1.1, port: 80, protocol: tcp, prot: tcp}
  - {name: a, address: 10.200.1.1, port: 80, protocol: tcp}
  - {name: b, port: 65536, protocol: tcp}
`;
  expect(problemsOf(text).map(({ line, code, path }) => `${line} ${code} ${path}`)).toEqual([
    "4 bad-value settings.gatewayMac",
    "5 not-supported settings.encapsulation",
    "7 duplicate settings.mtu",
    "9 unknown-key vips[0].prot",
    "10 duplicate vips[1]",
    "10 duplicate vips[1].name",
    "11 missing vips[2].address",
    "11 bad-value vips[2].port",
  ]);
});

test("a mistake in a pool that VIPs share by alias is reported once", () => {
  const text = `
version: 1
settings: {gatewayMac: 00:00:de:ad:be:af}
vips:
  - {address: 10.200.1.1, port: 80, protocol: tcp, backends: &pool [{address: 10.0.0.1, weight: -1, flags: [local]}]}
  - {address: 10.200.1.2, port: 80, protocol: tcp, backends: *pool}
`;
  expect(problemsOf(text).map(({ path }) => path)).toEqual([
    "vips[0].backends[0].weight",
    "vips[0].backends[0].flags[0]",
  ]);
});
