import fc from "fast-check";
import { expect, test } from "vitest";
import {
  AddressError,
  addressKind,
  formatIpAddress,
  type IpAddress,
  isSameAddress,
  parseIpAddress,
} from "../../../control/model/address.ts";

test.for([
  { text: "10.0.0.1", canonical: "10.0.0.1" },
  { text: "0.0.0.0", canonical: "0.0.0.0" },
  { text: "255.255.255.255", canonical: "255.255.255.255" },
  { text: "::", canonical: "::" },
  { text: "::1", canonical: "::1" },
  { text: "FC00::1", canonical: "fc00::1" },
  { text: "fc00:0:0:0:0:0:0:1", canonical: "fc00::1" },
  { text: "2001:0db8::0001", canonical: "2001:db8::1" },
  // RFC 5952 section 4.2.2: a single zero group is not shortened.
  { text: "2001:db8::1:1:1:1:1", canonical: "2001:db8:0:1:1:1:1:1" },
  // Section 4.2.3: the longest run, and of equals the first.
  { text: "2001:0:0:1:0:0:0:1", canonical: "2001:0:0:1::1" },
  { text: "2001:db8:0:0:1:0:0:1", canonical: "2001:db8::1:0:0:1" },
  { text: "1:2:3:4:5:6:7::", canonical: "1:2:3:4:5:6:7:0" },
  { text: "1:2:3:4:5:6::", canonical: "1:2:3:4:5:6::" },
  { text: "::2:3:4:5:6:7:8", canonical: "0:2:3:4:5:6:7:8" },
  { text: "64:ff9b::192.0.2.33", canonical: "64:ff9b::c000:221" },
  { text: "::10.0.0.1", canonical: "::a00:1" },
  { text: "1:2:3:4:5:6:192.0.2.33", canonical: "1:2:3:4:5:6:c000:221" },
])("$text is $canonical", ({ text, canonical }) => {
  expect(formatIpAddress(parseIpAddress(text))).toBe(canonical);
});

test("bytes are in network order", () => {
  expect(parseIpAddress("10.200.1.2")).toEqual({ family: 4, bytes: Uint8Array.of(10, 200, 1, 2) });
  expect(parseIpAddress("fc00:1::2")).toEqual({
    family: 6,
    bytes: Uint8Array.of(0xfc, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2),
  });
});

test.for([
  { text: "", code: "syntax" },
  { text: "web", code: "syntax" },
  { text: "10", code: "syntax" },
  { text: "10.1", code: "syntax" },
  { text: "10.0.0", code: "syntax" },
  { text: "10.0.0.1.2", code: "syntax" },
  { text: "10.0.0.256", code: "syntax" },
  { text: "10.0.0.-1", code: "syntax" },
  { text: "10.0.0.0x1", code: "syntax" },
  { text: "10.0.0.1 ", code: "syntax" },
  { text: " 10.0.0.1", code: "syntax" },
  { text: "10.0.0.1\n", code: "syntax" },
  { text: "10.0.0.", code: "syntax" },
  { text: "１0.0.0.1", code: "syntax" },
  { text: "10.0.0.01", code: "leading-zero" },
  { text: "010.0.0.1", code: "leading-zero" },
  { text: "10.0.0.00", code: "leading-zero" },
  { text: "10.0.0.0/24", code: "prefix" },
  { text: "fc00::/96", code: "prefix" },
  { text: "fe80::1%eth0", code: "zone" },
  { text: "[fc00::1]", code: "brackets" },
  { text: "[fc00::1]:80", code: "brackets" },
  { text: "10.0.0.1:80", code: "port" },
  { text: "1:2", code: "port" },
  { text: "::ffff:10.0.0.1", code: "ipv4-mapped" },
  { text: "0:0:0:0:0:ffff:a00:1", code: "ipv4-mapped" },
  { text: ":", code: "syntax" },
  { text: ":::", code: "syntax" },
  { text: "1::2::3", code: "syntax" },
  { text: "1:2:3:4:5:6:7", code: "syntax" },
  { text: "1:2:3:4:5:6:7:8:9", code: "syntax" },
  { text: "1:2:3:4:5:6:7:8::", code: "syntax" },
  { text: "::1:2:3:4:5:6:7:8", code: "syntax" },
  { text: "1:2:3:4::5:6:7:8", code: "syntax" },
  { text: ":1:2:3:4:5:6:7", code: "syntax" },
  { text: "1:2:3:4:5:6:7:", code: "syntax" },
  { text: "12345::", code: "syntax" },
  { text: "fg00::", code: "syntax" },
  { text: "192.0.2.33::", code: "syntax" },
  { text: "::192.0.2.33:1", code: "syntax" },
  { text: "1:2:3:4:5:6:7:192.0.2.33", code: "syntax" },
  { text: "::192.0.2.033", code: "leading-zero" },
])("$text is no address: $code", ({ text, code }) => {
  expect(() => parseIpAddress(text)).toThrow(expect.objectContaining({ name: "AddressError", code, text }));
});

const address: fc.Arbitrary<IpAddress> = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes): IpAddress => ({ family: 4, bytes })),
  // Mostly zeros, so that runs of them are common.
  fc
    .array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
    .map((groups): IpAddress => {
      return { family: 6, bytes: Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])) };
    })
    .filter(
      ({ bytes }) =>
        !(bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff),
    ),
);

test("what is written reads as the same address, and is written the same again", () => {
  fc.assert(
    fc.property(address, (original) => {
      const text = formatIpAddress(original);
      const read = parseIpAddress(text);
      expect(read).toEqual(original);
      expect(isSameAddress(read, original)).toBe(true);
      expect(formatIpAddress(read)).toBe(text);
    }),
  );
});

test("any text is an address or an AddressError", () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:./%[\]]{0,40}$/));
  fc.assert(
    fc.property(text, (value) => {
      try {
        const { family, bytes } = parseIpAddress(value);
        expect(bytes.length).toBe(family === 4 ? 4 : 16);
      } catch (error) {
        expect(error).toBeInstanceOf(AddressError);
      }
    }),
  );
});

test("addresses of the two families are never the same", () => {
  expect(isSameAddress(parseIpAddress("10.0.0.1"), parseIpAddress("::10.0.0.1"))).toBe(false);
});

test.for([
  { text: "10.0.0.1", kind: "unicast" },
  { text: "169.254.0.1", kind: "unicast" },
  { text: "223.255.255.255", kind: "unicast" },
  { text: "224.0.0.0", kind: "multicast" },
  { text: "239.255.255.255", kind: "multicast" },
  { text: "240.0.0.1", kind: "unicast" },
  { text: "255.255.255.255", kind: "broadcast" },
  { text: "127.0.0.1", kind: "loopback" },
  { text: "127.255.255.255", kind: "loopback" },
  { text: "0.0.0.0", kind: "unspecified" },
  { text: "0.1.2.3", kind: "unspecified" },
  { text: "fc00::1", kind: "unicast" },
  { text: "fe80::1", kind: "unicast" },
  { text: "ff02::1", kind: "multicast" },
  { text: "::", kind: "unspecified" },
  { text: "::1", kind: "loopback" },
  { text: "::2", kind: "unicast" },
  { text: "::100", kind: "unicast" },
])("$text is $kind", ({ text, kind }) => {
  expect(addressKind(parseIpAddress(text))).toBe(kind);
});
