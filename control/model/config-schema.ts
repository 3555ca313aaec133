/**
 * The config file as a schema: every key, its type, default and help text, also of what this version refuses
 * (not-yet.ts). It validates one key at a time; what keys mean together is checked in cross-checks.ts.
 *
 * schemas/config.schema.json is made from it, which is why bounds are zod's own and not refinements: editors
 * can show them. Messages say what is allowed; who reports them says where and what was found.
 */
import { z } from "zod";
import { AddressError, addressKind, type IpAddress, parseIpAddress } from "./address.ts";
import type { Backend, Config, MaglevVersion, Settings, Vip, VipFlag } from "./config.ts";
import {
  BACKENDS_MAX,
  DEFAULT_CAPACITY,
  FLOWS_PER_CPU_MAX,
  FRAME_MAX,
  FRAME_MIN,
  MTU_MAX,
  MTU_MIN,
  NAME_LENGTH_MAX,
  SERVER_IDS_MAX,
  SOURCE_ROUTES_MAX,
  UDP_IDLE_SECONDS_MAX,
  UINT32_MAX,
  VIPS_MAX,
  WEIGHT_MAX,
} from "./limits.ts";
import { isStationMac, parseMac } from "./mac.ts";
import { type IpPrefix, parseIpPrefix } from "./prefix.ts";

/** VIP flags that this version does. */
export const BUILT_VIP_FLAGS = [
  "hash-no-source-port",
  "bypass-flow-table",
  "hash-destination-port",
  "hash-both-ports",
] as const;
BUILT_VIP_FLAGS satisfies readonly VipFlag[];

/** VIP flags that the file format knows besides. */
export const LATER_VIP_FLAGS = [
  "quic",
  "source-routing",
  "local",
  "global-flow-table",
  "udp-stable-routing",
  "udp-flow-migration",
] as const;

export const DEFAULT_GUE_PORT: number = 6080;

// ------------------------------------------------------------------------------------------------ building blocks

