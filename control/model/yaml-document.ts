/**
 * YAML as a config file wants it: plain data and the place of everything in the text.
 *
 * The `yaml` package parses; what it allows beyond plain data is refused here: duplicate keys, keys that are no strings, tags,
 * directives, several documents. Aliases are allowed, since VIPs often share a pool of backends, but what they
 * expand to is bounded. Nesting is bounded while the text is being tokenised, because the package composes
 * nodes recursively and a deep enough text overflows the stack in places where V8 cannot recover.
 *
 * Mappings become objects without a prototype, so that no key ("__proto__", "constructor") means anything.
 */
import {
  Composer,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  type Node,
  Parser,
  visit,
  type YAMLError,
} from "yaml";
import {
  ConfigError,
  type ConfigPath,
  type ConfigProblem,
  formatConfigPath,
  formatFound,
  quoted,
} from "./config-error.ts";

export interface YamlDocument {
  /** Objects without prototype, arrays, strings, numbers, booleans and null. Aliased parts are the same object. */
  readonly value: unknown;
  /** Paths of keys that stand twice in their mapping; `value` has the first. */
  readonly duplicates: readonly { readonly path: ConfigPath; readonly position: Position }[];
  /** Where the key or the value at `path` stands; if there is none, where its nearest ancestor does. */
  locate(path: ConfigPath, part: "key" | "value"): Position;
}

/** Both from 1; columns count UTF-16 units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Parsing takes about 0.7 s and 100 MB a megabyte; this is room for some 100,000 backends written out. */
export const TEXT_SIZE_MAX: number = 8 * 1024 * 1024;
const DEPTH_MAX = 64;
/**
 * What no YAML text may have as it is, not even in quotes (YAML 1.2.2, productions c-printable and nb-json). The parser takes them
 * for words and stumbles later.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is for
const CONTROL_CHARACTER = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/;
/** Scalars, lists and mappings, aliases expanded. */
const NODES_MAX = 4_000_000;

/** Throws ConfigError with code "syntax" or "too-large". */
export function readYaml(text: string, file: string): YamlDocument {
  const source: Source = { file, text, lineStarts: undefined };
  if (text.length > TEXT_SIZE_MAX) {
    const message = `the file has ${text.length} characters, allowed are ${TEXT_SIZE_MAX}`;
    throw configError(source, { code: "too-large", offset: undefined, message });
  }
  const control = CONTROL_CHARACTER.exec(text);
  if (control !== null) {
    const code = control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    const message = `control character U+${code}, expected text`;
    throw configError(source, { code: "syntax", offset: control.index, message });
  }
  const root = compose(source);
  const { value, targets, duplicates } = plainData(root, source);
  return {
    value,
    duplicates,
    locate: (path, part) => positionAt(source, offsetAt(root, path, part, targets)),
  };
}

interface Source {
  readonly file: string;
  readonly text: string;
  /** Offsets; made when first asked for, since a good file never asks. */
  lineStarts: readonly number[] | undefined;
}

function compose(source: Source): Node {
  const { text } = source;
  let documents: Document.Parsed[];
  try {
    // uniqueKeys compares each key with all others; plainData() checks in linear time.
    const composer = new Composer({ version: "1.2", uniqueKeys: false, merge: false });
    documents = Array.from(composer.compose(tokens(source), true, text.length));
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw configError(source, { code: "syntax", offset: undefined, message, cause });
  }

  const [document, second] = documents;
  const complaint = document?.errors[0] ?? document?.warnings[0];
  if (complaint !== undefined) {
    const message = complaintText(complaint, source, document);
    throw configError(source, { code: "syntax", offset: complaint.pos[0], message, cause: complaint });
  }
  if (second !== undefined) {
    const message = "a second YAML document begins here, expected one";
    throw configError(source, { code: "syntax", offset: second.range[0], message });
  }
  if (document?.directives.yaml.explicit && document.directives.yaml.version !== "1.2") {
    const message = `%YAML ${document.directives.yaml.version}, expected YAML 1.2, where "yes" and "on" are strings`;
    throw configError(source, { code: "syntax", offset: 0, message });
  }
  if (!document?.contents || (isScalar(document.contents) && document.contents.value === null)) {
    throw configError(source, {
      code: "syntax",
      offset: 0,
      message: "the file is empty, expected version: 1 and settings",
    });
  }
  return document.contents;
}

