import { expect, test } from "vitest";
import { formatBytes, formatCount, hasColour, painterFor } from "../../../control/cli/output.ts";

test.for<{ environment: { [name: string]: string }; isTTY: boolean; colour: boolean }>([
  { environment: {}, isTTY: true, colour: true },
  { environment: {}, isTTY: false, colour: false },
  { environment: { NO_COLOR: "1" }, isTTY: true, colour: false },
  { environment: { NO_COLOR: "" }, isTTY: true, colour: true },
  { environment: { FORCE_COLOR: "1" }, isTTY: false, colour: true },
  { environment: { FORCE_COLOR: "true", NO_COLOR: "1" }, isTTY: false, colour: true },
  { environment: { FORCE_COLOR: "0" }, isTTY: true, colour: false },
  { environment: { FORCE_COLOR: "false" }, isTTY: true, colour: false },
  { environment: { TERM: "dumb" }, isTTY: true, colour: false },
])("a terminal: $isTTY, with $environment: colour: $colour", ({ environment, isTTY, colour }) => {
  expect(hasColour({ isTTY }, environment)).toBe(colour);
});

test("a painter wraps text in a style that ends with it, or leaves it alone", () => {
  expect(painterFor({ isTTY: true }, {})("red", "no")).toBe("\u001b[31mno\u001b[39m");
  expect(painterFor({ isTTY: false }, {})("red", "no")).toBe("no");
});

test.for([
  [0, "0"],
  [999, "999"],
  [1234567, "1,234,567"],
] as const)("%i is counted as %s", ([count, text]) => {
  expect(formatCount(count)).toBe(text);
});

test.for([
  [0, "0 bytes"],
  [1023, "1023 bytes"],
  [1024, "1.00 KiB"],
  [266240, "260 KiB"],
  [1048575, "1.00 MiB"],
  [18 * 2 ** 20, "18.0 MiB"],
  [3.5 * 2 ** 30, "3.50 GiB"],
  [5000 * 2 ** 40, "5000 TiB"],
] as const)("%i bytes are %s", ([bytes, text]) => {
  expect(formatBytes(bytes)).toBe(text);
});
