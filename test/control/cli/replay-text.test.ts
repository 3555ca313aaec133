import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { describeProgress, Progress } from "../../../control/cli/replay-progress.ts";
import {
  alignColumns,
  bar,
  cutTo,
  formatDuration,
  formatPoints,
  formatShare,
  textStyleOf,
} from "../../../control/cli/replay-text.ts";

test.for([
  { columns: 80, width: 80 },
  { columns: 0, width: 110 },
  { columns: undefined, width: 110 },
])("on a terminal of $columns columns, lines have $width", ({ columns, width }) => {
  expect(textStyleOf(columns === undefined ? {} : { columns }).width).toBe(width);
});

test("columns are as wide as their widest cell", () => {
  const rows = [
    ["a", "1", "x"],
    ["long", "1,000", ""],
  ];
  expect(alignColumns(rows, [{ align: "left" }, { align: "right" }, { align: "left" }])).toEqual([
    "a         1  x",
    "long  1,000",
  ]);
});

test("colour does not move columns", () => {
  const paint = (cell: string): string => `<${cell}>`;
  expect(
    alignColumns(
      [
        ["a", "x"],
        ["bb", "y"],
      ],
      [{ align: "left" }, { align: "left" }],
      paint,
    ),
  ).toEqual(["<a >  <x>", "<bb>  <y>"]);
});

describe("a bar", () => {
  test.for([
    { fraction: 0, unicode: "", ascii: "" },
    { fraction: 0.0001, unicode: "▏", ascii: "#" },
    { fraction: 0.5, unicode: "████", ascii: "####" },
    { fraction: 0.55, unicode: "████▍", ascii: "####" },
    { fraction: 1, unicode: "████████", ascii: "########" },
    { fraction: 7, unicode: "████████", ascii: "########" },
  ])("of $fraction", ({ fraction, unicode, ascii }) => {
    expect(bar(fraction, 8, true)).toBe(unicode);
    expect(bar(fraction, 8, false)).toBe(ascii);
  });

  test("is never wider than its width, and never shorter than a smaller one", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 60 }),
        fc.boolean(),
        (a, b, width, hasUnicode) => {
          const [small, large] = [
            bar(Math.min(a, b), width, hasUnicode),
            bar(Math.max(a, b), width, hasUnicode),
          ];
          expect(large.length).toBeLessThanOrEqual(width);
          expect(small.length).toBeLessThanOrEqual(large.length);
        },
      ),
    );
  });
});

test.for([
  { text: "short", width: 5, hasUnicode: true, cut: "short" },
  { text: "too long a text", width: 9, hasUnicode: true, cut: "too long…" },
  { text: "too long a text", width: 9, hasUnicode: false, cut: "too lo..." },
  { text: "text", width: 0, hasUnicode: true, cut: "" },
  { text: "text", width: -4, hasUnicode: false, cut: "" },
])("'$text' in $width columns is '$cut'", ({ text, width, hasUnicode, cut }) => {
  expect(cutTo(text, width, hasUnicode)).toBe(cut);
});

test.for([
  [0, "0.0 %"],
  [0.00001, "<0.1 %"],
  [0.123, "12.3 %"],
  [1, "100.0 %"],
] as const)("%d of all is %s", ([fraction, text]) => {
  expect(formatShare(fraction)).toBe(text);
});

test.for([
  [0, "0.0"],
  [0.00004, "0.0"],
  [-0.00004, "0.0"],
  [0.0123, "+1.2"],
  [-0.25, "-25.0"],
] as const)("a deviation of %d is %s points", ([fraction, text]) => {
  expect(formatPoints(fraction)).toBe(text);
});

test.for([
  [0n, "0.00 us"],
  [1_500n, "1.50 us"],
  [1_500_000n, "1.50 ms"],
  [1_500_000_000n, "1.50 s"],
  [119_990_000_000n, "119.99 s"],
  [125_000_000_000n, "2 min 05 s"],
  [7_325_000_000_000n, "2 h 2 min 05 s"],
  [86_400_000_000_000n, "24 h 0 min 00 s"],
] as const)("%d ns are %s", ([ns, text]) => {
  expect(formatDuration(ns)).toBe(text);
});

describe("progress", () => {
  const at = { packets: 2000, positionBytes: 250, sizeBytes: 1000 };

  test("says how far, how fast and how long", () => {
    expect(describeProgress({ elapsedMs: 1000, ...at })).toBe(
      "25 %, 2,000 packets, 2,000 packets/s, 3 s left",
    );
  });

  test("says what it can of a pipe", () => {
    expect(describeProgress({ elapsedMs: 1000, ...at, sizeBytes: undefined })).toBe(
      "2,000 packets, 2,000 packets/s",
    );
  });

  function shownAt(isTTY: boolean, times: readonly number[]): string[] {
    const shown: string[] = [];
    const progress = new Progress({ isTTY, write: (text) => shown.push(text) }, 0);
    for (const nowMs of times) progress.update({ nowMs, ...at });
    progress.end();
    return shown;
  }

  test("waits half a second, and then a fifth between lines", () => {
    expect(shownAt(true, [0, 499, 500, 600, 700, 701])).toHaveLength(3); // at 500, at 700, and taken away
  });

  test("of a short run leaves no trace", () => {
    expect(shownAt(true, [0, 100])).toEqual([]);
  });

  test("is not shown where there is no terminal", () => {
    expect(shownAt(false, [0, 1000, 2000])).toEqual([]);
  });
});