function* tokens(source: Source): ReturnType<Parser["next"]> {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(source.text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > DEPTH_MAX) {
      const message = `nested deeper than ${DEPTH_MAX} levels`;
      throw configError(source, { code: "too-large", offset: parser.offset, message });
    }
  }
  yield* parser.end();
}

interface Converted {
  readonly node: Node;
  readonly value: unknown;
  readonly nodeCount: number;
}

interface PlainData {
  readonly value: unknown;
  /** What each alias stands for. */
  readonly targets: ReadonlyMap<Node, Node>;
  readonly duplicates: YamlDocument["duplicates"];
}

function plainData(root: Node, source: Source): PlainData {
  const anchors = new Map<string, Converted>();
  const targets = new Map<Node, Node>();
  const duplicates: { path: ConfigPath; position: Position }[] = [];
  return { value: convert(root, []).value, targets, duplicates };

  function convert(node: Node | null | undefined, path: ConfigPath): Omit<Converted, "node"> {
    if (node === null || node === undefined) return { value: null, nodeCount: 1 };
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target === undefined)
        throw refuse(node, path, `alias *${node.source.slice(0, 60)} has no anchor before it`);
      targets.set(node, target.node);
      return target;
    }

    if (node.tag !== undefined && !PLAIN_TAGS.has(node.tag))
      throw refuse(node, path, `tag ${quoted(node.tag)}, expected none`);
    const anchor = isScalar(node) || isCollection(node) ? node.anchor : undefined;
    // While its own contents are being read an anchor names nothing, so an alias cannot contain itself.
    if (anchor !== undefined) anchors.delete(anchor);
    const converted = contents(node, path);
    if (converted.nodeCount > NODES_MAX) {
      throw refuse(node, path, `more than ${NODES_MAX} values after its aliases are expanded`, "too-large");
    }
    if (anchor !== undefined) anchors.set(anchor, { node, ...converted });
    return converted;
  }

  function contents(node: Node, path: ConfigPath): Omit<Converted, "node"> {
    if (isScalar(node)) return { value: scalarValue(node.value), nodeCount: 1 };
    let nodeCount = 1;
    if (isSeq(node)) {
      const list = node.items.map((item, index) => {
        const converted = convert(item as Node, [...path, index]);
        nodeCount += converted.nodeCount;
        return converted.value;
      });
      return { value: list, nodeCount };
    }
    if (!isMap(node)) throw refuse(node, path, "expected a mapping, a list or a scalar");

    const mapping: { [key: string]: unknown } = Object.create(null);
    for (const { key: keyNode, value } of node.items) {
      const key = isScalar(keyNode) ? keyNode.value : undefined;
      if (typeof key !== "string") {
        throw refuse(keyNode as Node | null, path, `the key ${formatFound(key)} is no name, expected a word`);
      }
      if (Object.hasOwn(mapping, key)) {
        const position = positionAt(source, (keyNode as Node).range?.[0] ?? 0);
        duplicates.push({ path: [...path, key], position });
        continue;
      }
      const converted = convert(value as Node | null, [...path, key]);
      nodeCount += converted.nodeCount;
      mapping[key] = converted.value;
    }
    return { value: mapping, nodeCount };
  }

  function refuse(
    node: Node | null,
    path: ConfigPath,
    message: string,
    code: "syntax" | "too-large" = "syntax",
  ): ConfigError {
    return configError(source, { code, offset: node?.range?.[0], path, message });
  }
}

/** An explicit tag of the core schema changes nothing that the schema would not say as well. */
const PLAIN_TAGS: ReadonlySet<string> = new Set(
  ["str", "int", "float", "bool", "null", "map", "seq"].map((name) => `tag:yaml.org,2002:${name}`),
);

