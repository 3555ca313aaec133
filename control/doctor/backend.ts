/** A host that takes encapsulated packets for a VIP: does something decapsulate, is the VIP its own, and do answers fit? */
import type { InterfaceAddress } from "../../dataplane/kernel/addresses.ts";
import type { BackendFacts } from "../../dataplane/kernel/backend-facts.ts";
import type { InterfaceInfo } from "../../dataplane/kernel/links.ts";
import { formatIpAddress, type IpAddress, isSameAddress } from "../model/address.ts";
import type { Config } from "../model/config.ts";
import { type Finding, type FindingGroup, listed, ok, problem, unknown, warning } from "./finding.ts";
import { OUTER_HEADER_BYTES, TCP_HEADERS_BYTES } from "./headroom.ts";

/** The families of outer and inner header. */
interface Capsule {
  readonly outer: 4 | 6;
  readonly inner: 4 | 6;
}

export interface BackendQuestion {
  /** Each once. */
  readonly vips: readonly IpAddress[];
  readonly config: Config | undefined;
}

export function judgeBackend(facts: BackendFacts, question: BackendQuestion): FindingGroup[] {
  const capsules = expectedCapsules(facts, question);
  const vipFindings =
    question.vips.length === 0
      ? [unknown("VIPs", "none was named", "name them with --vip or --config")]
      : question.vips.map((vip) => judgeVip(vip, facts));
  return [
    {
      topic: "Decapsulation",
      findings: [...judgeIdentity(facts, question), ...judgeDecapsulation(facts, capsules)],
    },
    { topic: "VIPs", findings: vipFindings },
    {
      topic: "Answers",
      findings: [
        ...judgeReversePath(facts, question),
        ...facts.ingress.flatMap((info) => judgeArp(info, facts, question)),
        ...judgeAnswers(facts, question, capsules),
      ],
    },
  ];
}

// ------------------------------------------------------------------------------------------------ decapsulation

/** What arrives here: of the backends that are this host; without a config, the VIPs in either family. */
function expectedCapsules(facts: BackendFacts, { vips, config }: BackendQuestion): Capsule[] {
  const found = new Map<string, Capsule>();
  const add = (capsule: Capsule): void => {
    found.set(`${capsule.outer} ${capsule.inner}`, capsule);
  };
  for (const { address, backends } of config?.vips ?? []) {
    for (const backend of backends) {
      if (isLocal(backend.address, facts)) add({ outer: backend.address.family, inner: address.family });
    }
  }
  if (config === undefined) for (const { family } of vips) add({ outer: family, inner: family });
  return [...found.values()];
}

function judgeIdentity(facts: BackendFacts, { config }: BackendQuestion): Finding[] {
  if (config === undefined) return [];
  const backends = config.vips.flatMap((vip) => vip.backends);
  const own = backends.filter(({ address }) => isLocal(address, facts));
  const names = [...new Set(own.map(({ address }) => formatIpAddress(address)))];
  if (names.length > 0) return [ok("backend", `this host is ${listed(names)}`)];
  return [
    warning(
      "backend",
      "no backend of the config is an address of this host",
      "run this on a backend, or add its address to the config",
    ),
  ];
}

function judgeDecapsulation(facts: BackendFacts, capsules: readonly Capsule[]): Finding[] {
  const { decapsulation, ingress } = facts;
  const check = "decapsulation";
  const without = ingress.filter(({ name }) => !decapsulation.interfaces.includes(name));
  if (decapsulation.interfaces.length > 0 && without.length === 0) {
    return [ok(check, `the program of ${decapsulation.directory}, on ${listed(decapsulation.interfaces)}`)];
  }
  const findings = capsules.map((capsule) => judgeTunnel(capsule, facts.interfaces));
  if (capsules.length === 0) {
    const tunnels = facts.interfaces.filter(({ kind, isUp }) => isUp && TUNNELS.has(kind ?? ""));
    if (tunnels.length > 0) return [ok(check, `tunnel devices ${listed(tunnels.map(({ name }) => name))}`)];
    return [
      noDecapsulation("nothing here takes packets out of their outer header", ingress, decapsulation.state),
    ];
  }
  const isMissing = findings.some(({ state }) => state === "problem");
  if (!isMissing || decapsulation.state !== "unreadable") return findings;
  return [
    unknown(
      check,
      `${decapsulation.directory} is there, and not readable: it may decapsulate`,
      "run as root to see",
    ),
  ];
}

const TUNNELS: ReadonlySet<string> = new Set(["ipip", "sit", "ip6tnl"]);

