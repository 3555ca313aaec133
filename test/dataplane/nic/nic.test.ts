import { describe, expect, test } from "vitest";
import { Nic } from "../../../dataplane/nic/nic.ts";
import { RecordingWire } from "../../../dataplane/nic/wire.ts";
import { Machine } from "../../../dataplane/vm/machine.ts";
import {
  BPF_MAP_TYPE_CPUMAP,
  BPF_MAP_TYPE_DEVMAP,
  BPF_MAP_TYPE_XSKMAP,
} from "../../../dataplane/vm/maps/map-type.ts";
import { mapSpec, u32 } from "../vm/maps/harness.ts";
import { FIRST_BYTE, frameWith, nicWith, programSpec, tcpFrame } from "./harness.ts";

const ZERO = {
  rx_packets: 0,
  rx_bytes: 0,
  rx_no_descriptor: 0,
  rx_over_length: 0,
  xdp_pass: 0,
  xdp_drop: 0,
  xdp_tx: 0,
  xdp_redirect: 0,
  xdp_redirect_errors: 0,
  xdp_aborted: 0,
  xdp_invalid_action: 0,
  xdp_faults: 0,
};

describe("verdicts", () => {
  test.for([
    { code: 0, action: "aborted", counters: { xdp_aborted: 1 }, host: 0, wire: 0 },
    { code: 1, action: "drop", counters: { xdp_drop: 1 }, host: 0, wire: 0 },
    { code: 2, action: "pass", counters: { xdp_pass: 1 }, host: 1, wire: 0 },
    { code: 3, action: "tx", counters: { xdp_tx: 1 }, host: 0, wire: 1 },
    { code: 4, action: "redirect", counters: { xdp_redirect: 1, xdp_redirect_errors: 1 }, host: 0, wire: 0 },
    { code: 5, action: "aborted", counters: { xdp_aborted: 1, xdp_invalid_action: 1 }, host: 0, wire: 0 },
    { code: 200, action: "aborted", counters: { xdp_aborted: 1, xdp_invalid_action: 1 }, host: 0, wire: 0 },
  ])("code $code: $action", ({ code, action, counters, host, wire }) => {
    const recorded = new RecordingWire();
    const passed: string[] = [];
    const { nic } = nicWith(FIRST_BYTE, {
      interfaces: [{ ifindex: 1, wire: recorded }],
      host: (frame, timestampNs, { ifindex, cpu }) =>
        passed.push(`${frame.length} at ${timestampNs} from ${ifindex} on ${cpu}`),
    });
    const frame = frameWith(code);
    const outcome = nic.process(frame, 77n);

    expect(outcome).toMatchObject({
      index: 0,
      ifindex: 1,
      queue: 0,
      timestampNs: 77n,
      action,
      code,
      fault: undefined,
    });
    expect(outcome.frame).toEqual(frame);
    expect(outcome.egressIfindex).toBe(wire);
    expect(passed).toEqual(host === 1 ? ["60 at 77 from 1 on 0"] : []);
    expect(recorded.frames).toEqual(wire === 1 ? [{ bytes: frame, timestampNs: 77n }] : []);
    expect(nic.queueCounters(0)).toEqual({ ...ZERO, rx_packets: 1, rx_bytes: 60, ...counters });
    expect(nic.transmitCounters()).toEqual({ tx_packets: wire, tx_bytes: wire * 60 });
  });

  test("only the low 32 bits of what a program returns count", () => {
    const { nic } = nicWith(programSpec("r0 = 0x500000002 ll\nexit"));
    expect(nic.process(frameWith(0), 0n)).toMatchObject({ action: "pass", code: 2 });
  });

  test("without a program every frame is the host's", () => {
    let count = 0;
    const nic = new Nic(new Machine([]), { host: () => count++ });
    expect(nic.process(frameWith(1), 0n).action).toBe("pass");
    expect(count).toBe(1);
  });

  test("the bytes that go out are those the program left", () => {
    const wire = new RecordingWire();
    const grow = programSpec(`
      r2 = -20
      call 44
      r0 = 3
      exit`);
    const { nic } = nicWith(grow, { interfaces: [{ ifindex: 1, wire }] });
    const frame = frameWith(9);
    expect(nic.process(frame, 0n).frame).toHaveLength(80);
    expect(wire.frames[0]!.bytes.subarray(20)).toEqual(frame);
  });

  test("the program knows interface and queue of a frame", () => {
    const tell = programSpec(`
      r0 = *(u32 *)(r1 + 12)
      r0 <<= 8
      r2 = *(u32 *)(r1 + 16)
      r0 |= r2
      exit`);
    const { nic } = nicWith(tell, {
      machine: { cpuCount: 4 },
      interfaces: [{ ifindex: 1 }, { ifindex: 6 }],
      rss: { indirection: new Array(128).fill(3) },
    });
    expect(nic.process(tcpFrame(0, 1), 0n, 6).code).toBe(0x603);
    expect(nic.process(frameWith(0), 0n, 1).code).toBe(0x100);
    expect(nic.queueCounters(3, 6).rx_packets).toBe(1);
    expect(nic.queueCounters(0, 1).rx_packets).toBe(1);
    expect(nic.counters().rx_packets).toBe(2);
    expect(() => nic.process(frameWith(0), 0n, 2)).toThrow(/ifindex 2, expected one of 1, 6/);
  });
});

