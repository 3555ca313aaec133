/**
 * Checks on the code base itself: what reviewers forget. Layering, import cycles, files nobody reaches, words that do not belong
 * into the repository. Freshness of generated files is in freshness.test.ts.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const FILES = readdirSync(ROOT, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
  .filter((file) => !/(^|\/)(node_modules|dist|\.git)\//.test(file));
const SOURCES = FILES.filter((file) => file.endsWith(".ts"));

/** Files that something outside the import graph starts: the CLI, and generators run by npm scripts. */
const ENTRY_POINTS = [
  "control/cli/main.ts",
  "control/model/generate-schemas.ts",
  "dataplane/object/generate.ts",
  "dataplane/xdp/build.ts",
  "pcap-fixtures/build.ts",
  "vitest.config.ts",
];

/** Parts of the simulator that no command of ours uses yet, offered to those who build on it, and tested. */
const OFFERED = [
  "dataplane/isa/assemble.ts",
  "dataplane/kernel/event-ring.ts",
  "dataplane/kernel/watch-next-hop.ts",
  "dataplane/nic/faulty-wire.ts",
];

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isTypeOnly: boolean;
}

const IMPORTS: readonly Import[] = SOURCES.flatMap((from) => {
  const text = readFileSync(join(ROOT, from), "utf8");
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from\s+"(\.[^"]+)"/gms);
  const dynamic = text.matchAll(/\bimport\(\s*"(\.[^"]+)"\s*\)/g);
  return [
    ...[...statements].map((match) => ({
      from,
      to: normalize(join(dirname(from), match[2] as string)),
      isTypeOnly: match[1] !== undefined,
    })),
    ...[...dynamic].map((match) => ({
      from,
      to: normalize(join(dirname(from), match[1] as string)),
      isTypeOnly: false,
    })),
  ];
});

test("relative imports end in .ts and name a file that exists", () => {
  const wrong = IMPORTS.filter(({ to }) => !/\.(ts|json)$/.test(to) || !existsSync(join(ROOT, to))).map(
    ({ from, to }) => `${from} -> ${to}`,
  );
  expect(wrong).toEqual([]);
});

test.for<{ rule: string; from: RegExp; to: RegExp; allowed: RegExp; allowedTypes?: RegExp }>([
  {
    rule: "dataplane never imports control",
    from: /^dataplane\//,
    to: /^control\//,
    allowed: /^$/,
  },
  {
    rule: "control below the CLI sees the dataplane through its port and the generated layouts only",
    from: /^control\/(?!(cli|doctor)\/)/,
    to: /^dataplane\//,
    allowed: /^dataplane\/(dataplane\.ts|xdp\/generated\/|object\/(spec|codec)\.ts)/,
  },
  {
    rule: "doctor judges facts: it knows the model, and of the kernel only what facts look like",
    from: /^control\/doctor\//,
    to: /^(control|dataplane)\//,
    allowed: /^control\/(doctor|model)\//,
    allowedTypes: /^dataplane\/kernel\//,
  },
  {
    rule: "the model knows neither plan nor ring nor CLI",
    from: /^control\/model\//,
    to: /^control\/(plan|ring|cli)\//,
    allowed: /^$/,
  },
  {
    rule: "the ring knows nothing but the model's addresses",
    from: /^control\/ring\//,
    to: /^(control|dataplane)\/(?!ring\/)/,
    allowed: /^control\/model\/(ip-)?address\.ts$/,
  },
  {
    rule: "the simulator's engine and NIC know nothing of load balancing",
    from: /^dataplane\/(vm|nic|isa|object|capture)\//,
    to: /^dataplane\/(xdp|kernel)\//,
    allowed: /^$/,
  },
  {
    rule: "objects know nothing of what runs them",
    from: /^dataplane\/(isa|object)\//,
    to: /^dataplane\/(vm|nic|capture|kernel)\/|^dataplane\/(simulator|dataplane)\.ts/,
    allowed: /^$/,
  },
  {
    rule: "the product never imports tests or fixtures",
    from: /^(dataplane|control)\//,
    to: /^(test|pcap-fixtures|bench)\//,
    allowed: /^$/,
  },
])("$rule", ({ from, to, allowed, allowedTypes }) => {
  const wrong = IMPORTS.filter(
    (edge) =>
      from.test(edge.from) &&
      to.test(edge.to) &&
      !allowed.test(edge.to) &&
      !(edge.isTypeOnly && allowedTypes?.test(edge.to) === true),
  );
  expect(wrong.map((edge) => `${edge.from} -> ${edge.to}`)).toEqual([]);
});

