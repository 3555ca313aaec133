/** Events that a real program emits, one by one or by the hundred thousand, and a reader that may go at any time. */
import { setImmediate } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { Descriptor } from "../../../dataplane/kernel/descriptor.ts";
import { EventRing } from "../../../dataplane/kernel/event-ring.ts";
import { libbpf } from "../../../dataplane/kernel/libbpf.ts";
import { NativeStruct } from "../../../dataplane/kernel/native.ts";
import { lacks, libbpf as libbpfNeed, root } from "../../needs.ts";
import { loadBare } from "./bare-program.ts";

const RINGBUF = 27;
const ARRAY = 2;
const RING_BYTES = 1 << 18;

describe.skipIf(lacks("event rings", root, libbpfNeed))("event rings", () => {
  const opened: { close(): void }[] = [];
  afterEach(() => {
    for (const handle of opened.splice(0).reverse()) handle.close();
  });

  test("each event comes once, whole, in order, over many turns of a small ring", async () => {
    const emitter = emitterOf(12);
    const seen: number[] = [];
    const sizes = new Set<number>();
    const ring = keep(
      new EventRing(emitter.map, {
        onEvent: (bytes) => {
          sizes.add(bytes.length);
          seen.push(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true));
        },
      }),
    );
    while (seen.length < 100_000) {
      emitter.emit(5000);
      const wanted = emitter.emitted;
      while (seen.length < wanted) await turn();
    }
    expect(seen.length).toBe(100_000);
    expect(seen.findIndex((number, index) => number !== index + 1)).toBe(-1);
    expect([...sizes]).toEqual([12]);
    expect(ring.drain()).toBe(0);
  });

  test("a wake reads a bounded number, and the rest comes without another event", async () => {
    const emitter = emitterOf(8);
    let count = 0;
    const perTurn: number[] = [];
    keep(
      new EventRing(emitter.map, {
        eventsPerWakeMax: 10,
        onEvent: () => {
          count++;
        },
      }),
    );
    emitter.emit(95);
    while (count < 95) {
      const before = count;
      await turn();
      perTurn.push(count - before);
    }
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(10);
  });

  test("what a full ring has no room for is not there, and what comes after it is", async () => {
    const emitter = emitterOf(1024);
    emitter.emit(1000);
    const seen: number[] = [];
    const ring = keep(
      new EventRing(emitter.map, {
        onEvent: (bytes) => {
          seen.push(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true));
        },
      }),
    );
    const fit = Math.floor(RING_BYTES / (1024 + 8));
    expect(ring.drain()).toBeGreaterThanOrEqual(fit - 1);
    emitter.emit(1);
    expect(ring.drain()).toBe(1);
    expect(seen.at(-1)).toBe(1001);
  });

  test("discarded records are passed over", () => {
    const emitter = emitterOf(8, { isDiscarded: true });
    const ring = keep(
      new EventRing(emitter.map, {
        onEvent: () => {
          throw new Error("an event");
        },
      }),
    );
    emitter.emit(10_000);
    expect(ring.drain()).toBe(0);
    emitter.emit(30_000); // more than fit: the space came back
    expect(ring.drain()).toBe(0);
  });

  test("it can be closed from within an event, while events wait, and again", async () => {
    const emitter = emitterOf(8);
    for (let round = 0; round < 50; round++) {
      let count = 0;
      const ring: EventRing = new EventRing(emitter.map, {
        onEvent: () => {
          count++;
          if (count === 1 + (round % 7)) ring.close();
        },
      });
      emitter.emit(20);
      if (round % 2 === 0) ring.drain();
      while (!ring.isClosed) await turn();
      expect(count).toBe(1 + (round % 7));
      ring.close();
      expect(() => ring.drain()).toThrow(expect.objectContaining({ code: "closed" }));
    }
    // What those readers left is still there.
    let rest = 0;
    const ring = keep(new EventRing(emitter.map, { onEvent: () => rest++ }));
    while (ring.drain() > 0) {}
    expect(rest).toBeGreaterThan(0);
  });

  test("the map's descriptor may be closed before the ring is", async () => {
    const emitter = emitterOf(8);
    let count = 0;
    keep(new EventRing(emitter.map, { onEvent: () => count++ }));
    emitter.map.close();
    emitter.emit(3);
    while (count < 3) await turn();
    expect(count).toBe(3);
  });

  test("only ring buffers, and only what is open", () => {
    const array = keep(mapOf("array", { type: ARRAY, keySize: 4, valueSize: 4, entries: 1 }));
    const options = { onEvent: () => {} };
    expect(() => new EventRing(array, options)).toThrow(expect.objectContaining({ code: "wrong-layout" }));
    array.close();
    expect(() => new EventRing(array, options)).toThrow(expect.objectContaining({ code: "closed" }));
  });

  function keep<T extends { close(): void }>(handle: T): T {
    opened.push(handle);
    return handle;
  }

  function mapOf(
    name: string,
    facts: { type: number; keySize: number; valueSize: number; entries: number },
  ): Descriptor {
    const { type, keySize, valueSize, entries } = facts;
    const result = libbpf().bpf_map_create(type, name, keySize, valueSize, entries, null);
    return Descriptor.from(result, `create map "${name}"`, `map "${name}"`);
  }

  /** A program that puts one event of `sizeBytes` into a ring each time it runs: a number that counts up from 1, then zeros. */
  function emitterOf(
    sizeBytes: number,
    { isDiscarded = false } = {},
  ): { readonly map: Descriptor; readonly emitted: number; emit(count: number): void } {
    const map = keep(mapOf("events", { type: RINGBUF, keySize: 0, valueSize: 0, entries: RING_BYTES }));
    const cell = keep(mapOf("cell", { type: ARRAY, keySize: 4, valueSize: 8, entries: 1 }));
    const [reserve, submit, discard] = [131, 132, 133];
    const program = keep(
      loadBare(
        "emit",
        `
          r6 = map_val(map_by_fd(${cell.fd})) + 0
          r7 = *(u64 *)(r6 + 0)
          r7 += 1
          *(u64 *)(r6 + 0) = r7
          r1 = map_by_fd(${map.fd})
          r2 = ${sizeBytes}
          r3 = 0
          call ${reserve}
          if r0 == 0 goto full
          *(u32 *)(r0 + 0) = r7
          *(u32 *)(r0 + 4) = 0
          r1 = r0
          r2 = 0
          call ${isDiscarded ? discard : submit}
        full:
          r0 = 2
          exit
        `,
      ),
    );
    let emitted = 0;
    return {
      map,
      get emitted() {
        return emitted;
      },
      emit(count) {
        const frame = new Uint8Array(64);
        const options = new NativeStruct(80, { hasSize: true });
        options.setPointer(8, frame).setU32(24, frame.length).setU32(60, count);
        expect(libbpf().bpf_prog_test_run_opts(program.fd, options.bytes)).toBe(0);
        emitted += count;
      },
    };
  }
});

/** One turn of the event loop: immediates run once after each look at descriptors. */
async function turn(): Promise<void> {
  await setImmediate();
}
