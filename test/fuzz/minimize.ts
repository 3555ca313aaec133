/** From a history of packets that ends in a difference to the fewest that still do: halves, quarters, ... are left out while they can be. */

/** How often a shorter history is tried at most; each try is a dataplane of its own. */
const TRIES_MAX = 80;

/**
 * `fails` says whether a history ends in a difference; it is asked about ever shorter ones, all of which end in the same last packet.
 * Undefined when the whole history does not fail either, because it takes something from before it.
 */
export async function minimize<Item>(
  history: readonly Item[],
  fails: (history: readonly Item[]) => Promise<boolean>,
): Promise<readonly Item[] | undefined> {
  const last = history.slice(-1);
  if (await fails(last)) return last;
  if (!(await fails(history))) return undefined;

  let before = history.slice(0, -1);
  let tries = 0;
  for (let chunk = Math.ceil(before.length / 2); chunk >= 1 && tries < TRIES_MAX; ) {
    let hasShrunk = false;
    for (let start = 0; start < before.length && tries < TRIES_MAX; tries++) {
      const shorter = [...before.slice(0, start), ...before.slice(start + chunk)];
      if (await fails([...shorter, ...last])) {
        before = shorter;
        hasShrunk = true;
      } else start += chunk;
    }
    if (!hasShrunk && chunk === 1) break;
    chunk = Math.max(1, Math.floor(chunk / 2));
  }
  return [...before, ...last];
}