test("C is called in dataplane/kernel only", () => {
  const wrong = SOURCES.filter(
    (file) =>
      !file.startsWith("dataplane/kernel/") &&
      /(?:from|import|require)[^\n]*["']koffi["']/.test(readFileSync(join(ROOT, file), "utf8")),
  );
  expect(wrong).toEqual([]);
});

test("no import cycles", () => {
  const edges = new Map<string, string[]>();
  for (const { from, to, isTypeOnly } of IMPORTS) {
    if (!isTypeOnly) edges.set(from, [...(edges.get(from) ?? []), to]);
  }
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file);
    if (start >= 0) cycles.push([...path.slice(start), file].join(" -> "));
    if (start >= 0 || done.has(file)) return;
    for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of edges.keys()) visit(file, []);
  expect(cycles).toEqual([]);
});

test("every file of the product is reached from an entry point", () => {
  const reached = new Set<string>();
  const visit = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const edge of IMPORTS) if (edge.from === file) visit(edge.to);
  };
  for (const entry of [...ENTRY_POINTS, ...OFFERED]) visit(entry);
  const dead = SOURCES.filter(
    (file) => /^(dataplane|control)\//.test(file) && !file.endsWith(".d.ts") && !reached.has(file),
  );
  expect(dead).toEqual([]);
});

test("a test mirrors the place of what it tests", () => {
  const wrong = SOURCES.filter((file) => file.endsWith(".test.ts") && !file.startsWith("test/"));
  expect(wrong).toEqual([]);
});

test("no file is longer than one sitting", () => {
  const longest = 600;
  const wrong = SOURCES.filter((file) => !file.includes("/generated/"))
    .map((file) => ({ file, lines: readFileSync(join(ROOT, file), "utf8").split("\n").length }))
    .filter(({ lines }) => lines > longest)
    .map(({ file, lines }) => `${file}: ${lines} lines, at most ${longest}`);
  expect(wrong).toEqual([]);
});

test("no focused tests, loosened types or unfinished work", () => {
  // Assembled from pieces so that this file does not find itself.
  const words = [
    ["@ts-", "ignore"],
    ["@ts-", "nocheck"],
    ["TO", "DO"],
    ["FIX", "ME"],
    [".on", "ly("],
  ];
  const pattern = new RegExp(words.map((pieces) => pieces.join("").replace(/[.(]/g, "\\$&")).join("|"));
  const wrong = FILES.filter((file) => /\.(ts|c|h|md|yaml)$/.test(file)).flatMap((file) =>
    readFileSync(join(ROOT, file), "utf8")
      .split("\n")
      .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
  );
  expect(wrong).toEqual([]);
});

test("a test is skipped only by what says so aloud", () => {
  const wrong = SOURCES.filter((file) => file.endsWith(".test.ts")).flatMap((file) => {
    const text = readFileSync(join(ROOT, file), "utf8");
    const isAloud = IMPORTS.some(({ from, to }) => from === file && to === "test/needs.ts");
    const silent = isAloud ? /\.(?:skip|runIf|todo)\(/g : /\.(?:skip|skipIf|runIf|todo)\(/g;
    return [...text.matchAll(silent)].map(([found]) => `${file}: ${found}`);
  });
  expect(wrong).toEqual([]);
});

test("the lock file names no registry host", () => {
  expect(readFileSync(join(ROOT, "package-lock.json"), "utf8")).not.toMatch(/"resolved":/);
});

test("the lock file has every optional package, so that it installs on every platform", () => {
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly optionalDependencies?: Record<string, string> }>>;
  };
  const locked = new Set(Object.keys(lock.packages).map((path) => path.replace(/^.*node_modules\//, "")));
  const missing = Object.values(lock.packages).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies).filter((name) => !locked.has(name)),
  );
  expect(missing).toEqual([]);
});
