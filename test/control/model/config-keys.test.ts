/** Every key of the config file: what it becomes, its default, and what is refused. */
import { expect, test } from "vitest";
import { parseIpAddress } from "../../../control/model/address.ts";
import type { Config } from "../../../control/model/config.ts";
import { parseConfig } from "../../../control/model/config-file.ts";
import { ABSENT, configText, FILE, problemsOf } from "./config-text.ts";

test("defaults fill what a small file leaves out", () => {
  expect(parseConfig(configText(), { file: FILE })).toEqual({
    capacity: { vips: 64, backends: 4096, flowsPerCpu: 262144, serverIds: 65536, sourceRoutes: 65536 },
    settings: {
      gatewayMac: Uint8Array.of(0, 0, 0xde, 0xad, 0xbe, 0xaf),
      localAddress: { ipv4: undefined, ipv6: undefined },
      hashSeed: 33554944,
      scope: "vip",
      maxFrameBytes: 1514,
      mtu: undefined,
      tooBig: "icmp",
      fragments: "balance",
      ipOptions: "drop",
      echoReply: "vip",
      udpIdleSeconds: 30,
      newFlowsPerSecondPerCpu: 125000,
    },
    vips: [
      {
        name: "web",
        address: parseIpAddress("10.200.1.1"),
        port: 80,
        protocol: "tcp",
        flags: [],
        maglev: "v2",
        backends: [
          { address: parseIpAddress("10.0.0.1"), weight: 1, state: "active", katranDown: false },
          { address: parseIpAddress("fc00::2"), weight: 3, state: "active", katranDown: false },
        ],
      },
    ],
  } satisfies Config);
});

test("a file without settings leaves gateway and mtu to the interfaces", () => {
  const { settings } = parseConfig(configText({ settings: ABSENT }), { file: FILE });
  expect(settings).toMatchObject({ gatewayMac: undefined, mtu: undefined, maxFrameBytes: 1514 });
  expect(parseConfig(configText({ "settings.gatewayMac": ABSENT }), { file: FILE }).settings).toEqual(
    settings,
  );
});

// Each value alone in the good file; `at` is where it must turn up, unchanged unless `as` says otherwise.
test.for<{ path: string; value: unknown; at?: string; as?: unknown }>([
  { path: "capacity.vips", value: 1 },
  { path: "capacity.vips", value: 4096 },
  { path: "capacity.backends", value: 2 },
  { path: "capacity.backends", value: 65535 },
  { path: "capacity.flowsPerCpu", value: 1 },
  { path: "capacity.flowsPerCpu", value: 16777216 },
  { path: "capacity.serverIds", value: 0 },
  { path: "capacity.sourceRoutes", value: 1000000 },
  {
    path: "settings.localAddress",
    value: { ipv4: "10.0.13.37" },
    as: { ipv4: parseIpAddress("10.0.13.37"), ipv6: undefined },
  },
  { path: "settings.localAddress.ipv6", value: "fc00:2307::1337", as: parseIpAddress("fc00:2307::1337") },
  { path: "settings.hashSeed", value: 0 },
  { path: "settings.hashSeed", value: 4294967295 },
  { path: "settings.scope", value: "all" },
  { path: "settings.maxFrameBytes", value: 590 },
  { path: "settings.maxFrameBytes", value: 65535 },
  { path: "settings.mtu", value: 0 },
  { path: "settings.mtu", value: 576 },
  { path: "settings.mtu", value: 65535 },
  { path: "settings.tooBig", value: "drop" },
  { path: "settings.fragments", value: "drop" },
  { path: "settings.ipOptions", value: "balance" },
  { path: "settings.echoReply", value: "any" },
  { path: "settings.echoReply", value: "off" },
  { path: "settings.udpIdleSeconds", value: 1 },
  { path: "settings.udpIdleSeconds", value: 86400 },
  { path: "settings.newFlowsPerSecondPerCpu", value: 0 },
  { path: "settings.newFlowsPerSecondPerCpu", value: 4294967295 },
  { path: "settings.maglev", value: "v1", at: "vips.0.maglev" },
  { path: "vips.0.maglev", value: "v1" },
  { path: "vips.0.name", value: ABSENT, as: undefined },
  { path: "vips.0.name", value: "Café, Straße & 東京" },
  { path: "vips.0.address", value: "FC00:0001::0", as: parseIpAddress("fc00:1::") },
  { path: "vips.0.port", value: 0 },
  { path: "vips.0.port", value: 65535 },
  { path: "vips.0.protocol", value: "udp" },
  {
    path: "vips.0.flags",
    value: ["hash-both-ports", "hash-no-source-port", "bypass-flow-table", "hash-destination-port"],
  },
  { path: "vips.0.backends", value: [] },
  { path: "vips.0.backends", value: ABSENT, as: [] },
  { path: "vips", value: [] },
  { path: "vips", value: ABSENT, as: [] },
  { path: "vips.0.backends.0.weight", value: 0 },
  { path: "vips.0.backends.0.weight", value: 65535 },
  { path: "vips.0.backends.0.state", value: "draining" },
  { path: "vips.0.backends.0.state", value: "down" },
  { path: "vips.0.backends.0.katranDown", value: true },
  // Alone it says that the backend is down.
  { path: "vips.0.backends.0.katranDown", value: true, at: "vips.0.backends.0.state", as: "down" },
  { path: "vips.0.backends.0.katranDown", value: false, at: "vips.0.backends.0.state", as: "active" },
])("$path: $value is taken", ({ path, value, at = path, ...expected }) => {
  const config = parseConfig(configText({ [path]: value }), { file: FILE });
  expect(valueAt(config, at)).toEqual("as" in expected ? expected.as : value);
});

