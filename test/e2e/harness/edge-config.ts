/** Configs for the network of these tests: a VIP for each kind of service and each encapsulation. */
import {
  type EdgeBackend,
  HTTP_PORTS,
  SECOND_VIP4,
  SECOND_VIP6,
  TCP_ECHO_PORTS,
  UDP_ECHO_PORTS,
  VIP4,
  VIP6,
} from "./edge-network.ts";

export interface EdgeConfig {
  readonly version: 1;
  readonly capacity: Readonly<Record<string, number>>;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly vips: readonly EdgeVip[];
}

interface EdgeVip {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: "tcp" | "udp";
  readonly backends: readonly { readonly address: string; readonly weight: number; readonly state: string }[];
}

/** How a backend is configured; absent: weight 1 and active. */
export interface BackendChoice {
  readonly weight?: number;
  readonly state?: "active" | "draining" | "down";
}

export interface Encapsulation {
  readonly encapsulation: string;
  /** Where clients go. */
  readonly vip: typeof VIP4 | typeof VIP6;
  /** By which addresses backends are configured. */
  readonly carrier: "ipv4" | "ipv6";
  /** Which of a service's ports stands for it. */
  readonly variant: 0 | 1;
}

/** The four ways that IP is carried in IP. */
export const ENCAPSULATIONS: readonly [Encapsulation, Encapsulation, Encapsulation, Encapsulation] = [
  { encapsulation: "4in4", vip: VIP4, carrier: "ipv4", variant: 0 },
  { encapsulation: "6in6", vip: VIP6, carrier: "ipv6", variant: 0 },
  { encapsulation: "4in6", vip: VIP4, carrier: "ipv6", variant: 1 },
  { encapsulation: "6in4", vip: VIP6, carrier: "ipv4", variant: 1 },
];

const SECOND = { [VIP4]: SECOND_VIP4, [VIP6]: SECOND_VIP6 } as const;

/** Few flows and VIPs, as each test has maps of its own. */
const CAPACITY = { vips: 64, backends: 64, flowsPerCpu: 16_384 };

/**
 * Every service at every VIP, over the given backends. `choose` says how a backend is configured, and leaves it out by null.
 */
export function edgeConfig(
  backends: readonly EdgeBackend[],
  choose: (backend: EdgeBackend) => BackendChoice | null = () => ({}),
  settings: EdgeConfig["settings"] = {},
): EdgeConfig {
  const services = [
    { service: "http", protocol: "tcp", ports: HTTP_PORTS },
    { service: "echo", protocol: "tcp", ports: TCP_ECHO_PORTS },
    { service: "echo", protocol: "udp", ports: UDP_ECHO_PORTS },
  ] as const;
  const vips = ENCAPSULATIONS.flatMap(({ encapsulation, vip, carrier, variant }) =>
    [vip, SECOND[vip]].flatMap((address) =>
      services.map(({ service, protocol, ports }) => ({
        name: `${service} ${protocol} ${encapsulation} ${address}`,
        address,
        port: ports[variant],
        protocol,
        backends: backends.flatMap((backend) => {
          const choice = choose(backend);
          if (choice === null) return [];
          const { weight = 1, state = "active" } = choice;
          return [{ address: backend[carrier], weight, state }];
        }),
      })),
    ),
  );
  return { version: 1, capacity: CAPACITY, settings, vips };
}
