/** Pinned links go by the names of interfaces, which may have been renamed since. */
import { listInterfaces } from "../../dataplane/kernel/links.ts";
import type { PinLayout } from "../../dataplane/kernel/pin-layout.ts";
import { interfaceOf } from "./network-interfaces.ts";

/**
 * Gives links the names that their interfaces have now, also when interfaces swapped names, or one took that of another that is gone. Whoever is
 * stopped in between leaves names that the next call puts right. Throws KernelError.
 */
export function followRenames(layout: PinLayout): void {
  const interfaces = listInterfaces();
  const links = layout.readLinks();
  const moves = links.flatMap((link) => {
    const now = interfaceOf(link, interfaces)?.name;
    return now === undefined || now === link.interface ? [] : [{ from: link.interface, to: now }];
  });
  const leaving = new Set(moves.map(({ from }) => from));
  // A link that is alive and cannot be seen from here is on an interface of another network namespace.
  const staying = new Set(
    links
      .filter(({ interface: name, ifindex }) => ifindex !== 0 && !leaving.has(name))
      .map((link) => link.interface),
  );
  const possible = moves.filter(({ to }) => !staying.has(to));
  for (const { from } of possible) layout.renameLink(from, onTheWay(from));
  for (const { from, to } of possible) layout.renameLink(onTheWay(from), to);
}

/** No interface has a name with a space (dev_valid_name in net/core/dev.c, Linux 6.18). */
function onTheWay(name: string): string {
  return `${name} renamed`;
}
