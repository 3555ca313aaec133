/**
 * The routes that bpf_fib_lookup answers from: what a host's routing and neighbour tables would say, as the harness gives it.
 * The longest matching prefix decides; of two equal ones the first.
 */
export interface FibRoute {
  /** 4 or 16 bytes, in the order of the wire. */
  readonly address: Uint8Array;
  readonly prefixBits: number;
  readonly next: FibNext;
}

export type FibNext =
  | {
      readonly kind: "forward";
      readonly ifindex: number;
      /** Of that interface. */
      readonly sourceMac: Uint8Array;
      /** Of the next hop; undefined: not resolved. */
      readonly destinationMac: Uint8Array | undefined;
      /** 4 or 16 bytes; left out where the destination is on the link. */
      readonly gateway?: Uint8Array;
      /** What BPF_FIB_LOOKUP_SRC asks for; as long as the route's address. */
      readonly preferredSource?: Uint8Array;
      /** Largest IP packet. */
      readonly mtu: number;
      readonly metric?: number;
    }
  /** local: an address of the host itself. */
  | { readonly kind: "blackhole" | "unreachable" | "prohibit" | "local" };

export class FibTable {
  readonly #routes: readonly FibRoute[];

  /** Throws RangeError when a route's sizes cannot be. */
  constructor(routes: readonly FibRoute[]) {
    for (const { address, prefixBits, next } of routes) {
      const isAddress = address.length === 4 || address.length === 16;
      if (!isAddress || !Number.isInteger(prefixBits) || prefixBits < 0 || prefixBits > address.length * 8) {
        throw new RangeError(
          `route to ${address.length} bytes / ${prefixBits}, expected 4 bytes / 0 to 32 or 16 bytes / 0 to 128`,
        );
      }
      if (next.kind !== "forward") continue;
      const macs = [next.sourceMac, next.destinationMac ?? next.sourceMac];
      if (macs.some((mac) => mac.length !== 6)) throw new RangeError("route with a MAC that has not 6 bytes");
    }
    this.#routes = routes.toSorted((a, b) => b.prefixBits - a.prefixBits);
  }

  lookup(address: Uint8Array): FibNext | undefined {
    return this.#routes.find((route) => covers(route, address))?.next;
  }
}

function covers(route: FibRoute, address: Uint8Array): boolean {
  if (route.address.length !== address.length) return false;
  for (let bit = 0; bit < route.prefixBits; bit += 8) {
    const mask = 0xff00 >> Math.min(route.prefixBits - bit, 8);
    if (((route.address[bit / 8]! ^ address[bit / 8]!) & mask & 0xff) !== 0) return false;
  }
  return true;
}