describe("redirects", () => {
  const MAP_VALUES = { keySizeBytes: 4, valueSizeBytes: 8, maxEntries: 4 };

  test.for([
    { name: "to another interface", ifindex: 2, wires: [0, 1], errors: 0 },
    { name: "to the same interface", ifindex: 1, wires: [1, 0], errors: 0 },
    { name: "to an interface that is not there", ifindex: 9, wires: [0, 0], errors: 1 },
  ])("$name", ({ ifindex, wires, errors }) => {
    const recorded = [new RecordingWire(), new RecordingWire()] as const;
    const { nic } = nicWith(programSpec(`r1 = ${ifindex}\nr2 = 0\ncall 23\nexit`), {
      interfaces: [
        { ifindex: 1, wire: recorded[0] },
        { ifindex: 2, wire: recorded[1] },
      ],
    });
    const outcome = nic.process(frameWith(0), 5n);
    expect(outcome.action).toBe("redirect");
    expect(outcome.egressIfindex).toBe(errors === 1 ? 0 : ifindex);
    expect(recorded.map(({ frames }) => frames.length)).toEqual(wires);
    expect(nic.counters()).toMatchObject({ xdp_redirect: 1, xdp_redirect_errors: errors });
  });

  test("frames over the interface's mtu, Ethernet header and a VLAN tag do not go out", () => {
    const { nic } = nicWith(programSpec("r1 = 2\nr2 = 0\ncall 23\nexit"), {
      interfaces: [{ ifindex: 1 }, { ifindex: 2, mtu: 1500 }],
    });
    nic.process(frameWith(0, 1518), 0n);
    expect(nic.counters().xdp_redirect_errors).toBe(0);
    nic.process(frameWith(0, 1519), 0n);
    expect(nic.counters().xdp_redirect_errors).toBe(1);
    expect(nic.transmitCounters(2)).toEqual({ tx_packets: 1, tx_bytes: 1518 });
  });

  /** Redirects by the map's entry number 1; `flags` as bpf_redirect_map takes them. */
  const byMap = (flags: number): ReturnType<typeof programSpec> =>
    programSpec(`r1 = 0 ll\nr2 = 1\nr3 = ${flags}\ncall 51\nexit`, [[0, "targets"]]);

  test("by a DEVMAP's entry", () => {
    const wire = new RecordingWire();
    const { machine, nic } = nicWith(byMap(1), {
      maps: [mapSpec({ ...MAP_VALUES, type: BPF_MAP_TYPE_DEVMAP, name: "targets" })],
      interfaces: [{ ifindex: 1 }, { ifindex: 2, wire }],
    });
    expect(nic.process(frameWith(0), 0n)).toMatchObject({ action: "drop", code: 1 });
    machine.map("targets").updateValue(u32(1), Uint8Array.of(...u32(2), ...u32(0)));
    expect(nic.process(frameWith(0), 0n)).toMatchObject({ action: "redirect", egressIfindex: 2 });
    expect(wire.frames).toHaveLength(1);
  });

  test("to all of a DEVMAP's interfaces but the frame's own", () => {
    const wires = [1, 2, 3].map(() => new RecordingWire());
    const { machine, nic } = nicWith(byMap(8 | 16), {
      maps: [mapSpec({ ...MAP_VALUES, type: BPF_MAP_TYPE_DEVMAP, name: "targets" })],
      interfaces: wires.map((wire, i) => ({ ifindex: i + 1, wire })),
    });
    [1, 2, 3].forEach((ifindex, i) => {
      machine.map("targets").updateValue(u32(i), Uint8Array.of(...u32(ifindex), ...u32(0)));
    });
    nic.process(frameWith(0), 0n, 2);
    expect(wires.map(({ frames }) => frames.length)).toEqual([1, 0, 1]);
  });

  test("an entry with a program of its own is an error: the NIC does not run it", () => {
    const { machine, nic } = nicWith(byMap(0), {
      maps: [mapSpec({ ...MAP_VALUES, type: BPF_MAP_TYPE_DEVMAP, name: "targets" })],
      interfaces: [{ ifindex: 1 }, { ifindex: 2 }],
    });
    // The program under test is the machine's first, of id 1.
    machine.map("targets").updateValue(u32(1), Uint8Array.of(...u32(2), ...u32(1)));
    nic.process(frameWith(0), 0n);
    expect(nic.counters()).toMatchObject({ xdp_redirect: 1, xdp_redirect_errors: 1 });
    expect(nic.transmitCounters(2).tx_packets).toBe(0);
  });

  test("by a CPUMAP's entry to the host, on that CPU", () => {
    const cpus: number[] = [];
    const { machine, nic } = nicWith(byMap(0), {
      maps: [mapSpec({ ...MAP_VALUES, type: BPF_MAP_TYPE_CPUMAP, name: "targets" })],
      machine: { cpuCount: 2 },
      host: (_frame, _timestampNs, { cpu }) => cpus.push(cpu),
    });
    machine.map("targets").updateValue(u32(1), Uint8Array.of(...u32(64), ...u32(0)));
    expect(nic.process(frameWith(0), 0n).action).toBe("redirect");
    expect(cpus).toEqual([1]);
  });

  test.for([true, false])("by an XSKMAP's entry to the host's socket, when there is one: %s", (hasSocket) => {
    const sockets: number[] = [];
    const { machine, nic } = nicWith(byMap(0), {
      maps: [mapSpec({ ...MAP_VALUES, valueSizeBytes: 4, type: BPF_MAP_TYPE_XSKMAP, name: "targets" })],
      ...(hasSocket ? { socket: (_frame, _timestampNs, id) => sockets.push(id) } : {}),
    });
    machine.map("targets").updateValue(u32(1), u32(33));
    nic.process(frameWith(0), 0n);
    expect(sockets).toEqual(hasSocket ? [33] : []);
    expect(nic.counters().xdp_redirect_errors).toBe(hasSocket ? 0 : 1);
  });
});

