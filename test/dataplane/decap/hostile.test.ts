/** Frames that are cut or damaged: no fault, and each is counted under one reason. */
import { expect, test } from "vitest";
import { destinationOptions, ethernet } from "../../packets/frame.ts";
import { Random } from "../../packets/random.ts";
import { Decapsulator } from "./decapsulator.ts";
import { gue, INNER_IPV6, inIpv6, KINDS, TAGS, VIP_IPV4, VIP_IPV6 } from "./frames.ts";

const FRAMES = [
  ...KINDS.flatMap(({ packet }) => TAGS.map(({ tags }) => ethernet({ tags }, packet))),
  ethernet({}, inIpv6(destinationOptions(gue(INNER_IPV6)))),
];

/** Up to where a cut makes a header incomplete; what is cut behind is left to the stack, which compares lengths. */
test("a frame that is cut anywhere is decapsulated only if its headers are whole", async () => {
  const decapsulator = await Decapsulator.open({ vips: [VIP_IPV4, VIP_IPV6] });
  for (const { packet, inner } of KINDS) {
    const whole = ethernet({}, packet);
    const headersEnd = whole.length - inner.length + (inner[0]! >>> 4 === 6 ? 40 : 20);
    for (let length = 0; length <= whole.length; length++) {
      const cut = whole.slice(0, length);
      const run = decapsulator.run(cut);
      expect(run.verdict).toBe("pass");
      if (length < headersEnd) {
        expect(["not_encapsulated", "malformed_outer", "malformed_inner"]).toContain(run.reason);
        expect(run.frame).toEqual(cut);
      } else {
        expect(run.frame).toEqual(ethernet({}, inner).slice(0, length - (packet.length - inner.length)));
      }
    }
  }
});

test.for([1, 2, 3])("random damage, seed %i", async (seed) => {
  const random = new Random(seed);
  const decapsulator = await Decapsulator.open({
    vips: [VIP_IPV4, VIP_IPV6],
    sources: ["172.16.0.0/16", "100::/64"],
    dropOthers: seed === 2,
  });
  const count = 2000;
  for (let i = 0; i < count; i++) {
    const frame = Uint8Array.from(FRAMES[random.integer(0, FRAMES.length - 1)]!);
    for (let damage = random.integer(1, 4); damage > 0; damage--) {
      // Mostly in the headers.
      const at = random.integer(0, Math.min(frame.length, 110) - 1);
      if (random.unit() < 0.5) frame[at]! ^= 1 << random.integer(0, 7);
      else frame[at] = random.integer(0, 255);
    }
    const sent = random.unit() < 0.2 ? frame.slice(0, random.integer(0, frame.length)) : frame;
    const { reason, verdict, frame: after } = decapsulator.run(sent);
    // What did not come out is as it was.
    if (!/_in_/.test(reason)) expect(after, `packet ${i}: ${reason}`).toEqual(sent);
    expect(verdict === "drop", `packet ${i}: ${reason}`).toBe(/dropped$|^congested$/.test(reason));
  }
  expect(decapsulator.reasons().reduce((sum, packets) => sum + packets, 0n)).toBe(BigInt(count));
});
