import { expect, test } from "vitest";
import { formatConfigPath } from "../../../control/model/config-error.ts";
import { parseConfig } from "../../../control/model/config-file.ts";
import { findWarnings } from "../../../control/model/warnings.ts";
import { configText, FILE } from "./config-text.ts";

test.for<{ name: string; changes: { [path: string]: unknown }; path: string; message: RegExp }>([
  {
    name: "a VIP without backends",
    changes: { "vips.0.backends": [] },
    path: "vips[0]",
    message: /every packet .* dropped/,
  },
  {
    name: "a VIP whose backends take no new flows",
    changes: { "vips.0.backends.0.state": "draining", "vips.0.backends.1.weight": 0 },
    path: "vips[0].backends",
    message: /every new flow is dropped/,
  },
  {
    name: "an mtu that IPv6 packets of 1280 bytes do not fit under an outer IPv6 header",
    changes: { "settings.mtu": 1319, "vips.0.address": "fc00:1::1" },
    path: "settings.mtu",
    message: /at least 1320/,
  },
  {
    name: "the same under an outer IPv4 header",
    changes: {
      "settings.mtu": 1299,
      "vips.0.address": "fc00:1::1",
      "vips.0.backends": [{ address: "10.0.0.1" }],
    },
    path: "settings.mtu",
    message: /at least 1300/,
  },
  {
    name: "frames that IPv6 packets of 1280 bytes do not fit",
    changes: { "settings.maxFrameBytes": 1293, "vips.0.address": "fc00:1::1" },
    path: "settings.maxFrameBytes",
    message: /at least 1294/,
  },
  {
    name: "maglev v1 with weights",
    changes: { "settings.maglev": "v1" },
    path: "vips[0]",
    message: /v1 keeps unequal weights badly/,
  },
  {
    name: "a weight below one slot",
    changes: {
      "vips.0.backends": [
        { address: "10.0.0.1", weight: 1 },
        { address: "10.0.0.2", weight: 65535 },
        { address: "10.0.0.3", weight: 65535 },
      ],
    },
    path: "vips[0].backends[0].weight",
    message: /^1 of 131071 is less than one slot/,
  },
  {
    name: "hashing on the destination port where there is one",
    changes: { "vips.0.flags": ["hash-destination-port"] },
    path: "vips[0].flags",
    message: /all flows go to the same backend/,
  },
  {
    name: "hash-both-ports where both ports are hashed",
    changes: { "vips.0.flags": ["hash-both-ports"] },
    path: "vips[0].flags",
    message: /no effect/,
  },
  {
    name: "draining without remembered flows",
    changes: { "vips.0.flags": ["bypass-flow-table"], "vips.0.backends.1.state": "draining" },
    path: "vips[0].backends[1].state",
    message: /draining keeps no flows/,
  },
])("warned of: $name", ({ changes, path, message }) => {
  const warnings = warningsOf(changes);
  expect(warnings.map((warning) => formatConfigPath(warning.path))).toEqual([path]);
  expect(warnings[0]?.message).toMatch(message);
});

test.for<{ name: string; changes: { [path: string]: unknown } }>([
  { name: "the good file", changes: {} },
  { name: "no limit of the mtu", changes: { "settings.mtu": 0, "vips.0.address": "fc00:1::1" } },
  {
    name: "the least mtu for IPv6",
    changes: { "settings.mtu": 1320, "settings.maxFrameBytes": 1294, "vips.0.address": "fc00:1::1" },
  },
  { name: "a low mtu without IPv6 VIPs", changes: { "settings.mtu": 576 } },
  {
    name: "maglev v1 with equal weights",
    changes: { "settings.maglev": "v1", "vips.0.backends.1.weight": 1 },
  },
  {
    name: "hashing on destination ports where there are many",
    changes: { "vips.0.port": 0, "vips.0.flags": ["hash-destination-port", "hash-both-ports"] },
  },
  {
    name: "a backend of Katran's down set that stays in the ring",
    changes: { "vips.0.backends": [{ address: "10.0.0.1", katranDown: true }] },
  },
])("not warned of: $name", ({ changes }) => {
  expect(warningsOf(changes)).toEqual([]);
});

function warningsOf(changes: { [path: string]: unknown }) {
  return findWarnings(parseConfig(configText(changes), { file: FILE }));
}
