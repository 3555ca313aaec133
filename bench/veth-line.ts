/**
 * Two ends of a veth pair in a namespace of their own. Frames that the kernel makes by the million go out of one end, through the program
 * that is measured on the other, and back to a sink that counts them; all of it on the one CPU of the caller.
 *
 *     generator ──► near ═══ far: the program ──XDP_TX──► near: sink
 */
import { closeSync, openSync } from "node:fs";
import { encode } from "../dataplane/isa/encoding.ts";
import type { Instruction } from "../dataplane/isa/instruction.ts";
import { Descriptor } from "../dataplane/kernel/descriptor.ts";
import { systemError } from "../dataplane/kernel/kernel-error.ts";
import { libbpf } from "../dataplane/kernel/libbpf.ts";
import { checked, libc } from "../dataplane/kernel/libc.ts";
import { NativeStruct } from "../dataplane/kernel/native.ts";
import { Namespace } from "../test/e2e/harness/namespace.ts";
import { ownedName } from "../test/e2e/harness/owned-name.ts";
import { Undo } from "../test/e2e/harness/undo.ts";
import { connectVeth } from "../test/e2e/harness/veth.ts";
import {
  FRAME_BYTES,
  GENERATOR_STATE,
  GENERATOR_STATE_BYTES,
  generator,
  SINK_STATE,
  SINK_STATE_BYTES,
  sink,
} from "./veth-programs.ts";

export const NEAR_MAC = "02:00:00:00:00:01";
export const FAR_MAC = "02:00:00:00:00:02";

const CLONE_NEWNET = 0x4000_0000;
// include/uapi/linux/bpf.h
const BPF_MAP_TYPE_ARRAY = 2;
const BPF_PROG_TYPE_XDP = 6;
const BPF_XDP = 37;
const XDP_FLAGS_DRV_MODE = 1 << 2;
const BPF_F_TEST_XDP_LIVE_FRAMES = 1 << 1;
// struct bpf_link_create_opts and bpf_test_run_opts of libbpf 1.0.
const LINK_OPTIONS = { sizeBytes: 64, flags: 8 } as const;
const TEST_RUN_OPTIONS = {
  sizeBytes: 80,
  dataIn: 8,
  dataSizeIn: 24,
  repeat: 60,
  flags: 68,
  batchSize: 76,
} as const;

/** As many frames as one veth ring holds: more at once are lost (drivers/net/veth.c, VETH_RING_SIZE). */
const BATCH_FRAMES = 64;

export interface Traffic {
  /** FRAME_BYTES bytes: TCP or UDP over IPv4 or IPv6, without VLAN tags and options. */
  readonly frame: Uint8Array;
  /** A power of two: of as many source ports. */
  readonly flows: number;
}

export class VethLine {
  readonly #undo = new Undo();
  readonly #namespace: Namespace;
  readonly #generator: Descriptor;
  readonly #generatorState: Descriptor;
  readonly #sinkState: Descriptor;
  readonly #farIfindex: number;
  readonly #input = new Uint8Array(FRAME_BYTES);

  constructor() {
    this.#namespace = new Namespace(ownedName(), { isRouter: false, undo: this.#undo });
    // Nobody but the generator says anything on it.
    this.#namespace.sysctl({ "net/ipv6/conf/default/disable_ipv6": 1 });
    const [near, far] = [
      { namespace: this.#namespace, name: "near", mac: NEAR_MAC, addresses: [] },
      { namespace: this.#namespace, name: "far", mac: FAR_MAC, addresses: [] },
    ];
    connectVeth(near, far, { mtu: 1600 });
    this.#generatorState = this.#own(createState("generator_state", GENERATOR_STATE_BYTES));
    this.#sinkState = this.#own(createState("sink_state", SINK_STATE_BYTES));
    this.#generator = this.#own(loadProgram("generator", generator(this.#generatorState.fd)));
    const sinkProgram = this.#own(loadProgram("sink", sink(this.#sinkState.fd)));
    const [nearIfindex, farIfindex] = this.#inside(() => {
      const indexes = ["near", "far"].map((name) => libc().if_nametoindex(name)) as [number, number];
      this.#own(attach(sinkProgram, indexes[0]));
      return indexes;
    });
    this.#farIfindex = farIfindex;
    this.#setState((state) => state.setUint32(GENERATOR_STATE.ifindex, nearIfindex, true));
  }

