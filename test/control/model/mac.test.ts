import { expect, test } from "vitest";
import { formatMac, isStationMac, parseMac } from "../../../control/model/mac.ts";

test.for(["00:00:de:ad:be:af", "00:00:DE:AD:BE:AF", "00-00-de-ad-be-af"])("%s is read", (text) => {
  expect(parseMac(text)).toEqual(Uint8Array.of(0, 0, 0xde, 0xad, 0xbe, 0xaf));
});

test("is written in lower case between colons", () => {
  expect(formatMac(Uint8Array.of(0, 1, 0xde, 0xad, 0xbe, 0xaf))).toBe("00:01:de:ad:be:af");
});

test.for([
  "",
  "0:0:de:ad:be:af",
  "0000deadbeaf",
  "0000.dead.beaf",
  "00:00-de:ad-be:af",
  "00:00:de:ad:be",
  "00:00:de:ad:be:af:00",
  "00:00:de:ad:be:ag",
  " 00:00:de:ad:be:af",
  "00:00:de:ad:be:af\n",
])("%s is no MAC address", (text) => {
  expect(parseMac(text)).toBeUndefined();
});

test.for([
  { text: "00:00:de:ad:be:af", isStation: true },
  { text: "02:00:00:00:00:01", isStation: true },
  { text: "00:00:00:00:00:00", isStation: false },
  { text: "01:00:5e:00:00:01", isStation: false },
  { text: "ff:ff:ff:ff:ff:ff", isStation: false },
])("$text as the address of one station: $isStation", ({ text, isStation }) => {
  expect(isStationMac(parseMac(text)!)).toBe(isStation);
});
