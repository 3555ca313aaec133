/** The table of reasons in words against the program's own: dataplane/xdp/reasons.h, whose comments group reasons by verdict. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { REASON_NAMES, REASONS } from "../../../control/model/reasons.ts";
import { Reason } from "../../../dataplane/xdp/generated/balancer.ts";

const HEADER = readFileSync(new URL("../../../dataplane/xdp/reasons.h", import.meta.url), "utf8");

test("every reason of the program has a verdict and a meaning, in the order of their numbers", () => {
  expect(REASON_NAMES).toEqual(reasonsOfHeader().map(({ name }) => name));
});

test("so it is by the object's own type information", () => {
  const numbers = REASON_NAMES.map((name, number) => [`REASON_${name.toUpperCase()}`, number]);
  expect(Reason).toEqual(Object.fromEntries([...numbers, ["REASON_COUNT", REASON_NAMES.length]]));
});

test("the verdict of each reason is that of its group in the program", () => {
  const verdicts = REASON_NAMES.map((name) => ({ name, verdict: REASONS[name].verdict }));
  expect(verdicts).toEqual(reasonsOfHeader());
});

test("meanings fit a line of the report", () => {
  for (const name of REASON_NAMES) expect(REASONS[name].meaning).toMatch(/^[^\n]{9,70}[^.\n]$/);
});

function reasonsOfHeader(): { name: string; verdict: string }[] {
  const reasons: { name: string; verdict: string }[] = [];
  let verdict = "none";
  for (const line of HEADER.split("\n")) {
    verdict = /^\s+\/\* XDP_([A-Z]+)/.exec(line)?.[1]?.toLowerCase() ?? verdict;
    const name = /^\s+REASON_([A-Z0-9_]+)\b/.exec(line)?.[1]?.toLowerCase();
    if (name !== undefined && name !== "count") reasons.push({ name, verdict });
  }
  return reasons;
}
