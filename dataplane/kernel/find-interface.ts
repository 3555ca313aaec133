/** Network interfaces by name. */
import { libc } from "./libc.ts";
import type { NetworkInterface } from "./xdp-state.ts";

/** Of the calling thread's network namespace; undefined when there is none of that name. */
export function findInterface(name: string): NetworkInterface | undefined {
  const ifindex = name.includes("\0") ? 0 : libc().if_nametoindex(name);
  return ifindex === 0 ? undefined : { name, ifindex };
}