describe("bad programs and frames", () => {
  /** Reads behind the frame when its first byte is 255. */
  const READS_BEYOND = programSpec(`
    r2 = *(u32 *)(r1 + 0)
    r0 = *(u8 *)(r2 + 0)
    if r0 != 255 goto +1
    r0 = *(u8 *)(r2 + 4000)
    exit`);

  test("a fault aborts the frame, is kept and counted, and the next frame is as any other", () => {
    const { nic } = nicWith(READS_BEYOND);
    const outcome = nic.process(frameWith(255), 9n);
    expect(outcome).toMatchObject({ action: "aborted", code: 0 });
    expect(outcome.fault).toMatchObject({ name: "VmFault", code: "out-of-bounds", slot: 3 });
    expect(nic.process(frameWith(2), 10n)).toMatchObject({ action: "pass", fault: undefined });
    expect(nic.counters()).toMatchObject({ xdp_aborted: 1, xdp_faults: 1, xdp_pass: 1 });
    expect(nic.faults).toMatchObject([{ frameIndex: 0, queue: 0, timestampNs: 9n, fault: { slot: 3 } }]);
  });

  test("of many faults the first few are kept and all are counted", () => {
    const { nic } = nicWith(READS_BEYOND);
    for (let i = 0; i < 100; i++) nic.process(frameWith(255), 0n);
    expect(nic.faults.map(({ frameIndex }) => frameIndex)).toEqual(Array.from({ length: 16 }, (_, i) => i));
    expect(nic.counters().xdp_faults).toBe(100);
  });

  test("an empty frame runs", () => {
    const { nic } = nicWith(FIRST_BYTE);
    expect(nic.process(new Uint8Array(0), 0n)).toMatchObject({ action: "aborted", code: 99 });
  });

  test.for([
    { bufferSizeBytes: undefined, longest: 3520 },
    { bufferSizeBytes: 65535 + 576, longest: 65535 },
  ])("the longest frame is $longest bytes; longer ones no program sees", ({ bufferSizeBytes, longest }) => {
    const { nic } = nicWith(FIRST_BYTE, {
      ...(bufferSizeBytes === undefined ? {} : { machine: { bufferSizeBytes } }),
    });
    expect(nic.process(frameWith(2, longest), 0n).action).toBe("pass");
    const tooLong = frameWith(2, longest + 1);
    const outcome = nic.process(tooLong, 0n);
    expect(outcome).toMatchObject({ action: "over-length", code: 0, index: 1 });
    expect(outcome.frame).toEqual(tooLong);
    expect(nic.enqueue(tooLong, 0n)).toBe(false);
    expect(nic.counters()).toMatchObject({ rx_packets: 1, rx_bytes: longest, rx_over_length: 2 });
  });

  test.for([
    { name: "more queues than CPUs", options: { queueCount: 2 }, fact: "2 queues" },
    { name: "ifindex 0", options: { interfaces: [{ ifindex: 0 }] }, fact: "ifindex 0" },
    {
      name: "an ifindex twice",
      options: { interfaces: [{ ifindex: 3 }, { ifindex: 3 }] },
      fact: "ifindex 3",
    },
    { name: "no descriptors", options: { ringSize: 0 }, fact: "ring of 0" },
  ])("a NIC with $name is refused", ({ options, fact }) => {
    expect(() => new Nic(new Machine([]), options)).toThrow(new RegExp(fact));
  });
});

