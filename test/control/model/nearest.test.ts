import { expect, test } from "vitest";
import { nearestWord } from "../../../control/model/nearest.ts";

const WORDS = ["gatewayMac", "mtu", "maxFrameBytes", "maglev", "state", "weight"];

test.for([
  { word: "gatewayMAC", nearest: "gatewayMac" },
  { word: "gateway_mac", nearest: "gatewayMac" },
  { word: "gateway-mac", nearest: "gatewayMac" },
  { word: "gatwayMac", nearest: "gatewayMac" },
  { word: "mut", nearest: "mtu" },
  { word: "MTU", nearest: "mtu" },
  { word: "maxFrame", nearest: undefined },
  { word: "weigth", nearest: "weight" },
  { word: "stat", nearest: "state" },
  { word: "", nearest: undefined },
  { word: "colour", nearest: undefined },
  { word: "x".repeat(10_000), nearest: undefined },
])("of $word is $nearest", ({ word, nearest }) => {
  expect(nearestWord(word, WORDS)).toBe(nearest);
});