// What happens anyway may be said.
test.for<{ path: string; value: unknown }>([
  { path: "settings.encapsulation", value: "ipip" },
  { path: "settings.guePort", value: 6080 },
  { path: "settings.mssClamp", value: false },
  { path: "settings.tcpServerId", value: false },
  { path: "settings.flowTracking", value: "always" },
  { path: "settings.sharedFlowTable", value: false },
  { path: "settings.deny", value: [] },
  { path: "settings.decap", value: { destinations: [], egressDestinations: [], strict: true } },
  { path: "vips.0.encapsulation", value: "ipip" },
  { path: "vips.0.flowTracking", value: "always" },
  { path: "vips.0.mssClamp", value: false },
  { path: "vips.0.deny", value: [] },
  { path: "vips.0.sourceRateLimit", value: 0 },
  { path: "vips.0.backendDown", value: "keep" },
  { path: "vips.0.drainSeconds", value: 0 },
  { path: "vips.0.backends.0.flags", value: [] },
  { path: "serverIds", value: [] },
  { path: "sourceRoutes", value: [] },
])("$path: $value changes nothing", ({ path, value }) => {
  const read = (text: string) => parseConfig(text, { file: FILE });
  expect(read(configText({ [path]: value }))).toEqual(read(configText()));
});

test.for<{ path: string; value: unknown; at?: string; message: RegExp }>([
  {
    path: "settings.encapsulation",
    value: "gue",
    message: /^gue is not supported yet; this version does ipip$/,
  },
  { path: "settings.encapsulation", value: "l2", message: /^l2 .*does ipip/ },
  { path: "settings.guePort", value: 9886, message: /9886 .*only the default, 6080/ },
  { path: "settings.mssClamp", value: true, message: /true .*does false/ },
  { path: "settings.tcpServerId", value: true, message: /does false/ },
  { path: "settings.flowTracking", value: "transitions", message: /does always/ },
  { path: "settings.sharedFlowTable", value: true, message: /does false/ },
  { path: "settings.deny", value: ["10.0.0.0/8"], message: /deny lists .*only an empty list/ },
  { path: "settings.deny", value: ["nonsense"], message: /deny lists/ },
  {
    path: "settings.decap",
    value: { destinations: ["10.0.0.1"] },
    at: "settings.decap.destinations",
    message: /decapsulation/,
  },
  {
    path: "settings.decap",
    value: { egressDestinations: ["::2"] },
    at: "settings.decap.egressDestinations",
    message: /decapsulation/,
  },
  { path: "settings.decap.strict", value: false, message: /does true/ },
  { path: "vips.0.address", value: "fc00:1::/96", message: /prefixes/ },
  { path: "vips.0.address", value: "10.200.0.0/16", message: /prefixes/ },
  { path: "vips.0.encapsulation", value: "gue", message: /does ipip/ },
  { path: "vips.0.flowTracking", value: "transitions", message: /does always/ },
  { path: "vips.0.mssClamp", value: true, message: /does false/ },
  { path: "vips.0.deny", value: ["::/0"], message: /deny lists/ },
  ...["quic", "source-routing", "local", "global-flow-table", "udp-stable-routing", "udp-flow-migration"].map(
    (flag) => ({
      path: "vips.0.flags",
      value: [flag],
      at: "vips[0].flags[0]",
      message: new RegExp(`^${flag} is not supported yet`),
    }),
  ),
  { path: "vips.0.quic", value: { ids: "katran" }, message: /QUIC .*leave the key out/ },
  {
    path: "vips.0.quic",
    value: { ids: { quicLb: [{ config: 0, serverIdBytes: 4, nonceBytes: 8 }] } },
    message: /QUIC/,
  },
  { path: "vips.0.quic", value: { wrong: 1 }, message: /QUIC/ },
  { path: "vips.0.quic", value: null, message: /QUIC/ },
  { path: "vips.0.sourceRateLimit", value: 1, message: /only 0/ },
  { path: "vips.0.backendDown", value: "resteer", message: /does keep/ },
  { path: "vips.0.drainSeconds", value: 30, message: /only 0/ },
  { path: "vips.0.healthCheck", value: { type: "tcp" }, message: /health checks/ },
  { path: "vips.0.healthCheck", value: {}, message: /health checks/ },
  { path: "vips.0.announce", value: { minHealthy: 1 }, message: /announcing/ },
  {
    path: "vips.0.backends.0.flags",
    value: ["local"],
    at: "vips[0].backends[0].flags[0]",
    message: /^local is not/,
  },
  { path: "serverIds", value: [{ id: 1022, backend: "10.0.0.1" }], message: /server ids/ },
  {
    path: "sourceRoutes",
    value: [{ prefix: "192.168.0.0/17", backend: "10.0.0.1" }],
    message: /source routes/,
  },
])("$path: $value is refused by name", ({ path, value, at = path, message }) => {
  const problems = problemsOf(configText({ [path]: value }));
  expect(problems).toEqual([expect.objectContaining({ code: "not-supported", path: bracketed(at) })]);
  expect(problems[0]?.message).toMatch(message);
});