describe("queues", () => {
  test("each is a CPU, and RSS spreads flows over all of them", () => {
    const whichCpu = programSpec("call 8\nr0 += 100\nexit");
    const { nic } = nicWith(whichCpu, { machine: { cpuCount: 4 } });
    const seen = new Set<number>();
    for (let flow = 0; flow < 256; flow++) {
      const { queue, code } = nic.process(tcpFrame(0, flow), 0n);
      expect(code).toBe(100 + queue);
      seen.add(queue);
    }
    expect(seen).toEqual(new Set([0, 1, 2, 3]));
    expect(nic.counters().rx_packets).toBe(256);
  });

  test("a frame may be said to come in by one, whatever RSS would say", () => {
    const { nic } = nicWith(programSpec("call 8\nr0 += 100\nexit"), { machine: { cpuCount: 4 } });
    for (let flow = 0; flow < 16; flow++) {
      expect(nic.processOn(2, tcpFrame(0, flow), 5n)).toMatchObject({ queue: 2, code: 102, timestampNs: 5n });
    }
    // Not hashed: queue 0, but for who says otherwise.
    expect(nic.processOn(3, frameWith(1), 0n)).toMatchObject({ queue: 3, code: 103 });
    expect(nic.queueCounters(2)).toMatchObject({ rx_packets: 16 });
    for (const queue of [-1, 4, 0.5]) {
      expect(() => nic.processOn(queue, frameWith(1), 0n)).toThrow(`queue ${queue}, expected one of 4`);
    }
  });

  test("outcomes come in the order of the frames for any number of queues", () => {
    for (const cpuCount of [1, 2, 8]) {
      const { nic } = nicWith(FIRST_BYTE, { machine: { cpuCount } });
      const codes = Array.from({ length: 100 }, (_, i) => nic.process(tcpFrame(i + 5, i), 0n).code);
      expect(codes).toEqual(Array.from({ length: 100 }, (_, i) => i + 5));
    }
  });

  test("a full ring drops what comes, and goes on when it was polled", () => {
    const { nic } = nicWith(FIRST_BYTE, { ringSize: 4 });
    const accepted = [10, 11, 12, 13, 14, 15].map((first) => nic.enqueue(frameWith(first), 0n));
    expect(accepted).toEqual([true, true, true, true, false, false]);
    expect(nic.queueCounters(0)).toEqual({ ...ZERO, rx_no_descriptor: 2 });
    expect(nic.backlog(0)).toBe(4);

    const codes: number[] = [];
    const onOutcome = ({ code }: { code: number }): number => codes.push(code);
    expect(nic.poll(0, { budget: 3, onOutcome })).toBe(3);
    expect(nic.enqueue(frameWith(20), 0n)).toBe(true);
    expect(nic.enqueue(frameWith(21), 0n)).toBe(true);
    expect(nic.poll(0, { onOutcome })).toBe(3);
    expect(nic.poll(0, { onOutcome })).toBe(0);
    expect(codes).toEqual([10, 11, 12, 13, 20, 21]);
  });

  test("a ring holds frames of all lengths, with their times and interfaces", () => {
    const { nic } = nicWith(FIRST_BYTE, { ringSize: 3, interfaces: [{ ifindex: 1 }, { ifindex: 2 }] });
    const buffer = new Uint8Array(100);
    const lengths = [14, 100, 1, 60, 99, 14, 33];
    const seen: string[] = [];
    lengths.forEach((length, i) => {
      // The NIC copies: the sender uses its buffer again.
      buffer.fill(i);
      nic.enqueue(buffer.subarray(0, length), BigInt(i), 1 + (i % 2));
      if (i % 2 === 1) {
        nic.poll(0, {
          onOutcome: ({ frame, timestampNs, ifindex }) =>
            seen.push(`${frame.length}x${frame[0]} at ${timestampNs} from ${ifindex}`),
        });
      }
    });
    expect(seen).toEqual(
      lengths.slice(0, 6).map((length, i) => `${length}x${i} at ${i} from ${1 + (i % 2)}`),
    );
    expect(() => nic.poll(1)).toThrow(/queue 1/);
  });

  test("time is set to a frame's before the program runs", () => {
    const nowNs = programSpec("call 5\nexit");
    const { nic } = nicWith(nowNs);
    expect(nic.process(frameWith(0), 40n).code).toBe(0);
    const timed = nicWith(nowNs, {
      setTime: (timestampNs) => {
        timed.machine.clock.monotonicNs = timestampNs;
      },
    });
    expect(timed.nic.process(frameWith(0), 40n).code).toBe(40);
    expect(timed.nic.process(frameWith(0), 41n).code).toBe(41);
  });
});
