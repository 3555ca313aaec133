import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Memory } from "../../../dataplane/vm/memory.ts";
import { XDP_PACKET_HEADROOM, XdpBuffer } from "../../../dataplane/vm/xdp-buffer.ts";

const FROM = { ingressIfindex: 2, rxQueueIndex: 1 };

// What the helpers' limits are is in the corpus (xdp.txt), and compared with the kernel's (kernel.test.ts).
describe("loading", () => {
  test.for([0, 1, 13, 14, 1514, 3520])("a frame of %i bytes comes out as it went in", (size) => {
    const buffer = new XdpBuffer(new Memory());
    const frame = Uint8Array.from({ length: size }, (_, i) => i * 7);
    buffer.load(frame, FROM);
    expect(buffer.frame).toEqual(frame);
    expect(buffer.metadata).toHaveLength(0);
    expect(buffer.data - buffer.bufferStart).toBe(XDP_PACKET_HEADROOM);
  });

  test("a frame of more than 3520 bytes does not fit the kernel's buffer", () => {
    const buffer = new XdpBuffer(new Memory());
    expect(buffer.frameBytesMax).toBe(3520);
    expect(() => buffer.load(new Uint8Array(3521), FROM)).toThrow(RangeError);
  });

  test("a larger buffer takes what offloads make of packets", () => {
    const buffer = new XdpBuffer(new Memory(), 65536 + 256 + 320);
    const frame = new Uint8Array(65536).fill(7);
    buffer.load(frame, FROM);
    expect(buffer.frame).toEqual(frame);
  });

  test("a buffer without room for a frame is refused", () => {
    expect(() => new XdpBuffer(new Memory(), 256 + 320 + 13)).toThrow(RangeError);
  });

  test("nothing of a frame before is left in the headroom", () => {
    const buffer = new XdpBuffer(new Memory());
    buffer.load(new Uint8Array(60).fill(0xa5), FROM);
    buffer.adjustHead(-100);
    buffer.frame.fill(0x5a);
    buffer.load(new Uint8Array(60), FROM);
    buffer.adjustHead(-216);
    expect(buffer.frame).toEqual(new Uint8Array(276));
  });
});

test("whatever is adjusted, the edges stay in order and inside the buffer", () => {
  const step = fc.record({
    edge: fc.constantFrom("adjustHead", "adjustTail", "adjustMeta"),
    offset: fc.oneof(fc.integer({ min: -300, max: 300 }), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
  } as const);
  fc.assert(
    fc.property(fc.nat(200), fc.array(step, { maxLength: 30 }), (size, steps) => {
      const buffer = new XdpBuffer(new Memory());
      buffer.load(new Uint8Array(size), FROM);
      for (const { edge, offset } of steps) {
        const before = [buffer.dataMeta, buffer.data, buffer.dataEnd];
        const result = buffer[edge](offset);
        const after = [buffer.dataMeta, buffer.data, buffer.dataEnd];
        expect([0, -22, -13]).toContain(result);
        if (result !== 0) expect(after).toEqual(before);
        else if (edge !== "adjustMeta") expect(buffer.lengthBytes).toBeGreaterThanOrEqual(14);
        expect(buffer.dataMeta).toBeGreaterThanOrEqual(buffer.bufferStart + 40);
        expect(buffer.dataMeta).toBeLessThanOrEqual(buffer.data);
        expect(buffer.data).toBeLessThanOrEqual(buffer.dataEnd);
        expect(buffer.dataEnd).toBeLessThanOrEqual(buffer.bufferEnd - 320);
        expect(buffer.data - buffer.dataMeta).toBeLessThanOrEqual(252);
      }
    }),
  );
});