function judgeTunnel({ outer, inner }: Capsule, interfaces: readonly InterfaceInfo[]): Finding {
  const check = "decapsulation";
  const kind = outer === 6 ? "ip6tnl" : inner === 6 ? "sit" : "ipip";
  const what = `IPv${inner} in IPv${outer}`;
  const devices = interfaces.filter((info) => info.kind === kind);
  const up = devices.filter(({ isUp }) => isUp);
  const open = up.find(({ tunnelRemote }) => tunnelRemote === undefined);
  if (open !== undefined) return ok(check, `${what}: tunnel device ${open.name}`);
  if (up.length > 0) {
    return problem(
      check,
      `${what}: tunnel device ${up[0]!.name} takes packets of one sender only, and every flow has another`,
      `use the device that takes all (${FALLBACK_DEVICES[kind]}), or "lamna backend attach"`,
    );
  }
  if (devices.length > 0) {
    return problem(
      check,
      `${what}: tunnel device ${devices[0]!.name} is down`,
      `ip link set ${devices[0]!.name} up`,
    );
  }
  return problem(
    check,
    `${what}: nothing takes these packets out of their outer header`,
    `"lamna backend attach IFACE --vip ADDRESS", or a tunnel device (modprobe ${MODULES[kind]}; ip link set ${FALLBACK_DEVICES[kind]} up)`,
  );
}

const FALLBACK_DEVICES: Readonly<Record<string, string>> = { ipip: "tunl0", sit: "sit0", ip6tnl: "ip6tnl0" };
const MODULES: Readonly<Record<string, string>> = { ipip: "ipip", sit: "sit", ip6tnl: "ip6_tunnel" };

function noDecapsulation(
  found: string,
  ingress: readonly InterfaceInfo[],
  state: BackendFacts["decapsulation"]["state"],
): Finding {
  const remedy = `"lamna backend attach ${ingress[0]?.name ?? "IFACE"} --vip ADDRESS", or a tunnel device`;
  if (state === "unreadable")
    return unknown("decapsulation", `${found} as far as can be seen`, "run as root to see");
  return problem("decapsulation", found, remedy);
}

// ------------------------------------------------------------------------------------------------ VIPs

function judgeVip(vip: IpAddress, { addresses, interfaces }: BackendFacts): Finding {
  const text = formatIpAddress(vip);
  const bits = vip.family === 4 ? 32 : 128;
  const held = addresses.filter(({ address }) => isSameAddress(vip, ipAddress(address)));
  const [first] = held;
  if (first === undefined) {
    return problem(
      "VIP",
      `${text} is no address of this host, which refuses what is sent to it`,
      `ip addr add ${text}/${bits} dev lo`,
    );
  }
  const holder = interfaces.find(({ ifindex }) => ifindex === first.ifindex);
  const name = holder?.name ?? `interface ${first.ifindex}`;
  if (first.prefixLength !== bits) {
    return warning(
      "VIP",
      `${text}/${first.prefixLength} on ${name}: its neighbours count as reachable there, or as this host's own`,
      `ip addr add ${text}/${bits} dev lo, in place of it`,
    );
  }
  if (holder?.isLoopback === true || holder?.kind === "dummy") return ok("VIP", `${text} on ${name}`);
  return warning(
    "VIP",
    `${text} is on ${name}, which tells others that it is there`,
    `ip addr add ${text}/${bits} dev lo, in place of it`,
  );
}

// ------------------------------------------------------------------------------------------------ answers

/** Strict filtering drops what comes by another interface than an answer would leave by: after a tunnel, every packet. */
function judgeReversePath(facts: BackendFacts, { vips }: BackendQuestion): Finding[] {
  if (vips.every(({ family }) => family === 6) && vips.length > 0) return [];
  const check = "rp_filter";
  const isProgram = facts.decapsulation.interfaces.length > 0;
  const devices = isProgram
    ? facts.ingress
    : facts.interfaces.filter(({ kind, isUp }) => isUp && (kind === "ipip" || kind === "ip6tnl"));
  return devices.map(({ name }) => {
    const rpFilter = facts.sysctls.get(name)?.rpFilter;
    if (rpFilter === undefined) return unknown(check, `that of ${name} cannot be read`);
    if (rpFilter !== 1) return ok(check, `${rpFilter} on ${name}`);
    const isWayBack = facts.defaultRoutes.some(
      ({ interfaceName, route }) => interfaceName === name && route.family === 4,
    );
    if (isWayBack) return ok(check, `1 (strict) on ${name}, which answers leave by as well`);
    return problem(
      check,
      `1 (strict) on ${name}: packets of clients are dropped there, as answers leave by another interface`,
      `sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.${name}.rp_filter=0 (the greater of the two holds), or 2`,
    );
  });
}

