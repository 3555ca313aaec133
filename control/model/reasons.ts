/**
 * Why packets end as they do: the closed list that reports, metrics and fixtures use, in words. The numbers are the program's
 * (enum reason, dataplane/xdp/reasons.h); a test holds this table against what is generated from it, so that a new
 * reason cannot stay without a verdict and a meaning. schemas/reasons.json is made from this table.
 */
export type VerdictName = "pass" | "drop" | "tx" | "redirect" | "aborted";

export interface ReasonFacts {
  /** A reason always goes with the same verdict. */
  readonly verdict: VerdictName;
  /** One line for people. */
  readonly meaning: string;
}

/** In the program's order: REASONS[name] stands at the place that the reason's number says. */
export const REASONS = {
  internal_error: {
    verdict: "aborted",
    meaning: "a map that the program needs is missing; never seen on a programmed dataplane",
  },

  not_ip: { verdict: "pass", meaning: "neither IPv4 nor IPv6, or more than two VLAN tags" },
  not_vip: { verdict: "pass", meaning: "TCP or UDP to an address and port that no VIP has" },
  not_vip_malformed: {
    verdict: "pass",
    meaning: "malformed, and not addressed to a VIP as far as can be read",
  },
  not_vip_fragment: {
    verdict: "pass",
    meaning: "a fragment, or a packet with IP options, that no VIP claims",
  },
  other_protocol: { verdict: "pass", meaning: "neither TCP, UDP nor ICMP" },
  other_icmp: {
    verdict: "pass",
    meaning: "ICMP that is neither an error about a VIP's flow nor an echo request that is answered",
  },

  flow_hit: { verdict: "tx", meaning: "forwarded to the backend that the flow table remembers" },
  flow_new: { verdict: "tx", meaning: "forwarded to a backend chosen from the ring, and remembered" },
  flow_bypass: {
    verdict: "tx",
    meaning: "forwarded to a backend chosen from the ring; not remembered, as the VIP or an RST asks",
  },
  flow_table_full: {
    verdict: "tx",
    meaning: "forwarded to a backend chosen from the ring; not remembered, as live flows hold every place",
  },
  flow_rate_limited: {
    verdict: "tx",
    meaning:
      "forwarded to a backend chosen from the ring; not remembered, as newFlowsPerSecondPerCpu is exceeded",
  },
  fragment_hit: {
    verdict: "tx",
    meaning: "a fragment, forwarded to the backend of its datagram's first fragment seen",
  },
  fragment_guessed: {
    verdict: "tx",
    meaning:
      "the first fragment seen of its datagram, without ports: forwarded for the VIP with the lowest port",
  },
  icmp_error: {
    verdict: "tx",
    meaning: "an ICMP error, forwarded to the backend that owns the flow it quotes",
  },

  echo_reply: { verdict: "tx", meaning: "an echo request, answered" },
  too_big_reply: {
    verdict: "tx",
    meaning:
      "larger than maxFrameBytes or mtu allow, answered with ICMP fragmentation needed or packet too big",
  },

  malformed_ethernet: { verdict: "drop", meaning: "cut in the Ethernet header or its VLAN tags" },
  malformed_ipv4: { verdict: "drop", meaning: "an IPv4 header that is cut or cannot be true" },
  malformed_ipv6: {
    verdict: "drop",
    meaning: "an IPv6 header or extension header that is cut or cannot be true, or too many of them",
  },
  malformed_tcp: { verdict: "drop", meaning: "a TCP header that is cut or cannot be true" },
  malformed_udp: { verdict: "drop", meaning: "a UDP header that is cut or cannot be true" },
  malformed_icmp: {
    verdict: "drop",
    meaning: "an ICMP header, or the packet that an ICMP error quotes, that is cut or cannot be true",
  },
  ip_options: { verdict: "drop", meaning: "IPv4 options, where ipOptions says drop" },
  fragment: { verdict: "drop", meaning: "a fragment, where fragments says drop" },
  no_backend: {
    verdict: "drop",
    meaning: "the VIP has no backend that takes new flows, and the flow is not known",
  },
  too_big: { verdict: "drop", meaning: "larger than maxFrameBytes or mtu allow, and not answered" },
  no_headroom: { verdict: "drop", meaning: "no room before the frame for the outer header" },
} as const;

REASONS satisfies { readonly [name: string]: ReasonFacts };

export type ReasonName = keyof typeof REASONS;

/** Ordered by the reasons' numbers. */
export const REASON_NAMES: readonly ReasonName[] = Object.keys(REASONS) as ReasonName[];
