import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type FaultRates, FaultyWire } from "../../../dataplane/nic/faulty-wire.ts";
import { RecordingWire } from "../../../dataplane/nic/wire.ts";
import { seededRandom } from "../../../dataplane/vm/random.ts";

/** Sends frames 0, 1, 2, ... of 16 bytes each through a faulty wire. */
function send(rates: FaultRates, count: number, seed = 1): { wire: FaultyWire; received: RecordingWire } {
  const received = new RecordingWire();
  const wire = new FaultyWire(received, { rates, random: seededRandom(seed) });
  // One buffer for all of them: a wire must not keep what it was lent.
  const frame = new Uint8Array(16);
  for (let i = 0; i < count; i++) {
    frame.fill(i & 0xff);
    wire.transmit(frame, BigInt(i));
  }
  wire.flush();
  return { wire, received };
}

const NONE = { lost: 0, duplicated: 0, reordered: 0, truncated: 0, corrupted: 0 };
const order = (received: RecordingWire): number[] =>
  received.frames.map(({ timestampNs }) => Number(timestampNs));

describe("with one fault for certain", () => {
  test("no rates: every frame arrives as it was", () => {
    const { wire, received } = send({}, 20);
    expect(received.frames.map(({ bytes }) => [...bytes])).toEqual(
      Array.from({ length: 20 }, (_, i) => new Array(16).fill(i)),
    );
    expect(wire.counts).toEqual(NONE);
  });

  test("loss: nothing arrives", () => {
    const { wire, received } = send({ loss: 1 }, 20);
    expect(received.frames).toEqual([]);
    expect(wire.counts).toEqual({ ...NONE, lost: 20 });
  });

  test("duplication: everything arrives twice", () => {
    const { wire, received } = send({ duplication: 1 }, 3);
    expect(order(received)).toEqual([0, 0, 1, 1, 2, 2]);
    expect(wire.counts).toEqual({ ...NONE, duplicated: 3 });
  });

  test("truncation: frames arrive shorter, but not empty", () => {
    const { wire, received } = send({ truncation: 1 }, 50);
    for (const { bytes } of received.frames) {
      expect(bytes.length).toBeGreaterThan(0);
      expect(bytes.length).toBeLessThan(16);
    }
    expect(wire.counts).toEqual({ ...NONE, truncated: 50 });
  });

  test("corruption: one bit is other than it was", () => {
    const { wire, received } = send({ corruption: 1 }, 50);
    received.frames.forEach(({ bytes }, i) => {
      const turned = [...bytes].map((byte) => (byte ^ i).toString(2).replaceAll("0", "").length);
      expect(turned.reduce((sum, bits) => sum + bits, 0)).toBe(1);
    });
    expect(wire.counts).toEqual({ ...NONE, corrupted: 50 });
  });

  test("reordering: a frame held back arrives when three have overtaken it", () => {
    const received = new RecordingWire();
    // Only the first frame's draw for reordering, the third of seven numbers, falls below the rate.
    let drawn = 0;
    const random = (): number => (drawn++ === 2 ? 0 : 0xffff_ffff);
    const wire = new FaultyWire(received, { rates: { reordering: 0.5 }, random });
    for (let i = 0; i < 6; i++) wire.transmit(Uint8Array.of(i), BigInt(i));
    expect(order(received)).toEqual([1, 2, 3, 0, 4, 5]);
  });
});

test("what is sent arrives, but for what was counted as lost and twice", () => {
  const rate = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(
      fc.record({ loss: rate, duplication: rate, reordering: rate, truncation: rate, corruption: rate }),
      fc.nat({ max: 200 }),
      fc.nat(),
      (rates, count, seed) => {
        const { wire, received } = send(rates, count, seed);
        const { lost, duplicated } = wire.counts;
        expect(received.frames).toHaveLength(count - lost + duplicated);
        expect(send(rates, count, seed).received.frames).toEqual(received.frames);
      },
    ),
  );
});

test("a frame that is held back keeps its bytes, though the sender uses its buffer again", () => {
  const { received } = send({ reordering: 0.5 }, 200);
  for (const { bytes, timestampNs } of received.frames)
    expect([...bytes]).toEqual(new Array(16).fill(Number(timestampNs)));
});

test("rates come out as they were asked for", () => {
  const { wire } = send({ loss: 0.1, corruption: 0.5 }, 20_000);
  expect(wire.counts.lost / 20_000).toBeCloseTo(0.1, 1);
  expect(wire.counts.corrupted / (20_000 - wire.counts.lost)).toBeCloseTo(0.5, 1);
});

test("one rate does not move where the other faults fall", () => {
  const plain = send({ loss: 0.2 }, 500);
  const noisy = send({ loss: 0.2, corruption: 0.7 }, 500);
  expect(order(noisy.received)).toEqual(order(plain.received));
});

test.for([-0.1, 1.1, Number.NaN])("a rate of %s is refused", (loss) => {
  expect(() => new FaultyWire(new RecordingWire(), { rates: { loss }, random: () => 0 })).toThrow(/loss/);
});