function wholeNumber(min: number, max: number, why = "") {
  const error = () => `expected a whole number from ${min} to ${max}${why}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** One of `built`, which messages offer, or of `later`, which not-yet.ts refuses. */
function choice<const Built extends readonly string[], const Later extends readonly string[] = []>(
  built: Built,
  later: Later = [] as unknown as Later,
) {
  return z.enum([...built, ...later] as [...Built, ...Later], { error: () => `expected ${oneOf(built)}` });
}

function flag() {
  return z.boolean({ error: () => "expected true or false" });
}

const OPTIONAL_TYPES: readonly string[] = ["optional", "default", "prefault"];

function mapping<Shape extends z.core.$ZodShape>(shape: Shape) {
  const required = Object.keys(shape).filter((key) => !OPTIONAL_TYPES.includes(shape[key]!._zod.def.type));
  const keys = required.length > 0 ? `with ${required.join(", ")}` : `of ${Object.keys(shape).join(", ")}`;
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "invalid_type" ? `expected a mapping ${keys}` : undefined),
  });
}

function list<Item extends z.ZodType>(item: Item, of: string) {
  return z.array(item, { error: () => `expected a list of ${of}` });
}

const ADDRESS_PATTERN = "^[0-9a-fA-F:.]+$";
const PREFIX_PATTERN = "^[0-9a-fA-F:.]+/[0-9]{1,3}$";

/** Text that `parse` reads; what it throws becomes the problem's message. */
function text<Value>(expected: string, parse: (text: string) => Value) {
  return z.string({ error: () => `expected ${expected}` }).transform((value, context): Value => {
    try {
      return parse(value);
    } catch (error) {
      if (!(error instanceof AddressError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
      return z.NEVER;
    }
  });
}

const address = () => text("an IPv4 or IPv6 address", parseIpAddress);
const prefix = () => text("a prefix such as 192.168.0.0/17", parseIpPrefix);

/** An address that a single host can have: what VIPs, backends and the host itself need. */
function hostAddress(value: string): IpAddress {
  const parsed = parseIpAddress(value);
  const kind = addressKind(parsed);
  if (kind === "unicast") return parsed;
  throw new AddressError(
    "syntax",
    value,
    `${kind === "unspecified" ? "an" : "a"} ${kind} address, expected one of a single host`,
  );
}

/** A prefix is a valid VIP address of the file format; not-yet.ts refuses it, so that its network address is never used. */
function vipAddress(value: string): IpAddress {
  if (!value.includes("/")) return hostAddress(value);
  const { address } = parseIpPrefix(value) satisfies IpPrefix;
  return address;
}

function addressOfFamily(family: 4 | 6) {
  return text(`an IPv${family} address`, (value) => {
    const parsed = hostAddress(value);
    if (parsed.family !== family) {
      throw new AddressError("syntax", value, `an IPv${parsed.family} address, expected IPv${family}`);
    }
    return parsed;
  }).meta({ pattern: ADDRESS_PATTERN });
}

function stationMac(value: string) {
  const mac = parseMac(value);
  if (mac === undefined)
    throw new AddressError("syntax", value, "expected a MAC address such as 00:00:de:ad:be:af");
  if (isStationMac(mac)) return mac;
  throw new AddressError(
    "syntax",
    value,
    "a group or all-zero MAC address, expected that of a single station",
  );
}

// ------------------------------------------------------------------------------------------------ the file, part by part

const capacity = mapping({
  vips: wholeNumber(1, VIPS_MAX, ", as each takes a ring of 260 KiB").default(DEFAULT_CAPACITY.vips).meta({
    description: "How many VIPs there is room for. Each takes a ring of 260 KiB.",
  }),
  backends: wholeNumber(1, BACKENDS_MAX, ", as ids have 16 bits").default(DEFAULT_CAPACITY.backends).meta({
    description: "How many different backend addresses there is room for, over all VIPs.",
  }),
  flowsPerCpu: wholeNumber(1, FLOWS_PER_CPU_MAX).default(DEFAULT_CAPACITY.flowsPerCpu).meta({
    description:
      "How many IPv4 flows, and as many IPv6 flows, each CPU remembers. Together 48 bytes a flow. Rounded up to a power of two.",
  }),
  serverIds: wholeNumber(0, SERVER_IDS_MAX).default(DEFAULT_CAPACITY.serverIds).meta({
    description: "How many server ids there is room for. Not used in this version.",
  }),
  sourceRoutes: wholeNumber(0, SOURCE_ROUTES_MAX).default(DEFAULT_CAPACITY.sourceRoutes).meta({
    description: "How many source routes there is room for. Not used in this version.",
  }),
});

const encapsulation = () => choice(["ipip"], ["gue", "l2"]);
const maglev = () => choice(["v1", "v2"]);
const flowTracking = () => choice(["always"], ["transitions"]);
const deny = () => list(prefix().meta({ pattern: PREFIX_PATTERN }), "prefixes");

const decap = mapping({
  destinations: list(address().meta({ pattern: ADDRESS_PATTERN }), "addresses")
    .default([])
    .meta({
      description:
        "Encapsulated packets to these addresses are taken out of their encapsulation and processed again.",
    }),
  egressDestinations: list(address().meta({ pattern: ADDRESS_PATTERN }), "addresses")
    .default([])
    .meta({
      description:
        "Encapsulated packets to these addresses are taken out of their encapsulation and sent on.",
    }),
  strict: flag().default(true).meta({
    description:
      "Leave encapsulated packets alone that are neither for these addresses nor for the host's own.",
  }),
});

const mtuExpected = () => `expected 0 for no limit, or a whole number from ${MTU_MIN} to ${MTU_MAX}`;

const settings = mapping({
  gatewayMac: text("a MAC address such as 00:00:de:ad:be:af", stationMac)
    .meta({
      pattern: "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$|^[0-9a-fA-F]{2}(-[0-9a-fA-F]{2}){5}$",
      examples: ["00:00:de:ad:be:af"],
    })
    .optional()
    .meta({
      description:
        "MAC address of the next hop: where every forwarded packet is sent. Absent: on a NIC it is found from routes and neighbours, for each interface; in replay it is 02:00:00:00:00:01.",
    }),
  localAddress: mapping({
    ipv4: addressOfFamily(4).optional().meta({ description: "The host's IPv4 address." }),
    ipv6: addressOfFamily(6).optional().meta({ description: "The host's IPv6 address." }),
  })
    .optional()
    .meta({
      description:
        "The host's own addresses: outer source of GUE, and what strict decapsulation goes by. Not used in this version.",
    }),
  encapsulation: encapsulation().default("ipip").meta({
    description:
      "How packets reach the backends. In this version only ipip: an outer IP header, 4in4, 6in6, 4in6 or 6in4 as VIP and backend ask.",
  }),
  guePort: wholeNumber(1, 65535).default(DEFAULT_GUE_PORT).meta({
    description: "UDP destination port of GUE. In this version only the default.",
  }),
  maglev: maglev().default("v2").meta({
    description:
      "How rings are filled. v2 keeps weights; v1 is what Katran does by default, and keeps them badly.",
  }),
  hashSeed: wholeNumber(0, UINT32_MAX).default(33554944).meta({
    description:
      "Seed of the flow hash; the same on every host of a fleet. A secret one keeps clients from choosing their backend. The default is Katran's.",
  }),
  scope: choice(["vip", "all"]).default("vip").meta({
    description:
      "vip: what is not addressed to a VIP passes untouched, malformed or not. all: drops reach it too, as in Katran.",
  }),
  maxFrameBytes: wholeNumber(FRAME_MIN, FRAME_MAX).default(1514).meta({
    description: "Largest incoming frame for a VIP, with its Ethernet header and without VLAN tags.",
  }),
  mtu: z
    .union(
      [
        z.literal(0),
        z
          .int({ error: mtuExpected })
          .min(MTU_MIN, { error: mtuExpected })
          .max(MTU_MAX, { error: mtuExpected }),
      ],
      {
        error: mtuExpected,
      },
    )
    .optional()
    .meta({
      description:
        "Largest outgoing IP packet, its outer header counted; 0: no limit. IPv6 needs at least 1320. Absent: on a NIC its own, for each interface; in replay 1500.",
    }),
  tooBig: choice(["drop", "icmp"]).default("icmp").meta({
    description:
      "What is over maxFrameBytes or mtu is dropped, or answered with ICMP fragmentation needed or packet too big.",
  }),
  mssClamp: flag().default(false).meta({
    description:
      "Lower the MSS that clients announce, so that encapsulated packets fit. Not in this version: only false.",
  }),
  fragments: choice(["drop", "balance"]).default("balance").meta({
    description: "Fragments for a VIP are dropped, or follow the first fragment seen of their datagram.",
  }),
  ipOptions: choice(["drop", "balance"]).default("drop").meta({
    description: "IPv4 packets with options for a VIP are dropped or balanced.",
  }),
  echoReply: choice(["any", "vip", "off"]).default("vip").meta({
    description:
      "Which ICMP echo requests are answered: those to any address, those to a VIP's address, or none.",
  }),
  tcpServerId: flag().default(false).meta({
    description: "Choose backends by a server id in a TCP option. Not in this version: only false.",
  }),
  udpIdleSeconds: wholeNumber(1, UDP_IDLE_SECONDS_MAX).default(30).meta({
    description: "A UDP flow that is silent for longer is forgotten.",
  }),
  newFlowsPerSecondPerCpu: wholeNumber(0, UINT32_MAX).default(125000).meta({
    description: "Beyond it new flows are balanced but not remembered; 0: no limit.",
  }),
  flowTracking: flowTracking().default("always").meta({
    description: "Which flows are remembered. In this version only always.",
  }),
  sharedFlowTable: flag().default(false).meta({
    description: "One flow table for all CPUs. Not in this version: only false.",
  }),
  deny: deny().default([]).meta({
    description: "Sources whose packets to VIPs are dropped. Not in this version: only an empty list.",
  }),
  decap: decap.optional().meta({
    description:
      "Which encapsulated packets are taken out of their encapsulation. Not in this version: absent, or empty lists.",
  }),
}).transform(
  (file): FileSettings => ({
    maglev: file.maglev,
    settings: {
      gatewayMac: file.gatewayMac,
      localAddress: { ipv4: file.localAddress?.ipv4, ipv6: file.localAddress?.ipv6 },
      hashSeed: file.hashSeed,
      scope: file.scope,
      maxFrameBytes: file.maxFrameBytes,
      mtu: file.mtu,
      tooBig: file.tooBig,
      fragments: file.fragments,
      ipOptions: file.ipOptions,
      echoReply: file.echoReply,
      udpIdleSeconds: file.udpIdleSeconds,
      newFlowsPerSecondPerCpu: file.newFlowsPerSecondPerCpu,
    },
  }),
);

interface FileSettings {
  readonly settings: Settings;
  /** What VIPs without a `maglev` of their own take. */
  readonly maglev: MaglevVersion;
}

const backend = mapping({
  address: text("an IPv4 or IPv6 address", hostAddress).meta({
    description: "Where packets are sent: IPv4 or IPv6, whichever the VIP is.",
    pattern: ADDRESS_PATTERN,
    examples: ["10.0.0.1", "fc00::1"],
  }),
  weight: wholeNumber(0, WEIGHT_MAX).default(1).meta({
    description: "Share of new flows relative to the VIP's other backends; 0: no new flows.",
  }),
  flags: list(choice(["local"]), "flags")
    .default([])
    .meta({
      uniqueItems: true,
      description: "local: the backend runs on this host. Not in this version.",
    }),
  state: choice(["active", "draining", "down"]).optional().meta({
    description:
      "active (default); draining: no new flows, known flows are kept; down: no new flows, known flows are chosen again.",
  }),
  katranDown: flag().optional().meta({
    description: "With state down: the backend keeps its place in the ring, as Katran's down set does.",
  }),
}).transform((file): Backend => {
  const katranDown = file.katranDown ?? false;
  return {
    address: file.address,
    weight: file.weight,
    state: file.state ?? (katranDown ? "down" : "active"),
    katranDown,
  };
});

const quicLb = mapping({
  config: wholeNumber(0, 6).meta({ description: "Config rotation bits of the connection id." }),
  serverIdBytes: wholeNumber(1, 15).meta({ description: "Length of the server id." }),
  nonceBytes: wholeNumber(4, 18).meta({ description: "Length of the nonce." }),
  key: z
    .string({ error: () => "expected 16 bytes in hex" })
    .regex(/^[0-9a-fA-F]{32}$/, { error: () => "expected 16 bytes in hex" })
    .optional()
    .meta({ description: "AES key in hex; absent for plaintext ids." }),
});

const healthCheck = mapping({
  type: choice(["tcp", "http", "https", "grpc", "tls", "udp", "external"]).meta({
    description: "What a probe does.",
  }),
  intervalSeconds: wholeNumber(1, 3600).default(5).meta({ description: "Time between probes of a backend." }),
  timeoutSeconds: wholeNumber(1, 3600)
    .default(2)
    .meta({ description: "A probe without an answer for this long has failed." }),
  rise: wholeNumber(1, 100).default(2).meta({ description: "Successes in a row that bring a backend back." }),
  fall: wholeNumber(1, 100).default(3).meta({ description: "Failures in a row that take a backend out." }),
  minHealthyPercent: wholeNumber(0, 100).default(50).meta({
    description: "With fewer healthy backends than this, the checks are not believed and all are used.",
  }),
});

const name = z
  .string({ error: () => "expected a name in quotes" })
  .regex(/^[^\s\p{C}](?:[^\p{C}]*[^\s\p{C}])?$/u, {
    error: () => "expected visible characters, and no space at either end",
  })
  .max(NAME_LENGTH_MAX, { error: () => `expected at most ${NAME_LENGTH_MAX} characters` });

const vip = mapping({
  name: name.optional().meta({ description: "What reports call the VIP; unique." }),
  address: text("an IPv4 or IPv6 address", vipAddress).meta({
    description: "The VIP's address. Prefixes are not in this version.",
    pattern: "^[0-9a-fA-F:.]+(/[0-9]{1,3})?$",
    examples: ["10.200.1.1", "fc00:1::1"],
  }),
  port: wholeNumber(0, 65535).meta({
    description:
      "Port that clients connect to; 0: every port that no other VIP of this address and protocol has.",
  }),
  protocol: choice(["tcp", "udp"]).meta({ description: "tcp or udp." }),
  flags: list(choice(BUILT_VIP_FLAGS, LATER_VIP_FLAGS), "flags").default([]).meta({
    uniqueItems: true,
    description:
      "hash-no-source-port: connections of a client stay together. bypass-flow-table: flows are not remembered. hash-destination-port: only the destination port chooses the backend. hash-both-ports: with port 0, the destination port counts in the hash. The others are not in this version.",
  }),
  encapsulation: encapsulation()
    .optional()
    .meta({ description: "Instead of settings.encapsulation. In this version only ipip." }),
  maglev: maglev().optional().meta({ description: "Instead of settings.maglev." }),
  flowTracking: flowTracking()
    .optional()
    .meta({ description: "Instead of settings.flowTracking. In this version only always." }),
  mssClamp: flag()
    .optional()
    .meta({ description: "Instead of settings.mssClamp. Not in this version: only false." }),
  deny: deny()
    .optional()
    .meta({ description: "Instead of settings.deny. Not in this version: only an empty list." }),
  quic: mapping({
    ids: z
      .union(
        [
          choice(["katran"]),
          mapping({
            quicLb: list(quicLb, "QUIC-LB configs").meta({
              description: "QUIC-LB: how ids are built, by config rotation.",
            }),
          }),
        ],
        {
          error: () => "expected katran or a mapping of quicLb",
        },
      )
      .meta({ description: "How connection ids carry server ids." }),
  })
    .optional()
    .meta({ description: "Choose backends by QUIC connection ids. Not in this version." }),
  sourceRateLimit: wholeNumber(0, UINT32_MAX).default(0).meta({
    description:
      "Packets a second that one source address may send; 0: no limit. Not in this version: only 0.",
  }),
  backendDown: choice(["keep"], ["resteer"]).default("keep").meta({
    description:
      "What happens to known flows of a backend whose health check fails. In this version only keep.",
  }),
  drainSeconds: wholeNumber(0, UINT32_MAX).default(0).meta({
    description:
      "How long a draining backend keeps its flows; 0: until they end. Not in this version: only 0.",
  }),
  healthCheck: healthCheck.optional().meta({ description: "How backends are probed. Not in this version." }),
  announce: mapping({
    minHealthy: wholeNumber(0, BACKENDS_MAX)
      .default(1)
      .meta({ description: "Announced with at least this many healthy backends." }),
  })
    .optional()
    .meta({ description: "When the VIP is announced to the routers. Not in this version." }),
  backends: list(backend, "backends").default([]).meta({ description: "Where the VIP's packets go." }),
}).transform((file): FileVip => {
  const { name, address, port, protocol, maglev, backends } = file;
  // not-yet.ts refuses the flags that VipFlag lacks.
  return { name, address, port, protocol, flags: file.flags as VipFlag[], maglev, backends };
});

interface FileVip extends Omit<Vip, "maglev"> {
  readonly maglev: MaglevVersion | undefined;
}

/** A whole file. Parsing fills in defaults; the result is a Config once not-yet.ts and cross-checks.ts have no complaint. */
export const configSchema: z.ZodType<Config> = mapping({
  version: z.literal(1, { error: () => "expected 1, the version of the file format" }).meta({
    description: "Version of the file format.",
  }),
  capacity: capacity
    .prefault({})
    .meta({ description: "Sizes of the program's maps, taken when it is loaded." }),
  settings: settings.prefault({}).meta({ description: "What holds for all VIPs." }),
  vips: list(vip, "VIPs")
    .default([])
    .meta({ description: "The services: one address, port and protocol each, and where its packets go." }),
  serverIds: list(
    mapping({
      id: wholeNumber(1, 2 ** 31 - 1).meta({ description: "Server id." }),
      backend: address().meta({ description: "Backend that has it.", pattern: ADDRESS_PATTERN }),
    }),
    "server ids",
  )
    .default([])
    .meta({ description: "Backends of server ids. Not in this version: only an empty list." }),
  sourceRoutes: list(
    mapping({
      prefix: prefix().meta({ description: "Source addresses.", pattern: PREFIX_PATTERN }),
      backend: address().meta({ description: "Backend that their packets go to.", pattern: ADDRESS_PATTERN }),
    }),
    "source routes",
  )
    .default([])
    .meta({ description: "Backends by source address. Not in this version: only an empty list." }),
})
  .transform(
    (file): Config => ({
      capacity: file.capacity,
      settings: file.settings.settings,
      vips: file.vips.map((vip) => ({ ...vip, maglev: vip.maglev ?? file.settings.maglev })),
    }),
  )
  .meta({
    title: "Lamna configuration",
    description: "What a Lamna load balancer does: its VIPs, their backends, and settings.",
  });

/** "a", "a or b", "a, b or c". */
function oneOf(values: readonly string[]): string {
  return values.length < 2 ? values.join() : `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
}