const WRONG_TYPES = { text: "x", number: 5, boolean: true, list: [], mapping: {} } as const;

/** Of each key, the kinds of value that it takes; null is never one. */
const TYPES: { readonly [path: string]: readonly (keyof typeof WRONG_TYPES)[] } = {
  version: ["number"],
  capacity: ["mapping"],
  "capacity.vips": ["number"],
  "capacity.backends": ["number"],
  "capacity.flowsPerCpu": ["number"],
  "capacity.serverIds": ["number"],
  "capacity.sourceRoutes": ["number"],
  settings: ["mapping"],
  "settings.gatewayMac": ["text"],
  "settings.localAddress": ["mapping"],
  "settings.localAddress.ipv4": ["text"],
  "settings.localAddress.ipv6": ["text"],
  "settings.encapsulation": ["text"],
  "settings.guePort": ["number"],
  "settings.maglev": ["text"],
  "settings.hashSeed": ["number"],
  "settings.scope": ["text"],
  "settings.maxFrameBytes": ["number"],
  "settings.mtu": ["number"],
  "settings.tooBig": ["text"],
  "settings.mssClamp": ["boolean"],
  "settings.fragments": ["text"],
  "settings.ipOptions": ["text"],
  "settings.echoReply": ["text"],
  "settings.tcpServerId": ["boolean"],
  "settings.udpIdleSeconds": ["number"],
  "settings.newFlowsPerSecondPerCpu": ["number"],
  "settings.flowTracking": ["text"],
  "settings.sharedFlowTable": ["boolean"],
  "settings.deny": ["list"],
  "settings.decap": ["mapping"],
  "settings.decap.destinations": ["list"],
  "settings.decap.egressDestinations": ["list"],
  "settings.decap.strict": ["boolean"],
  vips: ["list"],
  "vips.0": ["mapping"],
  "vips.0.name": ["text"],
  "vips.0.address": ["text"],
  "vips.0.port": ["number"],
  "vips.0.protocol": ["text"],
  "vips.0.flags": ["list"],
  "vips.0.flags.0": ["text"],
  "vips.0.encapsulation": ["text"],
  "vips.0.maglev": ["text"],
  "vips.0.flowTracking": ["text"],
  "vips.0.mssClamp": ["boolean"],
  "vips.0.deny": ["list"],
  "vips.0.sourceRateLimit": ["number"],
  "vips.0.backendDown": ["text"],
  "vips.0.drainSeconds": ["number"],
  "vips.0.backends": ["list"],
  "vips.0.backends.0": ["mapping"],
  "vips.0.backends.0.address": ["text"],
  "vips.0.backends.0.weight": ["number"],
  "vips.0.backends.0.flags": ["list"],
  "vips.0.backends.0.state": ["text"],
  "vips.0.backends.0.katranDown": ["boolean"],
  serverIds: ["list"],
  sourceRoutes: ["list"],
};

const REQUIRED = new Set([
  "version",
  "vips.0.address",
  "vips.0.port",
  "vips.0.protocol",
  "vips.0.backends.0.address",
]);