function scalarValue(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

function offsetAt(
  root: Node,
  path: ConfigPath,
  part: "key" | "value",
  targets: ReadonlyMap<Node, Node>,
): number {
  let node: Node | null | undefined = root;
  let offset = root.range?.[0] ?? 0;
  for (const [depth, step] of path.entries()) {
    const collection: Node | null | undefined = node && (targets.get(node) ?? node);
    if (isSeq(collection) && typeof step === "number") {
      node = collection.items[step] as Node | undefined;
      if (node === undefined) return offset;
      offset = node.range?.[0] ?? offset;
    } else if (isMap(collection)) {
      const pair = collection.items.find(({ key }) => isScalar(key) && key.value === step);
      if (pair === undefined) return offset;
      const keyOffset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value as Node | null;
      const wantsKey = part === "key" && depth === path.length - 1;
      offset = wantsKey ? keyOffset : isEmpty(node) ? keyOffset : (node?.range?.[0] ?? keyOffset);
    } else {
      return offset;
    }
  }
  return offset;
}

/** A key without a value: the place behind the colon is nothing to point at. */
function isEmpty(node: Node | null | undefined): boolean {
  return !node || (isScalar(node) && node.value === null && !node.source);
}

function positionAt(source: Source, offset: number): Position {
  source.lineStarts ??= lineStartsOf(source.text);
  const { lineStarts } = source;
  let [first, last] = [0, lineStarts.length - 1];
  while (first < last) {
    const middle = Math.ceil((first + last) / 2);
    if (lineStarts[middle]! <= offset) first = middle;
    else last = middle - 1;
  }
  return { line: first + 1, column: offset - lineStarts[first]! + 1 };
}

function lineStartsOf(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** The parser's own words, but for the mistakes that people make most: what they did rather than what the grammar lacks. */
function complaintText(complaint: YAMLError, source: Source, document: Document.Parsed | undefined): string {
  const { code, message, pos } = complaint;
  switch (code) {
    case "BLOCK_AS_IMPLICIT_KEY":
    case "BLOCK_IN_FLOW": {
      const line = restOfLine(source.text, pos[0]);
      if (/::(\s|[,}\]]|$)/.test(line))
        return 'a second key on this line; an address that ends in a colon wants quotes: "fc00::"';
      if (/:(\s|$)/.test(line))
        return "a second key on this line; a value with a colon and a space in it wants quotes";
      return "this key has a value, and yet the next line is indented below it; line it up with the key";
    }
    case "MISSING_CHAR": {
      const start = quotedScalarAt(document, pos[0]);
      return start === undefined
        ? message
        : `a quote is not closed that opens in line ${positionAt(source, start).line}`;
    }
    default:
      return message;
  }
}

function restOfLine(text: string, offset: number): string {
  const end = text.indexOf("\n", offset);
  return text.slice(offset, end < 0 ? undefined : end);
}

/** Where the quoted scalar begins that `offset` is in or at the end of. */
function quotedScalarAt(document: Document.Parsed | undefined, offset: number): number | undefined {
  let start: number | undefined;
  if (document === undefined) return undefined;
  visit(document, {
    Scalar: (_key, { type, range }) => {
      if (!range || (type !== "QUOTE_DOUBLE" && type !== "QUOTE_SINGLE")) return;
      if (range[0] <= offset && offset <= range[2]) start = range[0];
    },
  });
  return start;
}

function configError(
  source: Source,
  facts: {
    readonly code: "syntax" | "too-large";
    readonly offset: number | undefined;
    readonly path?: ConfigPath;
    readonly message: string;
    readonly cause?: unknown;
  },
): ConfigError {
  const position = facts.offset === undefined ? undefined : positionAt(source, facts.offset);
  const problem: ConfigProblem = {
    code: facts.code,
    path: formatConfigPath(facts.path ?? []),
    line: position?.line,
    column: position?.column,
    value: undefined,
    message: facts.message,
  };
  return new ConfigError(
    facts.code,
    source.file,
    [problem],
    facts.cause === undefined ? undefined : { cause: facts.cause },
  );
}
