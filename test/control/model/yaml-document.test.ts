import { expect, test } from "vitest";
import { ConfigError, type ConfigPath } from "../../../control/model/config-error.ts";
import { readYaml, TEXT_SIZE_MAX } from "../../../control/model/yaml-document.ts";

test("mappings, lists and scalars become plain data without prototypes", () => {
  const { value } = readYaml('a: 1\nb: [x, "y", true, null, ~, 0x10, 1.5]\nc: {d: }\n', "f");
  expect(value).toEqual({ a: 1, b: ["x", "y", true, null, null, 16, 1.5], c: { d: null } });
  expect(Object.getPrototypeOf(value)).toBeNull();
});

test("JSON is read too", () => {
  expect(readYaml('{"a": [1, {"b": "c"}]}', "f").value).toEqual({ a: [1, { b: "c" }] });
});

test("a byte order mark and carriage returns are no part of the data", () => {
  expect(readYaml("\ufeffa: x\r\nb: y\r\n", "f").value).toEqual({ a: "x", b: "y" });
});

test("only true and false are booleans, and MAC addresses are strings (YAML 1.2)", () => {
  const { value } = readYaml("a: yes\nb: on\nc: 00:00:de:ad:be:af\nd: 12:30:45\ne: fc00::1\nf: ::1\n", "f");
  expect(value).toEqual({ a: "yes", b: "on", c: "00:00:de:ad:be:af", d: "12:30:45", e: "fc00::1", f: "::1" });
});