/** A backend that answers ARP for the VIP takes it away from the balancer; that matters where the VIP is of a subnet of the link. */
function judgeArp(info: InterfaceInfo, facts: BackendFacts, { vips }: BackendQuestion): Finding[] {
  const ipv4 = vips.filter(({ family }) => family === 4);
  const sysctls = facts.sysctls.get(info.name);
  if (ipv4.length === 0 || sysctls === undefined) return [];
  const check = "ARP";
  const { arpIgnore, arpAnnounce } = sysctls;
  if (arpIgnore === undefined || arpAnnounce === undefined) {
    return [unknown(check, `arp_ignore and arp_announce of ${info.name} cannot be read`)];
  }
  const found = `arp_ignore ${arpIgnore} and arp_announce ${arpAnnounce} on ${info.name}`;
  if (arpIgnore >= 1 && arpAnnounce >= 2) return [ok(check, found)];
  const onLink = ipv4.filter((vip) =>
    facts.addresses.some(
      (own) => own.ifindex === info.ifindex && own.prefixLength < 32 && isInSubnet(vip.bytes, own),
    ),
  );
  if (onLink.length === 0) return [ok(check, `${found}; no VIP is of a subnet of ${info.name}`)];
  return [
    problem(
      check,
      `${found}: this host tells others on the link that ${listed(onLink.map(formatIpAddress))} is here, past the balancer`,
      `sysctl -w net.ipv4.conf.${info.name}.arp_ignore=1 net.ipv4.conf.${info.name}.arp_announce=2`,
    ),
  ];
}

/** Clients send segments as long as they were told, and the outer header comes on top. */
function judgeAnswers(
  facts: BackendFacts,
  { vips }: BackendQuestion,
  capsules: readonly Capsule[],
): Finding[] {
  const families = [...new Set(vips.map(({ family }) => family))].sort();
  return families.flatMap((family) =>
    facts.defaultRoutes
      .filter(({ route }) => route.family === family)
      .map(({ interfaceName, route }) => {
        const info = facts.interfaces.find(({ name }) => name === interfaceName);
        const outer = Math.max(
          OUTER_HEADER_BYTES[family],
          ...capsules
            .filter(({ inner }) => inner === family)
            .map((capsule) => OUTER_HEADER_BYTES[capsule.outer]),
        );
        return judgeMss({ family, outer, info, interfaceName, advmss: route.advmss, mtu: route.mtu });
      }),
  );
}

function judgeMss({
  family,
  outer,
  info,
  interfaceName,
  advmss,
  mtu,
}: {
  readonly family: 4 | 6;
  readonly outer: number;
  readonly info: InterfaceInfo | undefined;
  readonly interfaceName: string;
  readonly advmss: number | undefined;
  readonly mtu: number | undefined;
}): Finding {
  const check = "MTU";
  const link = info?.mtu ?? 1500;
  const announced = advmss ?? Math.min(mtu ?? link, link) - TCP_HEADERS_BYTES[family];
  // Clients' own links carry 1500 bytes at most, however much is announced.
  const longest = Math.min(announced, 1500 - TCP_HEADERS_BYTES[family]) + TCP_HEADERS_BYTES[family] + outer;
  const found = `IPv${family} by ${interfaceName} (${link}): clients send ${longest - outer} bytes at most, ${longest} with the outer header`;
  if (longest <= link) return ok(check, found);
  const fitting = link - outer - TCP_HEADERS_BYTES[family];
  const command = family === 4 ? "ip" : "ip -6";
  return warning(
    check,
    `${found}, which do not fit`,
    `announce less ("${command} route change default via GATEWAY dev ${interfaceName} advmss ${fitting}"), or raise the MTU to ${longest} here and on the way from the balancer`,
  );
}

// ------------------------------------------------------------------------------------------------ addresses

function isLocal(address: IpAddress, { addresses }: BackendFacts): boolean {
  return addresses.some((own) => isSameAddress(address, ipAddress(own.address)));
}

function ipAddress(bytes: Uint8Array): IpAddress {
  return { family: bytes.length === 4 ? 4 : 6, bytes };
}

function isInSubnet(address: Uint8Array, { address: own, prefixLength }: InterfaceAddress): boolean {
  if (own.length !== address.length) return false;
  for (let bit = 0; bit < prefixLength; bit++) {
    const mask = 0x80 >> (bit & 7);
    if ((own[bit >> 3]! & mask) !== (address[bit >> 3]! & mask)) return false;
  }
  return true;
}