test.for(Object.entries(TYPES))("%s takes a %s and nothing of another type", ([path, taken]) => {
  for (const [type, value] of Object.entries(WRONG_TYPES)) {
    if (taken.includes(type as keyof typeof WRONG_TYPES)) continue;
    const found = { path: bracketed(path), code: "wrong-type" };
    expect(problemsOf(configText({ [path]: value })), `${path}: ${type}`).toContainEqual(
      expect.objectContaining(found),
    );
  }
  const empty = problemsOf(configText({ [path]: null }));
  expect(empty).toContainEqual(
    expect.objectContaining({ path: bracketed(path), code: "wrong-type", value: null }),
  );
  // A required key cannot be left out.
  const advice = REQUIRED.has(path) ? "" : "; leave it out or give it a value";
  expect(empty[0]?.message).toMatch(new RegExp(`^found nothing, expected [^;]*${advice}$`));
});

test.for<{ path: string; values: readonly unknown[]; message: RegExp }>([
  { path: "version", values: [0, 2, 1.5], message: /expected 1/ },
  {
    path: "capacity.vips",
    values: [0, -1, 1.5, 4097, Number.NaN, Number.POSITIVE_INFINITY],
    message: /from 1 to 4096/,
  },
  { path: "capacity.backends", values: [0, 65536], message: /from 1 to 65535/ },
  { path: "capacity.flowsPerCpu", values: [0, 16777217, 1e300], message: /from 1 to 16777216/ },
  { path: "capacity.serverIds", values: [-1, 16777217], message: /from 0 to 16777216/ },
  { path: "capacity.sourceRoutes", values: [-1, 16777217], message: /from 0 to 16777216/ },
  { path: "settings.gatewayMac", values: ["", "x", "00:00:de:ad:be"], message: /expected a MAC address/ },
  {
    path: "settings.gatewayMac",
    values: ["00:00:00:00:00:00", "01:00:5e:00:00:01"],
    message: /single station/,
  },
  { path: "settings.localAddress.ipv4", values: ["::2"], message: /an IPv6 address, expected IPv4/ },
  {
    path: "settings.localAddress.ipv4",
    values: ["127.0.0.1", "0.0.0.0", "224.0.0.1"],
    message: /single host/,
  },
  { path: "settings.localAddress.ipv6", values: ["10.0.0.1"], message: /an IPv4 address, expected IPv6/ },
  { path: "settings.encapsulation", values: ["vxlan"], message: /expected ipip/ },
  { path: "settings.guePort", values: [0, 65536], message: /from 1 to 65535/ },
  { path: "settings.maglev", values: ["v3"], message: /expected v1 or v2/ },
  { path: "settings.hashSeed", values: [-1, 4294967296, 0.5], message: /from 0 to 4294967295/ },
  { path: "settings.scope", values: ["none"], message: /expected vip or all/ },
  { path: "settings.maxFrameBytes", values: [0, 589, 65536], message: /from 590 to 65535/ },
  {
    path: "settings.mtu",
    values: [-1, 1, 575, 65536, 1500.5],
    message: /expected 0 for no limit, or .* 576 to 65535/,
  },
  { path: "settings.tooBig", values: ["icmpv6"], message: /expected drop or icmp; did you mean icmp\?/ },
  { path: "settings.fragments", values: ["pass"], message: /expected drop or balance/ },
  { path: "settings.ipOptions", values: ["pass"], message: /expected drop or balance/ },
  { path: "settings.echoReply", values: ["vips"], message: /expected any, vip or off; did you mean vip\?/ },
  { path: "settings.udpIdleSeconds", values: [0, -1, 86401], message: /from 1 to 86400/ },
  { path: "settings.newFlowsPerSecondPerCpu", values: [-1, 4294967296], message: /from 0 to 4294967295/ },
  { path: "settings.flowTracking", values: ["never"], message: /expected always/ },
  {
    path: "vips.0.name",
    values: ["", " web", "web ", "a\u0000b", "a\nb", "a\u202eb"],
    message: /visible characters/,
  },
  { path: "vips.0.name", values: ["x".repeat(65)], message: /at most 64 characters/ },
  {
    path: "vips.0.address",
    values: ["10.0.0.256", "www.example.org"],
    message: /expected an IPv4 address such as/,
  },
  {
    path: "vips.0.address",
    values: ["0.0.0.0", "::", "127.0.0.1", "::1", "224.0.0.1", "ff02::1"],
    message: /single host/,
  },
  {
    path: "vips.0.address",
    values: ["::ffff:10.0.0.1"],
    message: /expected the IPv4 address itself: 10\.0\.0\.1/,
  },
  { path: "vips.0.port", values: [-1, 65536, 80.5], message: /from 0 to 65535/ },
  { path: "vips.0.protocol", values: ["sctp", "TCP", ""], message: /expected tcp or udp/ },
  {
    path: "vips.0.flags",
    values: [["nothing"]],
    message: /expected hash-no-source-port, .* or hash-both-ports/,
  },
  { path: "vips.0.backends.0.address", values: ["255.255.255.255"], message: /broadcast/ },
  { path: "vips.0.backends.0.address", values: ["10.0.0.0/24"], message: /a prefix, where a single address/ },
  { path: "vips.0.backends.0.weight", values: [-1, 65536, 0.5], message: /from 0 to 65535/ },
  { path: "vips.0.backends.0.state", values: ["up"], message: /expected active, draining or down/ },
])("$path: $values is refused", ({ path, values, message }) => {
  for (const value of values) {
    const problems = problemsOf(configText({ [path]: value }));
    expect(problems).toHaveLength(1);
    expect(problems[0]?.code).toBe("bad-value");
    expect(problems[0]?.path).toMatch(new RegExp(`^${bracketed(path).replaceAll(/[[\]]/g, "\\$&")}`));
    expect(problems[0]?.message).toMatch(message);
  }
});

