import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { mapLayoutDifference } from "../../../dataplane/object/map-layout.ts";
import { readObject } from "../../../dataplane/object/read-object.ts";
import type { MapSpec, ObjectSpec } from "../../../dataplane/object/spec.ts";

const FILE = join(import.meta.dirname, "../../../dataplane/xdp/balancer.bpf.o");
const BALANCER = readObject(readFileSync(FILE));

/** The object after a change of its bytes, none of which moves. */
function edited(from: string, to: string): ObjectSpec {
  const text = readFileSync(FILE, "latin1");
  expect(text).toContain(`\0${from}\0`);
  return readObject(Buffer.from(text.replaceAll(`\0${from}\0`, `\0${to}\0`), "latin1"));
}

function withMap(name: string, change: (map: MapSpec) => MapSpec): ObjectSpec {
  return { ...BALANCER, maps: BALANCER.maps.map((map) => (map.name === name ? change(map) : map)) };
}

test("an object fits its own maps, whatever sizes and options are asked for", () => {
  expect(mapLayoutDifference(BALANCER, BALANCER)).toBeUndefined();
  expect(
    mapLayoutDifference(
      BALANCER,
      withMap("vips", (map) => ({ ...map, maxEntries: 7 })),
    ),
  ).toBeUndefined();
  expect(
    mapLayoutDifference(
      BALANCER,
      withMap(".rodata", (map) => ({ ...map, valueSizeBytes: 8 })),
    ),
  ).toBeUndefined();
});

test("a map that only one of them has is no difference", () => {
  const without = { ...BALANCER, maps: BALANCER.maps.filter(({ name }) => name !== "vips") };
  expect(mapLayoutDifference(BALANCER, without)).toBeUndefined();
  expect(mapLayoutDifference(without, BALANCER)).toBeUndefined();
});

test.for<{ name: string; after: ObjectSpec; map: string; why: RegExp }>([
  {
    name: "another type",
    after: withMap("vips", (map) => ({ ...map, type: 1 })),
    map: "vips",
    why: /^type 2, now 1$/,
  },
  {
    name: "larger values",
    after: withMap("rings", (map) => ({ ...map, valueSizeBytes: 8 })),
    map: "rings",
    why: /^valueSizeBytes 266240, now 8$/,
  },
  {
    name: "other inner maps",
    after: withMap("flows_ipv6", (map) => ({ ...map, inner: { ...map.inner!, valueSizeBytes: 128 } })),
    map: "flows_ipv6",
    why: /^inner maps: valueSizeBytes 64, now 128$/,
  },
  {
    name: "no inner maps",
    after: withMap("flows_ipv6", ({ inner: _inner, ...map }) => map),
    map: "flows_ipv6",
    why: /map of maps/,
  },
  {
    name: "a field of another name",
    after: edited("udp_idle_ticks", "udp_idle_ticky"),
    map: "settings",
    why: /^its values had "udp_idle_ticks: int of 4 bytes at bit \d+"$/,
  },
  {
    name: "a field within a line of inner maps",
    after: edited("flow_vip", "flow_pip"),
    map: "vips",
    why: /flow_vip/,
  },
])("$name: the map is named, and what is different", ({ after, map, why }) => {
  expect(mapLayoutDifference(BALANCER, after)).toEqual({ map, why: expect.stringMatching(why) });
});

test("reserved bytes may become a field, and a field may not become reserved", () => {
  const before = edited("udp_idle_ticks", "reserved123456"); // as if it had not been there yet
  expect(mapLayoutDifference(before, BALANCER)).toBeUndefined();
  expect(mapLayoutDifference(BALANCER, before)).toMatchObject({ map: "settings" });
});
