/** The whole file format in one file: every key that there is or will be, each at its default or an example. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { parseConfig } from "../../../control/model/config-file.ts";
import { FILE, problemsOf } from "./config-text.ts";
import { type JsonSchema, violations } from "./json-schema.ts";

const WHOLE = `
version: 1
capacity: {vips: 64, backends: 4096, flowsPerCpu: 262144, serverIds: 65536, sourceRoutes: 65536}
settings:
  gatewayMac: "00:00:de:ad:be:af"
  localAddress: {ipv4: 10.0.13.37, ipv6: "fc00:2307::1337"}
  encapsulation: ipip
  guePort: 6080
  maglev: v2
  hashSeed: 33554944
  scope: vip
  maxFrameBytes: 1514
  mtu: 1500
  tooBig: icmp
  mssClamp: false
  fragments: balance
  ipOptions: drop
  echoReply: vip
  tcpServerId: false
  udpIdleSeconds: 30
  newFlowsPerSecondPerCpu: 125000
  flowTracking: always
  sharedFlowTable: false
  deny: []
  decap: {destinations: [], egressDestinations: [], strict: true}
vips:
  - name: web
    address: 10.200.1.1
    port: 80
    protocol: tcp
    flags: []
    encapsulation: ipip
    maglev: v2
    flowTracking: always
    mssClamp: false
    deny: []
    sourceRateLimit: 0
    backendDown: keep
    drainSeconds: 0
    backends:
      - {address: 10.0.0.1, weight: 1, flags: [], state: active}
      - {address: 10.0.0.2, state: down, katranDown: true}
`;

const LATER = `
    quic: {ids: katran}
    healthCheck: {type: tcp, intervalSeconds: 5, timeoutSeconds: 2, rise: 2, fall: 3, minHealthyPercent: 50}
    announce: {minHealthy: 1}
  - address: fc00:1::/96
    port: 0
    protocol: udp
    flags: [quic, source-routing, local, global-flow-table, udp-stable-routing, udp-flow-migration]
    quic: {ids: {quicLb: [{config: 0, serverIdBytes: 4, nonceBytes: 8, key: "8f95f09245765f80256934e50c66207f"}]}}
serverIds: [{id: 1022, backend: 10.0.0.1}]
sourceRoutes: [{prefix: 192.168.0.0/17, backend: "fc00::2307:1"}]
`;

const SCHEMA = JSON.parse(
  readFileSync(new URL("../../../schemas/config.schema.json", import.meta.url), "utf8"),
) as JsonSchema;

test("a file that names every key at its default is good", () => {
  expect(parseConfig(WHOLE, { file: FILE }).vips).toHaveLength(1);
  expect(violations(SCHEMA, parse(WHOLE))).toEqual([]);
});

test("what is left of the format is refused by name, and for nothing else", () => {
  const problems = problemsOf(WHOLE + LATER);
  expect(problems.map(({ path, code }) => `${path} ${code}`)).toEqual(
    [
      "vips[0].quic",
      "vips[0].healthCheck",
      "vips[0].announce",
      "vips[1].address",
      ...[0, 1, 2, 3, 4, 5].map((index) => `vips[1].flags[${index}]`),
      "vips[1].quic",
      "serverIds",
      "sourceRoutes",
    ].map((path) => `${path} not-supported`),
  );
});

test("the published schema knows the whole format", () => {
  expect(violations(SCHEMA, parse(WHOLE + LATER))).toEqual([]);
});

test("the two files have every key of the schema between them", () => {
  const used = new Set([...keysOf(parse(WHOLE + LATER))]);
  expect(keysOfSchema(SCHEMA).filter((key) => !used.has(key))).toEqual([]);
});

function keysOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(keysOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => [key, ...keysOf(child)]);
}

function keysOfSchema(schema: JsonSchema): string[] {
  const {
    properties = {},
    items = {},
    anyOf = [],
  } = schema as {
    properties?: { [key: string]: JsonSchema };
    items?: JsonSchema;
    anyOf?: JsonSchema[];
  };
  return [
    ...Object.entries(properties).flatMap(([key, child]) => [key, ...keysOfSchema(child)]),
    ...(Object.keys(items).length === 0 ? [] : keysOfSchema(items)),
    ...anyOf.flatMap(keysOfSchema),
  ];
}
