/** A minute's worth of what `npm run fuzz:packets` does for as long as it is told to. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { REASON_NAMES } from "../../control/model/reasons.ts";
import { decodeCapture } from "../../dataplane/capture/capture-contents.ts";
import { fuzzPackets, writeFailure } from "./packet-fuzz.ts";

test("random and damaged packets end as the model says, while configurations change between them", async () => {
  const result = await fuzzPackets({ seed: 1, rounds: 14, packets: 2500 });
  if (result.failure !== undefined)
    expect.fail(await writeFailure(result.failure, join(tmpdir(), "lamna-packet-fuzz")));
  expect(result.packets).toBe(35_000);

  // Not by luck: every way there is to end was taken, but for the two that a sound dataplane does not have.
  const missing = REASON_NAMES.filter((name) => !result.reasons.has(name));
  expect(missing).toEqual(["internal_error", "no_headroom"]);
}, 300_000);

test("a run is what its seed says", async () => {
  const options = { seed: 7, rounds: 1, packets: 300 };
  const [first, second] = [await fuzzPackets(options), await fuzzPackets(options)];
  expect(first.reasons).toEqual(second.reasons);
});

test("a difference is written down with its config and its packets", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lamna-fuzz-"));
  try {
    const { failure } = await fuzzPackets({
      seed: 3,
      rounds: 5,
      packets: 200,
      changeProbability: 0,
      // A program that takes every TTL for 63.
      distort: (frame) => frame.map((byte, index) => (index === 22 && byte === 64 ? 63 : byte)),
    });
    expect(failure).toBeDefined();
    const text = await writeFailure(failure!, folder);
    expect(text).toMatch(/round of seed \d+, packet \d+/);
    expect(text).toMatch("frames differ from byte 22 on");
    const { packets } = await decodeCapture(join(folder, "minimal.pcapng"));
    expect(packets.map(({ bytes }) => [...bytes])).toEqual([[...failure!.frame]]);
    expect(readFileSync(join(folder, "config.yaml"), "utf8")).toBe(failure!.config);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
