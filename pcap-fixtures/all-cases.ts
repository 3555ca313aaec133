/** Every fixture case, in the order they were thought of. */
import type { FixtureCase } from "./case.ts";
import { BALANCING_CASES } from "./sources/balancing.ts";
import { ETHERNET_CASES } from "./sources/ethernet.ts";
import { FLOW_CASES } from "./sources/flows.ts";
import { FRAGMENT_CASES } from "./sources/fragments.ts";
import { ICMP_CASES } from "./sources/icmp.ts";
import { IP_CASES } from "./sources/ip.ts";
import { TOO_BIG_CASES } from "./sources/too-big.ts";

export const FIXTURE_CASES: readonly FixtureCase[] = [
  ...ETHERNET_CASES,
  ...IP_CASES,
  ...BALANCING_CASES,
  ...FLOW_CASES,
  ...FRAGMENT_CASES,
  ...ICMP_CASES,
  ...TOO_BIG_CASES,
];
