import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadRequest, objectId } from "../../../control/plan/load-request.ts";
import { options } from "../../../dataplane/xdp/generated/balancer.ts";
import { balancerObject, configOf } from "./harness.ts";

const ENVIRONMENT = { cpuCount: 2, ticksPerSecond: 250, externalClock: false, flowSeed: 5n };
const request = (text: string, environment = ENVIRONMENT) =>
  loadRequest(configOf(text), balancerObject(), environment);

test("every option of the program is given, and nothing else", () => {
  expect([...request("vips: []").options.keys()].sort()).toEqual(Object.keys(options).sort());
});

test("the object's id begins as sha256sum of the committed file does", () => {
  const digest = createHash("sha256").update(readFileSync("dataplane/xdp/balancer.bpf.o")).digest("hex");
  const id = request("vips: []").options.get("option_object_id") as bigint;
  expect(id.toString(16).padStart(16, "0")).toBe(digest.slice(0, 16));
  expect(objectId({ image: new Uint8Array(0) })).toBe(0xe3b0c44298fc1c14n);
});

test("every map of the program but its variables is given a size", () => {
  const maps = balancerObject()
    .maps.map(({ name }) => name)
    .filter((name) => !name.startsWith("."));
  expect([...request("vips: []").maxEntries.keys()].sort()).toEqual(maps.sort());
});

test("the default configuration is sized as docs/maps.md says, with spare VIPs and rings", () => {
  expect(Object.fromEntries(request("vips: []").maxEntries)).toEqual({
    settings: 1,
    interfaces: 512,
    vip_buckets: 1024,
    vips: 69,
    rings: 69,
    backends: 4097,
    reason_counters: 2,
    vip_counters: 2 * 72,
    backend_counters: 2 * 4100,
    cpu_states: 2,
    flows_ipv4: 65536,
    flows_ipv6: 131072,
    fragments: 1024,
  });
});

test.for([
  { flowsPerCpu: 1, ipv4: 1, ipv6: 1 },
  { flowsPerCpu: 5, ipv4: 2, ipv6: 4 },
  { flowsPerCpu: 64, ipv4: 16, ipv6: 32 },
  { flowsPerCpu: 65, ipv4: 32, ipv6: 64 },
])(
  "$flowsPerCpu flows take $ipv4 and $ipv6 lines, and the masks mirror them",
  ({ flowsPerCpu, ipv4, ipv6 }) => {
    const { maxEntries, options: given } = request(`capacity: {flowsPerCpu: ${flowsPerCpu}}\nvips: []`);
    expect(maxEntries.get("flows_ipv4")).toBe(ipv4);
    expect(maxEntries.get("flows_ipv6")).toBe(ipv6);
    expect(given.get("option_flow_ipv4_line_mask")).toBe(ipv4 - 1);
    expect(given.get("option_flow_ipv6_line_mask")).toBe(ipv6 - 1);
  },
);

test.for([
  { settings: "", option: "option_scope_all", value: false },
  { settings: "scope: all", option: "option_scope_all", value: true },
  { settings: "fragments: drop", option: "option_fragments_balance", value: false },
  { settings: "ipOptions: balance", option: "option_ip_options_balance", value: true },
  { settings: "tooBig: drop", option: "option_too_big_icmp", value: false },
  { settings: "echoReply: any", option: "option_echo", value: 2 },
  { settings: "echoReply: off", option: "option_echo", value: 0 },
  { settings: "", option: "option_hash_seed", value: 33554944 },
  { settings: "", option: "option_hash_seed_ipv6", value: 512 },
  { settings: "hashSeed: 77", option: "option_hash_seed", value: 77 },
  { settings: "hashSeed: 77", option: "option_hash_seed_ipv6", value: 77 },
  { settings: "", option: "option_any_port_vips", value: false },
  { settings: "", option: "option_flow_seed", value: 5n },
  { settings: "", option: "option_ticks_per_second", value: 250 },
  { settings: "", option: "option_established_idle_ticks", value: 900_000 },
  { settings: "", option: "option_closing_idle_ticks", value: 15_000 },
  { settings: "", option: "option_fragment_ticks", value: 500 },
])("settings {$settings} give $option $value", ({ settings, option, value }) => {
  const text = `settings: {gatewayMac: "02:00:00:00:00:01"${settings === "" ? "" : `, ${settings}`}}\nvips: []`;
  expect(request(text).options.get(option)).toBe(value);
});

test("an age that a fast clock cannot express is the longest one", () => {
  const { options: given } = request("vips: []", { ...ENVIRONMENT, ticksPerSecond: 1_000_000 });
  expect(given.get("option_established_idle_ticks")).toBe(2 ** 29 - 1);
});
