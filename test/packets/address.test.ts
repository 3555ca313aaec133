import { expect, test } from "vitest";
import { equalBytes, ip, ipText, mac } from "./address.ts";

test.for([
  { text: "192.0.2.1", bytes: [192, 0, 2, 1] },
  { text: "2001:db8::1", bytes: [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] },
  { text: "::", bytes: new Array(16).fill(0) },
  { text: "ff02::", bytes: [0xff, 2, ...new Array(14).fill(0)] },
  { text: "1:2:3:4:5:6:7:8", bytes: [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8] },
])("reads $text", ({ text, bytes }) => {
  expect([...ip(text)]).toEqual(bytes);
  expect(ip(ipText(ip(text)))).toEqual(ip(text));
});

test.for(["1.2.3", "fe80::1%eth0", "::ffff:1.2.3.4", "example"])("refuses %s", (text) => {
  expect(() => ip(text)).toThrow(RangeError);
});

test("reads a MAC address and refuses a short one", () => {
  expect([...mac("02:00:de:ad:be:ef")]).toEqual([2, 0, 0xde, 0xad, 0xbe, 0xef]);
  expect(() => mac("02:00")).toThrow(RangeError);
});

test("addresses of different families are not equal", () => {
  expect(equalBytes(ip("0.0.0.0"), ip("::"))).toBe(false);
  expect(equalBytes(ip("1.2.3.4"), ip("1.2.3.4"))).toBe(true);
});
