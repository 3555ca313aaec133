/**
 * Why packets end as they do: the closed list that reports, metrics and fixtures use, in words. The numbers are the program's
 * (enum reason, dataplane/xdp/reasons.h); a test holds this table against what is generated from it, so that a new
 * reason cannot stay without a verdict and a meaning. schemas/reasons.json is made from this table.
 */
export type VerdictName = "pass" | "drop" | "tx" | "redirect" | "aborted";

export interface ReasonFacts {
  /** A reason always goes with the same verdict. */
  readonly verdict: VerdictName;
  /** For people: one line of a table, so short, and what tells reasons apart first. Forwarded to a backend: only said to which. */
  readonly meaning: string;
}

/** In the program's order: REASONS[name] stands at the place that the reason's number says. */
export const REASONS = {
  internal_error: {
    verdict: "aborted",
    meaning: "a map that the program needs is missing: not on a programmed dataplane",
  },

  not_ip: { verdict: "pass", meaning: "neither IPv4 nor IPv6, or more than two VLAN tags" },
  not_vip: { verdict: "pass", meaning: "TCP or UDP to an address and port that no VIP has" },
  not_vip_malformed: {
    verdict: "pass",
    meaning: "malformed, and not addressed to a VIP as far as can be read",
  },
  not_vip_fragment: {
    verdict: "pass",
    meaning: "a fragment that no VIP claims",
  },
  other_protocol: { verdict: "pass", meaning: "neither TCP, UDP nor ICMP" },
  other_icmp: {
    verdict: "pass",
    meaning: "ICMP, neither an error about a VIP's flow nor an answered echo request",
  },

  flow_hit: { verdict: "tx", meaning: "to the backend that the flow table remembers" },
  flow_new: { verdict: "tx", meaning: "to a backend from the ring, and remembered" },
  flow_bypass: {
    verdict: "tx",
    meaning: "from the ring, not remembered: the VIP bypasses the table, or an RST",
  },
  flow_table_full: {
    verdict: "tx",
    meaning: "from the ring, not remembered: live flows hold every place",
  },
  flow_rate_limited: {
    verdict: "tx",
    meaning: "from the ring, not remembered: over newFlowsPerSecondPerCpu",
  },
  fragment_hit: {
    verdict: "tx",
    meaning: "a fragment, to the backend of its datagram's first fragment seen",
  },
  fragment_guessed: {
    verdict: "tx",
    meaning: "a fragment first seen and without ports, to the VIP of the lowest port",
  },
  icmp_error: {
    verdict: "tx",
    meaning: "an ICMP error, to the backend that owns the flow it quotes",
  },

  echo_reply: { verdict: "tx", meaning: "an echo request, answered" },
  too_big_reply: {
    verdict: "tx",
    meaning: "over maxFrameBytes or mtu; answered with ICMP that says so",
  },

  malformed_ethernet: { verdict: "drop", meaning: "cut in the Ethernet header or its VLAN tags" },
  malformed_ipv4: { verdict: "drop", meaning: "an IPv4 header that is cut or cannot be true" },
  malformed_ipv6: {
    verdict: "drop",
    meaning: "an IPv6 or extension header that is cut or cannot be true, or too many",
  },
  malformed_tcp: { verdict: "drop", meaning: "a TCP header that is cut or cannot be true" },
  malformed_udp: { verdict: "drop", meaning: "a UDP header that is cut or cannot be true" },
  malformed_icmp: {
    verdict: "drop",
    meaning: "an ICMP header or quoted packet that is cut or cannot be true",
  },
  ip_options: { verdict: "drop", meaning: "IPv4 options, where ipOptions says drop" },
  fragment: { verdict: "drop", meaning: "a fragment, where fragments says drop" },
  no_backend: {
    verdict: "drop",
    meaning: "no backend of the VIP takes new flows, and the flow is not known",
  },
  too_big: { verdict: "drop", meaning: "over maxFrameBytes or mtu, and not answered" },
  no_headroom: { verdict: "drop", meaning: "no room before the frame for the outer header" },
  no_gateway: { verdict: "drop", meaning: "the next hop's MAC address is not known" },
} as const;

REASONS satisfies { readonly [name: string]: ReasonFacts };

export type ReasonName = keyof typeof REASONS;

/** Ordered by the reasons' numbers. */
export const REASON_NAMES: readonly ReasonName[] = Object.keys(REASONS) as ReasonName[];
