import fc from "fast-check";
import { expect, test } from "vitest";
import { formatIpPrefix, parseIpPrefix } from "../../../control/model/prefix.ts";

test.for([
  { text: "0.0.0.0/0", canonical: "0.0.0.0/0" },
  { text: "192.168.0.0/17", canonical: "192.168.0.0/17" },
  { text: "10.0.0.1/32", canonical: "10.0.0.1/32" },
  { text: "::/0", canonical: "::/0" },
  { text: "FC00:1::/96", canonical: "fc00:1::/96" },
  { text: "fc00::1/128", canonical: "fc00::1/128" },
])("$text is $canonical", ({ text, canonical }) => {
  expect(formatIpPrefix(parseIpPrefix(text))).toBe(canonical);
});

test.for([
  { text: "10.0.0.1", message: /expected a prefix/ },
  { text: "10.0.0.0/", message: /expected a prefix/ },
  { text: "10.0.0.0/08", message: /expected a prefix/ },
  { text: "10.0.0.0/-1", message: /expected a prefix/ },
  { text: "10.0.0.0/8/8", message: /expected a prefix/ },
  { text: "10.0.0.0/33", message: /33 bits, allowed for IPv4: 0 to 32/ },
  { text: "fc00::/129", message: /129 bits, allowed for IPv6: 0 to 128/ },
  { text: "192.168.255.0/17", message: /expected 192\.168\.128\.0\/17/ },
  { text: "fc00::1/96", message: /expected fc00::\/96/ },
  { text: "/8", message: /expected an IPv4 address/ },
])("$text is no prefix", ({ text, message }) => {
  expect(() => parseIpPrefix(text)).toThrow(
    expect.objectContaining({ name: "AddressError", message: expect.stringMatching(message) }),
  );
});

test("a network is refused with any bit set behind its length, and read without", () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), fc.integer({ min: 0, max: 32 }), (address, lengthBits) => {
      const network = lengthBits === 0 ? 0 : (address & (0xffffffff << (32 - lengthBits))) >>> 0;
      const read = () => parseIpPrefix(`${dotted(address)}/${lengthBits}`);
      if (network === address) expect(formatIpPrefix(read())).toBe(`${dotted(address)}/${lengthBits}`);
      else expect(read).toThrow(`expected ${dotted(network)}/${lengthBits}`);
    }),
  );
});

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
}
