/** Netlink messages as bytes: what the kernel sends, and what it never would. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeAddress } from "../../../dataplane/kernel/addresses.ts";
import { IS_LITTLE_ENDIAN } from "../../../dataplane/kernel/host-order.ts";
import { KernelError } from "../../../dataplane/kernel/kernel-error.ts";
import { decodeLink } from "../../../dataplane/kernel/links.ts";
import { decodeNeighbour } from "../../../dataplane/kernel/neighbours.ts";
import {
  attributeList,
  attributesBehind,
  emitMessage,
  emitPayload,
  NLMSG_DONE,
  NLMSG_ERROR,
  parseAcknowledgement,
  parseAttributes,
  parseMessages,
  readText,
  readU32,
  u32Attribute,
} from "../../../dataplane/kernel/netlink-message.ts";
import { decodeRoute } from "../../../dataplane/kernel/routes.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`);

test("a message that was written is read again, padding left out", () => {
  const payload = Uint8Array.of(1, 2, 3, 4, 5);
  const bytes = emitMessage({ type: 18, flags: 0x301, sequence: 0x01020304, payload });
  expect(bytes.length).toBe(24);
  expect(parseMessages(bytes)).toEqual([{ type: 18, flags: 0x301, sequence: 0x01020304, port: 0, payload }]);
});

test("several messages of a datagram are read in their order", () => {
  const one = emitMessage({ type: 16, flags: 0, sequence: 1, payload: Uint8Array.of(1) });
  const two = emitMessage({ type: 3, flags: 2, sequence: 1, payload: new Uint8Array(4) });
  expect(parseMessages(Buffer.concat([one, two])).map(({ type }) => type)).toEqual([16, 3]);
});

test("the last message of a datagram may go without its padding", () => {
  const bytes = emitMessage({ type: 16, flags: 0, sequence: 1, payload: Uint8Array.of(1) });
  expect(parseMessages(bytes.subarray(0, 17))[0]?.payload).toEqual(Uint8Array.of(1));
});

test.for([
  { name: "shorter than a header", bytes: new Uint8Array(15), words: "byte 0 of 15" },
  { name: "with a length of nothing", bytes: new Uint8Array(16), words: "length of 0" },
  {
    name: "with a length beyond its end",
    bytes: emitMessage({ type: 16, flags: 0, sequence: 1, payload: new Uint8Array(8) }).subarray(0, 20),
    words: "length of 24, expected 16 to 20",
  },
])("a message $name is an error that says where", ({ bytes, words }) => {
  expect(() => parseMessages(bytes)).toThrow(KernelError);
  expect(() => parseMessages(bytes)).toThrow(words);
});

describe("attributes", () => {
  const payload = emitPayload(Uint8Array.of(9, 9), [
    [3, text("e0")],
    [4, u32Attribute(1500)],
    [3 | 0x8000, text("e1")],
  ]);

  test("what was written is read again, behind its header; of two of one type the last", () => {
    const attributes = attributesBehind(payload, 2);
    expect(readText(attributes.get(3))).toBe("e1");
    expect(readU32(attributes.get(4))).toBe(1500);
    expect(attributeList(payload.subarray(4)).map(([type]) => type)).toEqual([3, 4, 3]);
  });

  test.for([
    { name: "cut inside a value", bytes: payload.subarray(4, payload.length - 3), types: [3, 4] },
    { name: "cut inside a header", bytes: payload.subarray(4, 4 + 8 + 8 + 3), types: [3, 4] },
    { name: "with a length of nothing", bytes: new Uint8Array(64), types: [] },
  ])("a list $name ends there", ({ bytes, types }) => {
    expect(attributeList(bytes).map(([type]) => type)).toEqual(types);
  });

  test("a number that is not four bytes long is none", () => {
    expect(readU32(undefined)).toBeUndefined();
    expect(readU32(Uint8Array.of(1, 2))).toBeUndefined();
  });

  test("text without its NUL is taken whole", () => {
    expect(readText(Uint8Array.of(101, 48))).toBe("e0");
  });
});

describe("acknowledgements", () => {
  const i32 = (value: number): Uint8Array => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, value, IS_LITTLE_ENDIAN);
    return bytes;
  };
  const quoted = emitMessage({ type: 18, flags: 1, sequence: 7, payload: new Uint8Array(20) });
  const words = emitPayload(new Uint8Array(0), [[1, text("no such thing")]]);
  const message = (type: number, flags: number, ...parts: Uint8Array[]) => ({
    type,
    flags,
    sequence: 7,
    port: 1,
    payload: Uint8Array.from(Buffer.concat(parts)),
  });

  test.for([
    { name: "no error", from: message(NLMSG_ERROR, 0x100, i32(0), quoted.subarray(0, 16)), error: 0 },
    {
      name: "an error without words",
      from: message(NLMSG_ERROR, 0, i32(-19), quoted),
      error: -19,
    },
    {
      name: "an error that quotes all of the request",
      from: message(NLMSG_ERROR, 0x200, i32(-22), quoted, words),
      error: -22,
      said: "no such thing",
    },
    {
      name: "an error that quotes the request's header",
      from: message(NLMSG_ERROR, 0x300, i32(-22), quoted.subarray(0, 16), words),
      error: -22,
      said: "no such thing",
    },
    { name: "the end of a dump", from: message(NLMSG_DONE, 2, i32(0)), error: 0 },
    { name: "the empty end of a dump", from: message(NLMSG_DONE, 2), error: 0 },
    {
      name: "the end of a dump that went wrong",
      from: message(NLMSG_DONE, 0x202, i32(-5), words),
      error: -5,
      said: "no such thing",
    },
    { name: "words that are not there", from: message(NLMSG_ERROR, 0x200, i32(-22)), error: -22 },
  ])("$name", ({ from, error, said }) => {
    expect(parseAcknowledgement(from)).toEqual({ error, text: said });
  });

  test("an error without a number is an error of its own", () => {
    expect(() => parseAcknowledgement(message(NLMSG_ERROR, 0, Uint8Array.of(1)))).toThrow(/3 bytes|1 bytes/);
  });
});

describe("what the kernel would never send", () => {
  const decoders = [decodeLink, decodeRoute, decodeNeighbour, decodeAddress, parseAcknowledgement] as const;
  const types = [2, 3, 16, 17, 20, 24, 25, 28, 29];

  test("neither stops nor harms any decoder", () => {
    const attribute = fc.tuple(fc.integer({ min: 0, max: 70 }), fc.uint8Array({ maxLength: 40 }));
    const made = fc
      .tuple(fc.uint8Array({ minLength: 0, maxLength: 20 }), fc.array(attribute, { maxLength: 12 }))
      .map(([header, attributes]) => emitPayload(header, attributes));
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 200 }), made),
        fc.constantFrom(...types),
        fc.integer({ min: 0, max: 0xffff }),
        (payload, type, flags) => {
          for (const decode of decoders) {
            try {
              decode({ type, flags, sequence: 1, port: 1, payload });
            } catch (error) {
              if (!(error instanceof KernelError)) throw error;
            }
          }
          parseAttributes(payload);
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("a datagram gives messages within its bounds, or an error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(299)), (bytes, places) => {
        // Lengths of messages that are nearly right.
        for (const place of places) {
          if (place + 4 <= bytes.length) new DataView(bytes.buffer).setUint32(place, 20, IS_LITTLE_ENDIAN);
        }
        try {
          const total = parseMessages(bytes).reduce((sum, { payload }) => sum + 16 + payload.length, 0);
          expect(total).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          if (!(error instanceof KernelError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});