  /** What is sent from here on. */
  configure({ frame, flows }: Traffic): void {
    this.#setState((state) => {
      new Uint8Array(state.buffer).set(frame, GENERATOR_STATE.frame);
      state.setUint32(GENERATOR_STATE.portMask, flows - 1, true);
      state.setUint32(GENERATOR_STATE.portOffset, sourcePortOffset(frame), true);
    });
  }

  /** Attaches a program to the far end, natively; the caller closes the link. */
  attach(program: Descriptor): Descriptor {
    return this.#inside(() => attach(program, this.#farIfindex));
  }

  /** Sends frames, and throws unless each came back, with `backBytes` bytes where that is given. */
  send(count: number, backBytes?: number): void {
    const before = this.#received();
    const options = new NativeStruct(TEST_RUN_OPTIONS.sizeBytes, { hasSize: true })
      .setPointer(TEST_RUN_OPTIONS.dataIn, this.#input)
      .setU32(TEST_RUN_OPTIONS.dataSizeIn, FRAME_BYTES)
      .setU32(TEST_RUN_OPTIONS.repeat, count)
      .setU32(TEST_RUN_OPTIONS.flags, BPF_F_TEST_XDP_LIVE_FRAMES)
      .setU32(TEST_RUN_OPTIONS.batchSize, BATCH_FRAMES);
    this.#inside(() => {
      const result = libbpf().bpf_prog_test_run_opts(this.#generator.fd, options.bytes);
      if (result < 0)
        throw systemError("run the generator with live frames, which Linux has since 5.18", result);
    });
    const after = this.#received();
    const frames = after.frames - before.frames;
    const bytes = after.bytes - before.bytes;
    if (frames !== BigInt(count)) throw new Error(`${frames} of ${count} frames came back`);
    if (backBytes !== undefined && bytes !== BigInt(count * backBytes)) {
      throw new Error(`${bytes} bytes came back, expected ${count} frames of ${backBytes}`);
    }
  }

  /** Runs a command in the line's namespace to its end, and returns what it printed. The interface of the far end is `far`. */
  run(command: string, args: readonly string[]): string {
    return this.#namespace.run(command, args);
  }

  close(): void {
    this.#undo.run();
  }

  #own(descriptor: Descriptor): Descriptor {
    this.#undo.add(descriptor.what, () => descriptor.close());
    return descriptor;
  }

  #inside<T>(action: () => T): T {
    const outside = openSync("/proc/self/ns/net", "r");
    const inside = openSync(`/run/netns/${this.#namespace.name}`, "r");
    try {
      checked(libc().setns(inside, CLONE_NEWNET), `enter namespace ${this.#namespace.name}`);
      try {
        return action();
      } finally {
        checked(libc().setns(outside, CLONE_NEWNET), "leave the namespace");
      }
    } finally {
      closeSync(inside);
      closeSync(outside);
    }
  }

  #setState(change: (state: DataView) => void): void {
    const value = readState(this.#generatorState, GENERATOR_STATE_BYTES);
    change(new DataView(value.buffer));
    const result = libbpf().bpf_map_update_elem(this.#generatorState.fd, FIRST, value, 0);
    if (result < 0) throw systemError(`update ${this.#generatorState.what}`, result);
  }

  #received(): { readonly frames: bigint; readonly bytes: bigint } {
    const state = new DataView(readState(this.#sinkState, SINK_STATE_BYTES).buffer);
    return {
      frames: state.getBigUint64(SINK_STATE.frames, true),
      bytes: state.getBigUint64(SINK_STATE.bytes, true),
    };
  }
}

/** The key of the one value. */
const FIRST = new Uint8Array(4);

/** Of a frame without VLAN tags and IP options. */
function sourcePortOffset(frame: Uint8Array): number {
  return 14 + (frame[14]! >>> 4 === 6 ? 40 : 20);
}

/** An XDP program from instructions. */
export function loadProgram(name: string, instructions: readonly Instruction[]): Descriptor {
  const bytes = encode(instructions, true);
  const result = libbpf().bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", bytes, instructions.length, null);
  return Descriptor.from(result, `load program "${name}"`, `program "${name}"`);
}

function createState(name: string, sizeBytes: number): Descriptor {
  const result = libbpf().bpf_map_create(BPF_MAP_TYPE_ARRAY, name, 4, sizeBytes, 1, null);
  return Descriptor.from(result, `create map "${name}"`, `map "${name}"`);
}

function readState(map: Descriptor, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const value = new Uint8Array(sizeBytes);
  const result = libbpf().bpf_map_lookup_elem(map.fd, FIRST, value);
  if (result < 0) throw systemError(`read ${map.what}`, result);
  return value;
}

function attach(program: Descriptor, ifindex: number): Descriptor {
  const options = new NativeStruct(LINK_OPTIONS.sizeBytes, { hasSize: true }).setU32(
    LINK_OPTIONS.flags,
    XDP_FLAGS_DRV_MODE,
  );
  const result = libbpf().bpf_link_create(program.fd, ifindex, BPF_XDP, options.bytes);
  return Descriptor.from(result, `attach ${program.what}`, `link of ${program.what}`);
}