test.for(["version", "vips.0.address", "vips.0.port", "vips.0.protocol", "vips.0.backends.0.address"])(
  "%s must be there",
  (path) => {
    const missing = {
      path: bracketed(path),
      code: "missing",
      message: expect.stringMatching(/^missing, expected /),
    };
    expect(problemsOf(configText({ [path]: ABSENT }))).toEqual([expect.objectContaining(missing)]);
  },
);

test.for([
  { path: "setings", message: /did you mean settings\?/ },
  { path: "gatewayMac", message: /it belongs under settings/ },
  { path: "settings.gateway_mac", message: /did you mean gatewayMac\?/ },
  { path: "settings.backends", message: /it belongs under capacity or under vips\[\]/ },
  { path: "vips.0.weight", message: /it belongs under vips\[\]\.backends\[\]/ },
  { path: "vips.0.backends.0.wieght", message: /did you mean weight\?/ },
  { path: "vips.0.backends.0.nothing", message: /expected address, weight, flags, state, katranDown$/ },
  { path: "capacity.colour", message: /expected vips, backends, flowsPerCpu, serverIds, sourceRoutes$/ },
  { path: "version ", message: /did you mean version\?|"version "/ },
])("the unknown key $path: $message", ({ path, message }) => {
  const problems = problemsOf(configText({ [path]: 1 }));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatchObject({ code: "unknown-key", value: 1 });
  expect(problems[0]?.message).toMatch(message);
});

test.for([
  { path: "vips.0.port", value: "80", message: /^found "80", .*, without quotes$/ },
  { path: "version", value: "1", message: /^found "1", .*, without quotes$/ },
  { path: "settings.mtu", value: "1500", message: /, without quotes$/ },
  { path: "settings.mtu", value: "large", message: /65535$/ },
  { path: "vips.0.protocol", value: "TCP", message: /; did you mean tcp\?$/ },
  { path: "vips.0.address", value: "10.0.0.1:80", message: /without a port$/ },
  { path: "vips.0", value: "web", message: /^found "web", expected a mapping with address, port, protocol$/ },
  { path: "settings", value: [], message: /^found a list, expected a mapping of gatewayMac, localAddress, / },
  { path: "capacity", value: 64, message: /^found 64, expected a mapping of vips, backends, flowsPerCpu/ },
  { path: "vips.0.name", value: 80, message: /^found 80, expected a name in quotes$/ },
  { path: "vips.0.name", value: "\u0007", message: /^found "\\u0007", expected visible/ },
  { path: "settings.scope", value: "\u009b31mred\u202e", message: /^found "\\u009b31mred\\u202e", / },
  { path: "settings.scope", value: "x".repeat(1000), message: /^found "x{60}\.\.\.", / },
])("$path: $value is answered with $message", ({ path, value, message }) => {
  expect(problemsOf(configText({ [path]: value }))[0]?.message).toMatch(message);
});

function valueAt(value: unknown, path: string): unknown {
  return path.split(".").reduce((place, step) => (place as { readonly [key: string]: unknown })[step], value);
}

/** "vips.0.port" as problems write it: "vips[0].port". */
function bracketed(path: string): string {
  return path.replaceAll(/\.([0-9]+)/g, "[$1]");
}
