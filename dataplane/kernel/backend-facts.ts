/** What matters on a host that takes encapsulated packets for a VIP and answers clients itself. */
import { type InterfaceAddress, listAddresses } from "./addresses.ts";
import { type InterfaceSysctls, readInterfaceSysctls } from "./interface-facts.ts";
import type { InterfaceInfo } from "./links.ts";
import { withNetlink } from "./netlink.ts";
import { type PinnedFacts, readPinned } from "./pinned-facts.ts";
import { findDefaultRoute, type Route } from "./routes.ts";

export interface BackendFacts {
  /** Every interface of the host. */
  readonly interfaces: readonly InterfaceInfo[];
  /** Those that packets come in by. */
  readonly ingress: readonly InterfaceInfo[];
  readonly addresses: readonly InterfaceAddress[];
  readonly decapsulation: PinnedFacts;
  /** By name, of ingress interfaces and tunnels. */
  readonly sysctls: ReadonlyMap<string, InterfaceSysctls>;
  readonly defaultRoutes: readonly { readonly interfaceName: string; readonly route: Route }[];
}

/** Devices that decapsulate what the program sends (drivers/net/ipip.c, sit.c, ip6_tunnel.c of net/ipv4 and net/ipv6). */
export const TUNNEL_DEVICE_KINDS: ReadonlySet<string> = new Set(["ipip", "sit", "ip6tnl"]);

/** Throws KernelError. */
export function readBackendFacts(
  interfaces: readonly InterfaceInfo[],
  ingress: readonly InterfaceInfo[],
  pinDirectory: string,
): BackendFacts {
  const tunnels = interfaces.filter(({ kind }) => TUNNEL_DEVICE_KINDS.has(kind ?? ""));
  return {
    interfaces,
    ingress,
    addresses: listAddresses(),
    decapsulation: readPinned(pinDirectory),
    sysctls: new Map([...ingress, ...tunnels].map(({ name }) => [name, readInterfaceSysctls(name)])),
    defaultRoutes: listDefaultRoutes(interfaces),
  };
}

/** The best default route of each family through each interface that is up. Throws KernelError. */
export function listDefaultRoutes(
  interfaces: readonly InterfaceInfo[],
): { readonly interfaceName: string; readonly route: Route }[] {
  return interfaces
    .filter(({ isUp, isLoopback }) => isUp && !isLoopback)
    .flatMap(({ name, ifindex }) =>
      ([4, 6] as const).flatMap((family) => {
        const route = withNetlink("route", (socket) => findDefaultRoute(socket, { family, ifindex }));
        return route === undefined ? [] : [{ interfaceName: name, route }];
      }),
    );
}
