/** A next hop that changes while it is watched. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { formatIpBytes, formatMacBytes } from "../../../dataplane/kernel/ip-bytes.ts";
import { KernelError } from "../../../dataplane/kernel/kernel-error.ts";
import type { NextHop } from "../../../dataplane/kernel/next-hop.ts";
import { type NextHopWatch, watchNextHop } from "../../../dataplane/kernel/watch-next-hop.ts";
import { lacks, namespaces } from "../../needs.ts";
import { Namespaces } from "./namespaces.ts";

describe.skipIf(lacks("watching next hops", namespaces))("watching a next hop", () => {
  const network = new Namespaces("watch");
  let watch: NextHopWatch | undefined;
  let answers: (NextHop | KernelError)[];
  let arrived: () => void;

  beforeEach(() => {
    network.add("lb");
    network.add("rt");
    network.ipLines(
      "lb",
      `link add e0 type veth peer name r0 address 02:00:00:00:01:01 netns @rt
       link set e0 up
       addr add 10.1.0.2/24 dev e0`,
    );
    network.ipLines(
      "rt",
      `addr add 10.1.0.1/24 dev r0
       link set r0 up`,
    );
    network.ipLines("lb", "route add default via 10.1.0.1");
    network.enter("lb");
    answers = [];
    arrived = () => {};
  });
  afterEach(() => {
    watch?.close();
    watch = undefined;
    network.remove();
  });

  function start(): void {
    watch = watchNextHop("e0", [], {
      settleMs: 1,
      confirmMs: 60_000,
      onChange: (answer) => {
        answers.push(answer);
        arrived();
      },
    });
  }

  /** The answer after `count` others. */
  async function answer(count: number): Promise<NextHop | KernelError> {
    while (answers.length <= count) {
      // What keeps the process alive while nothing happens.
      const waiting = setInterval(() => {}, 1000);
      await new Promise<void>((resolve) => {
        arrived = resolve;
      });
      clearInterval(waiting);
    }
    return answers[count]!;
  }

  test("the first answer, then a gateway that changed its MAC", async () => {
    start();
    expect(shown(await answer(0))).toMatchObject({ mac: "02:00:00:00:01:01", address: "10.1.0.1" });
    // As a router that takes over: it announces the address with its own MAC.
    network.ipLines(
      "rt",
      `link set r0 address 02:00:00:00:01:99
       neigh flush dev r0`,
    );
    network.ipLines("lb", "neigh replace 10.1.0.1 lladdr 02:00:00:00:01:99 dev e0 nud reachable");
    expect(shown(await answer(1))).toMatchObject({ mac: "02:00:00:00:01:99", address: "10.1.0.1" });
  });

  test("an entry that is forgotten is asked for again", async () => {
    start();
    await answer(0);
    network.ipLines("rt", "link set r0 address 02:00:00:00:01:77");
    network.ipLines("lb", "neigh del 10.1.0.1 dev e0");
    expect(shown(await answer(1))).toMatchObject({ mac: "02:00:00:00:01:77" });
  });

  test("a route that changes, goes and comes back", async () => {
    start();
    await answer(0);
    network.ipLines("rt", "addr add 10.1.0.3/24 dev r0");
    network.ipLines("lb", "route replace default via 10.1.0.3 mtu 1400");
    expect(shown(await answer(1))).toMatchObject({ address: "10.1.0.3", mtu: 1400 });

    network.ipLines("lb", "route del default");
    const error = await answer(2);
    expect(error).toBeInstanceOf(KernelError);
    expect((error as KernelError).message).toContain("no default route");

    network.ipLines("lb", "route add default via 10.1.0.1");
    expect(shown(await answer(3))).toMatchObject({ address: "10.1.0.1", mtu: 1500 });
  });

  test("an interface that goes away is told as an error", async () => {
    start();
    await answer(0);
    network.ipLines("lb", "link del e0");
    expect(await answer(1)).toMatchObject({ code: expect.stringMatching(/no-interface|not-found/) });
  });

  test("nothing comes after close, and closing again is harmless", async () => {
    start();
    await answer(0);
    watch!.close();
    watch!.close();
    network.ipLines("lb", "route del default");
    // Time enough for what would come.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(answers).toHaveLength(1);
  });
});

function shown(answer: NextHop | KernelError): object {
  if (answer instanceof KernelError) throw answer;
  return { ...answer, mac: formatMacBytes(answer.mac), address: formatIpBytes(answer.address) };
}
