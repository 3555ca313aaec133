/**
 * Damaged config files: whatever the text, what comes out is a Config or a ConfigError whose problems have their place. The
 * seed is printed on failure.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ConfigError } from "../../../control/model/config-error.ts";
import { parseConfig } from "../../../control/model/config-file.ts";

const GOOD = `# An edge host.
version: 1
capacity: {vips: 8, backends: 64, flowsPerCpu: 1024}
settings:
  gatewayMac: 00:00:de:ad:be:af
  localAddress: {ipv4: 10.0.13.37, ipv6: "fc00:2307::1337"}
  mtu: 1500
  decap: {destinations: [], egressDestinations: [], strict: true}
vips:
  - name: web
    address: 10.200.1.1
    port: 80
    protocol: tcp
    flags: [hash-no-source-port]
    backends: &pool
      - {address: 10.0.0.1, weight: 1, state: active}
      - {address: "fc00::2", weight: 3, state: draining}
  - name: "dns"
    address: fc00:1::1
    port: 53
    protocol: udp
    backends: *pool
`;

/** Pieces that mean something to YAML or to this file. */
const PIECES = [
  ..."\n \t:-?,[]{}#&*!|>'\"%@`~<\\\0\u0085\u2028\ufeff",
  ": ",
  "- ",
  "\n- ",
  "\n  ",
  "---\n",
  "...\n",
  "&pool",
  "*pool",
  "<<: *pool",
  "!!str ",
  "!!binary ",
  "!<x> ",
  "%YAML 1.1\n",
  "__proto__: {}\n",
  "null",
  "true",
  ".nan",
  "-.inf",
  "0x7fffffffffffffff",
  "1e999",
  "-1",
  "0.5",
  "99999999999999999999",
  "version",
  "settings:",
  "vips:",
  "backends:",
  "healthCheck: {}",
  "10.0.0.1",
  "::",
  "fc00::/64",
  "\ud800",
  "x".repeat(5000),
  "[".repeat(100),
] as const;

interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: string;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat(GOOD.length),
  remove: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(200)),
  insert: fc.oneof(
    fc.constantFrom(...PIECES),
    fc.string({ maxLength: 5 }),
    // A part of the file itself, elsewhere.
    fc.tuple(fc.nat(GOOD.length), fc.nat(120)).map(([start, length]) => GOOD.slice(start, start + length)),
  ),
});

test("the undamaged file is good", () => {
  expect(parseConfig(GOOD, { file: "f" }).vips).toHaveLength(2);
});

test("a damaged file is a Config or a ConfigError with places", () => {
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
      let text = GOOD;
      for (const { at, remove, insert } of edits) text = text.slice(0, at) + insert + text.slice(at + remove);
      expectConfigOrError(text);
    }),
    { numRuns: 1500 },
  );
});

test("so is a file cut at any place", () => {
  for (let length = 0; length < GOOD.length; length++) expectConfigOrError(GOOD.slice(0, length));
});

test("so is a file of any values in any shape", () => {
  const key = fc.constantFrom(
    "version",
    "settings",
    "vips",
    "backends",
    "address",
    "gatewayMac",
    "flags",
    "healthCheck",
    "__proto__",
    "x",
  );
  const leaf = fc.oneof(fc.constantFrom(1, 0, -1, 1.5, "tcp", "10.0.0.1", "::", "", true, null), fc.string());
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 6 },
      leaf,
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(key, tie("value"), { maxKeys: 5 }),
    ),
  }));
  fc.assert(
    fc.property(value, (content) => {
      expectConfigOrError(JSON.stringify(content));
    }),
    { numRuns: 1000 },
  );
});

function expectConfigOrError(text: string): void {
  const lineCount = text.split("\n").length;
  try {
    parseConfig(text, { file: "f" });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    for (const { line, column, message } of error.problems) {
      expect(message).not.toBe("");
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal would act on
      expect(error.message).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
      if (line === undefined) continue;
      expect(line).toBeGreaterThan(0);
      expect(line).toBeLessThanOrEqual(lineCount);
      expect(column).toBeGreaterThan(0);
    }
  }
}