test.for(["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"])(
  "%s is a key like any other",
  (key) => {
    const { value } = readYaml(`${key}: {polluted: 1}\n`, "f");
    expect(Object.keys(value as object)).toEqual([key]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  },
);

test("an alias is what its anchor is, the last one of the name before it", () => {
  const { value } = readYaml("a: &x [1]\nb: *x\nc: &x {d: 2}\ne: *x\n", "f");
  expect(value).toEqual({ a: [1], b: [1], c: { d: 2 }, e: { d: 2 } });
});

test.for([
  { name: "a NUL at the end", text: "a: 1\nb: 2\n\0", code: "0000", line: 3, column: 1 },
  { name: "an escape in a comment", text: "a: 1 # \u001b[0m\n", code: "001B", line: 1, column: 8 },
  { name: "a form feed", text: "a: 1\n\f\nb: 2\n", code: "000C", line: 2, column: 1 },
  { name: "an escape in quotes", text: 'a: "\u001b"\n', code: "001B", line: 1, column: 5 },
])("$name is named as the control character that it is", ({ text, code, line, column }) => {
  const message = `control character U+${code}, expected text`;
  expect(() => readYaml(text, "f")).toThrow(
    expect.objectContaining({
      code: "syntax",
      problems: [expect.objectContaining({ line, column, message })],
    }),
  );
});

test("tabs, and control characters that are written out, are text", () => {
  expect(readYaml('a: "x\ty\\u0000\\e"\t# z\n', "f").value).toEqual({ a: "x\ty\0\u001b" });
});

const PLACES = `# a comment
version: 1
vips: &v
  - name: web
    backends:
      [ {address: 10.0.0.1}, {address: x, weight: 3} ]
empty:
again: *v
`;

test.for<{ name: string; path: ConfigPath; part?: "key"; line: number; column: number }>([
  { name: "the file", path: [], line: 2, column: 1 },
  { name: "a scalar", path: ["version"], line: 2, column: 10 },
  { name: "a key", path: ["version"], part: "key", line: 2, column: 1 },
  { name: "a value in braces", path: ["vips", 0, "backends", 1, "weight"], line: 6, column: 51 },
  { name: "a key in braces", path: ["vips", 0, "backends", 1, "weight"], part: "key", line: 6, column: 43 },
  { name: "an item of a list", path: ["vips", 0], line: 4, column: 5 },
  { name: "a key without a value", path: ["empty"], line: 7, column: 1 },
  { name: "a key that is not there, where its mapping is", path: ["vips", 0, "port"], line: 4, column: 5 },
  { name: "an item that is not there, where its list is", path: ["vips", 7, "a", "b"], line: 4, column: 3 },
  {
    name: "what is behind an alias, at its anchor",
    path: ["again", 0, "backends", 0, "address"],
    line: 6,
    column: 19,
  },
])("$name is found in the text", ({ path, part = "value", line, column }) => {
  expect(readYaml(PLACES, "f").locate(path, part as "key" | "value")).toEqual({ line, column });
});

test("keys that stand twice are listed, and the first counts", () => {
  const { value, duplicates } = readYaml("a: 1\nb: {c: 1, c: 2}\na: 3\n", "f");
  expect(value).toEqual({ a: 1, b: { c: 1 } });
  expect(duplicates).toEqual([
    { path: ["b", "c"], position: { line: 2, column: 11 } },
    { path: ["a"], position: { line: 3, column: 1 } },
  ]);
});

test.for<{ name: string; text: string; code: string; line?: number; message: RegExp }>([
  { name: "nothing", text: "", code: "syntax", line: 1, message: /empty/ },
  { name: "only comments", text: "# one\n# two\n", code: "syntax", line: 1, message: /empty/ },
  { name: "null", text: "~\n", code: "syntax", line: 1, message: /empty/ },
  {
    name: "two documents",
    text: "a: 1\n---\nb: 2\n",
    code: "syntax",
    line: 2,
    message: /second YAML document/,
  },
  {
    name: "YAML 1.1",
    text: "%YAML 1.1\n---\na: yes\n",
    code: "syntax",
    line: 1,
    message: /expected YAML 1\.2/,
  },
  { name: "an unknown directive", text: "%FOO x\n---\na: 1\n", code: "syntax", line: 1, message: /FOO/ },
  {
    name: "an unclosed quote",
    text: "a: 1\nb: 'x\nc: 1\nd: 2\n",
    code: "syntax",
    message: /not closed that opens in line 2$/,
  },
  {
    name: "a value with a colon and a space",
    text: "a: b: c\n",
    code: "syntax",
    line: 1,
    message: /with a colon and a space in it wants quotes$/,
  },
  {
    name: "a line that is indented too far",
    text: "a:\n  state: x\n   mtu: y\n",
    code: "syntax",
    line: 2,
    message: /the next line is indented below it/,
  },
  { name: "an unclosed list", text: "a: [1,\nb: 2\n", code: "syntax", message: /./ },
  { name: "tabs as indentation", text: "a:\n\tb: 1\n", code: "syntax", line: 2, message: /[Tt]ab/ },
  {
    name: "an IPv6 address that ends in a colon",
    text: "a:\n  b: fc00::\n  c: 1\n",
    code: "syntax",
    line: 2,
    message: /wants quotes: "fc00::"$/,
  },
  {
    name: "the same in braces",
    text: "- {address: fc00::, weight: 1}\n",
    code: "syntax",
    line: 1,
    message: /wants quotes/,
  },
  {
    name: "an alias without anchor",
    text: "a: *x\n",
    code: "syntax",
    line: 1,
    message: /alias \*x has no anchor/,
  },
  {
    name: "an alias of what it is in",
    text: "a: &x\n  b: *x\n",
    code: "syntax",
    line: 2,
    message: /alias \*x/,
  },
  {
    name: "the same under an older anchor",
    text: "o: &x 1\na: &x [*x]\n",
    code: "syntax",
    line: 2,
    message: /alias \*x/,
  },
  { name: "a tag", text: "a: !foo 1\n", code: "syntax", line: 1, message: /[Tt]ag/ },
  { name: "a binary", text: "a: !!binary aGk=\n", code: "syntax", line: 1, message: /tag/ },
  { name: "a set", text: "a: !!set {b}\n", code: "syntax", line: 1, message: /tag/ },
  { name: "a number as key", text: "80: x\n", code: "syntax", line: 1, message: /the key 80 is no name/ },
  { name: "a list as key", text: "? [a]\n: b\n", code: "syntax", line: 1, message: /is no name/ },
  { name: "an empty key", text: ": b\n", code: "syntax", message: /is no name/ },
  { name: "a reserved character", text: "a: @x\n", code: "syntax", line: 1, message: /@/ },
  {
    name: "brackets a million deep",
    text: "[".repeat(1_000_000),
    code: "too-large",
    line: 1,
    message: /nested deeper than 64/,
  },
  {
    name: "braces a million deep",
    text: "{a: ".repeat(250_000),
    code: "too-large",
    line: 1,
    message: /nested deeper/,
  },
  {
    name: "lists a million deep",
    text: "- ".repeat(500_000),
    code: "too-large",
    line: 1,
    message: /nested deeper/,
  },
  {
    name: "keys a million deep",
    text: "? ".repeat(500_000),
    code: "too-large",
    line: 1,
    message: /nested deeper/,
  },
  {
    name: "aliases of aliases of aliases",
    text: [
      "a0: &a0 [1]",
      ...Array.from({ length: 30 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n}, `.repeat(9)}*a${n}]`),
    ].join("\n"),
    code: "too-large",
    message: /aliases are expanded/,
  },
  {
    name: "more text than any config has",
    text: "#".repeat(TEXT_SIZE_MAX + 1),
    code: "too-large",
    message: /allowed are 8388608/,
  },
])("$name is refused", ({ text, code, line, message }) => {
  const error = errorOf(text);
  expect(error.code).toBe(code);
  expect(error.problems).toHaveLength(1);
  expect(error.problems[0]).toMatchObject({ code, ...(line === undefined ? {} : { line }) });
  expect(error.message).toMatch(message);
  expect(error.message.split("\n")).toHaveLength(1);
});

function errorOf(text: string): ConfigError {
  try {
    readYaml(text, "f");
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("expected a ConfigError");
}
