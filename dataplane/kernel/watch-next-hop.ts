/**
 * Keeps an interface's next hop fresh: whenever the kernel tells of a change to links, neighbours or routes, it is resolved again, and who watches is told when
 * the answer is another.
 */
import { formatIpBytes, formatMacBytes, type IpBytes } from "./ip-bytes.ts";
import { KernelError } from "./kernel-error.ts";
import { pollDescriptor } from "./native.ts";
import { NetlinkListener } from "./netlink.ts";
import { type NextHop, type NextHopOptions, resolveNextHop } from "./next-hop.ts";

/** include/uapi/linux/rtnetlink.h */
const RTNLGRP_LINK = 1;
const RTNLGRP_NEIGH = 3;
const RTNLGRP_IPV4_ROUTE = 7;
const RTNLGRP_IPV6_ROUTE = 11;

export interface NextHopWatch {
  /** Again is harmless; no call comes after it. */
  close(): void;
}

export interface WatchOptions extends NextHopOptions {
  /** Called with the first answer, and then with each that differs from the one before. */
  readonly onChange: (answer: NextHop | KernelError) => void;
  /**
   * How often the neighbour is asked for when nothing changes. Nothing on this host sends to it but the program, which the kernel does not see, so that its
   * entry would go stale and be forgotten.
   */
  readonly confirmMs?: number;
  /** Changes come in bursts; they are waited out for so long. */
  readonly settleMs?: number;
}

const CONFIRM_MS = 30_000;
const SETTLE_MS = 200;

/** In the network namespace that the calling thread is in, and stays in. Throws KernelError when the kernel cannot be listened to. */
export function watchNextHop(
  interfaceName: string,
  destinations: readonly IpBytes[],
  { onChange, confirmMs = CONFIRM_MS, settleMs = SETTLE_MS, ...options }: WatchOptions,
): NextHopWatch {
  const listener = new NetlinkListener("route", [
    RTNLGRP_LINK,
    RTNLGRP_NEIGH,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV6_ROUTE,
  ]);
  let isClosed = false;
  let isResolving = false;
  let isAskedAgain = false;
  let last: string | undefined;
  let settling: NodeJS.Timeout | undefined;

  const resolve = async (): Promise<void> => {
    if (isResolving) {
      isAskedAgain = true;
      return;
    }
    isResolving = true;
    let answer: NextHop | KernelError;
    try {
      answer = await resolveNextHop(interfaceName, destinations, { ...options, isConfirmed: true });
    } catch (error) {
      answer =
        error instanceof KernelError
          ? error
          : new KernelError("io", `next hop of "${interfaceName}"`, String(error), { cause: error });
    }
    isResolving = false;
    if (isClosed) return;
    const key = fingerprint(answer);
    if (key !== last) {
      last = key;
      onChange(answer);
    }
    if (isAskedAgain && !isClosed) {
      isAskedAgain = false;
      soon();
    }
  };
  const soon = (): void => {
    settling ??= setTimeout(() => {
      settling = undefined;
      void resolve();
    }, settleMs);
    settling.unref();
  };

  const polling = pollDescriptor(listener.descriptor, () => {
    // What changed does not matter: the tables are looked at again. Also when some of it was lost, or made no sense.
    if (hasNews(listener)) soon();
  });
  const confirming = setInterval(() => void resolve(), confirmMs);
  confirming.unref();
  void resolve();
  return {
    close(): void {
      if (isClosed) return;
      isClosed = true;
      clearInterval(confirming);
      clearTimeout(settling);
      polling.close();
      listener.close();
    },
  };
}

function hasNews(listener: NetlinkListener): boolean {
  try {
    const messages = listener.read();
    return messages === "lost" || messages.length > 0;
  } catch (error) {
    // Nobody could catch it here, on the event loop.
    if (error instanceof KernelError) return true;
    throw error;
  }
}

/** What a watcher would act on: not the neighbour's state, which comes and goes. */
function fingerprint(answer: NextHop | KernelError): string {
  if (answer instanceof KernelError) return `${answer.code} ${answer.message}`;
  const { ifindex, mac, address, egress, mtu, via } = answer;
  return [ifindex, formatMacBytes(mac), formatIpBytes(address), egress, mtu, via].join(" ");
}
