/**
 * A small validator for the published JSON Schemas (draft 2020-12), independent of what made them. It knows the keywords that
 * they use and refuses any other, so that nothing passes because it was not looked at.
 */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** What is wrong with `value`, each with its place; empty when it is valid. */
export function violations(schema: JsonSchema, value: unknown, place = "$"): string[] {
  return Object.entries(schema).flatMap(([keyword, rule]) => {
    const check = KEYWORDS[keyword];
    if (check === undefined) throw new Error(`${place}: this validator does not know the keyword ${keyword}`);
    return check(rule, value, place, schema);
  });
}

type Check = (rule: unknown, value: unknown, place: string, schema: JsonSchema) => string[];

const annotation: Check = () => [];

const KEYWORDS: { readonly [keyword: string]: Check } = {
  $schema: annotation,
  $comment: annotation,
  title: annotation,
  description: annotation,
  default: annotation,
  examples: annotation,

  type: (rule, value, place) => {
    const allowed = Array.isArray(rule) ? rule : [rule];
    const isAllowed =
      allowed.includes(typeOf(value)) || (allowed.includes("number") && typeOf(value) === "integer");
    return when(!isAllowed, `${place}: type`);
  },
  const: (rule, value, place) => when(value !== rule, `${place}: const`),
  enum: (rule, value, place) => when(!(rule as unknown[]).includes(value), `${place}: enum`),
  minimum: (rule, value, place) =>
    when(typeof value === "number" && value < (rule as number), `${place}: minimum`),
  maximum: (rule, value, place) =>
    when(typeof value === "number" && value > (rule as number), `${place}: maximum`),
  maxLength: (rule, value, place) =>
    when(typeof value === "string" && value.length > (rule as number), `${place}: maxLength`),
  pattern: (rule, value, place) =>
    when(typeof value === "string" && !new RegExp(rule as string, "u").test(value), `${place}: pattern`),
  uniqueItems: (_rule, value, place) =>
    when(
      Array.isArray(value) && new Set(value.map((item) => JSON.stringify(item))).size < value.length,
      `${place}: uniqueItems`,
    ),
  anyOf: (rule, value, place) =>
    when(
      !(rule as JsonSchema[]).some((option) => violations(option, value, place).length === 0),
      `${place}: anyOf`,
    ),

  items: (rule, value, place) =>
    Array.isArray(value)
      ? value.flatMap((item, index) => violations(rule as JsonSchema, item, `${place}[${index}]`))
      : [],
  properties: (rule, value, place) =>
    Object.entries(rule as { [key: string]: JsonSchema }).flatMap(([key, schema]) =>
      isObject(value) && Object.hasOwn(value, key) ? violations(schema, value[key], `${place}.${key}`) : [],
    ),
  required: (rule, value, place) =>
    (rule as string[]).flatMap((key) =>
      when(isObject(value) && !Object.hasOwn(value, key), `${place}.${key}: required`),
    ),
  additionalProperties: (rule, value, place, { properties }) => {
    if (rule !== false) throw new Error(`${place}: additionalProperties is expected to be false`);
    const known = Object.keys((properties ?? {}) as object);
    if (!isObject(value)) return [];
    return Object.keys(value).flatMap((key) =>
      when(!known.includes(key), `${place}.${key}: additionalProperties`),
    );
  },
};

function when(isWrong: boolean, violation: string): string[] {
  return isWrong ? [violation] : [];
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeOf(value) === "object";
}
