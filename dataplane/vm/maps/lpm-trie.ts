/**
 * LPM_TRIE: longest prefix match over bit strings (kernel/bpf/lpm_trie.c, Linux 6.18).
 *
 *   key    0 u32 prefix length in bits     4 data, most significant bit of the first byte first
 *   node   0 u32 child for a 0 bit         4 u32 child for a 1 bit
 *          8 u32 prefix length            12 u32 1: a branching point without a value
 *         16 data, padded to 8, then the value, padded to 8
 *
 * A path-compressed binary trie: a node's data agrees with its parent's up to the parent's prefix length, and the bit behind that
 * says which child it is. N prefixes need at most N - 1 branching points. Free nodes are chained by their first word; those never used
 * are taken in order, so that a large trie costs no memory until it fills.
 *
 * State words of the descriptor:
 *   32 u32 root   36 u32 prefixes in the trie   40 u32 first free node   44 u32 next untouched   48 u32 end of the untouched
 *
 * As in hash.ts, replacing a value takes a new node, and threads have to be kept apart by the caller.
 */
import type { MapSpec } from "../../object/spec.ts";
import type { Memory } from "../memory.ts";
import { allocateDescriptor, DESCRIPTOR_STATE } from "./descriptor.ts";
import type { MapEnvironment } from "./environment.ts";
import { EACCES, EEXIST, EINVAL, ENOENT, ENOSPC } from "./errno.ts";
import type { VmMap } from "./map.ts";
import { isReadonlyForPrograms, requireKeySize, requireValueSize, roundUp } from "./map-access.ts";
import { BPF_EXIST, BPF_NOEXIST } from "./map-type.ts";

const KEY_DATA = 4;

const NODE_CHILDREN = 0;
const NODE_PREFIX = 8;
const NODE_IS_BRANCH = 12;
const NODE_DATA = 16;

const STATE_ROOT: number = DESCRIPTOR_STATE;
const STATE_COUNT: number = DESCRIPTOR_STATE + 4;
const STATE_FREE: number = DESCRIPTOR_STATE + 8;
const STATE_FRESH: number = DESCRIPTOR_STATE + 12;
const STATE_FRESH_END: number = DESCRIPTOR_STATE + 16;

export class LpmTrie implements VmMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly handle: number;
  readonly valueRegion: {
    readonly address: number;
    readonly sizeBytes: number;
    readonly strideBytes: number;
  };
  readonly #memory: Memory;
  readonly #dataBytes: number;
  readonly #valueOffset: number;
  readonly #nodeBytes: number;
  readonly #scratchKey: number;
  readonly #scratchValue: number;

  constructor(spec: MapSpec, memory: Memory, environment: MapEnvironment) {
    this.spec = spec;
    this.id = environment.id;
    this.#memory = memory;
    this.#dataBytes = spec.keySizeBytes - KEY_DATA;
    this.#valueOffset = NODE_DATA + roundUp(this.#dataBytes, 8);
    this.#nodeBytes = this.#valueOffset + roundUp(spec.valueSizeBytes, 8);
    // Prefixes, branching points, and one more to write a new value into before the old one goes.
    const nodeCount = 2 * spec.maxEntries;
    const nodes = memory.allocate(nodeCount * this.#nodeBytes, 64);
    this.#scratchKey = memory.allocate(spec.keySizeBytes);
    this.#scratchValue = memory.allocate(spec.valueSizeBytes);
    this.valueRegion = {
      address: nodes + this.#valueOffset,
      sizeBytes: nodeCount * this.#nodeBytes - this.#valueOffset,
      strideBytes: this.#nodeBytes,
    };
    this.handle = allocateDescriptor(memory, spec, {
      id: this.id,
      values: this.valueRegion.address,
      strideBytes: this.#nodeBytes,
    });
    memory.view.setUint32(this.handle + STATE_FRESH, nodes, true);
    memory.view.setUint32(this.handle + STATE_FRESH_END, nodes + nodeCount * this.#nodeBytes, true);
  }

  /** Prefixes in the trie. */
  get count(): number {
    return this.#memory.view.getUint32(this.handle + STATE_COUNT, true);
  }

  /** The value of the longest prefix that the key's own prefix starts with. */
  lookup(keyAddress: number, _cpu: number): number {
    const { view } = this.#memory;
    const keyPrefix = view.getUint32(keyAddress, true);
    if (keyPrefix > this.#dataBytes * 8) return 0;
    let found = 0;
    let node = view.getUint32(this.handle + STATE_ROOT, true);
    while (node !== 0) {
      const prefix = view.getUint32(node + NODE_PREFIX, true);
      if (this.#commonBits(node, keyAddress, keyPrefix) < prefix) break;
      if (view.getUint32(node + NODE_IS_BRANCH, true) === 0) found = node;
      if (prefix === keyPrefix) break;
      node = view.getUint32(this.#childSlot(node, keyAddress, prefix), true);
    }
    return found === 0 ? 0 : found + this.#valueOffset;
  }

  update(keyAddress: number, valueAddress: number, flags: bigint, _cpu: number): number {
    if (isReadonlyForPrograms(this.spec)) return -EACCES;
    return this.#put(keyAddress, valueAddress, flags);
  }

  delete(keyAddress: number): number {
    return isReadonlyForPrograms(this.spec) ? -EACCES : this.#remove(keyAddress);
  }

  /** Longest prefix match, as for programs: bpf(2) has no other lookup. */
  lookupValue(key: Uint8Array): Uint8Array | undefined {
    this.#takeKey(key);
    const address = this.lookup(this.#scratchKey, 0);
    return address === 0 ? undefined : this.#memory.read(address, this.spec.valueSizeBytes);
  }

  updateValue(key: Uint8Array, value: Uint8Array, flags = 0n): number {
    this.#takeKey(key);
    requireValueSize(this.spec, value, this.spec.valueSizeBytes);
    this.#memory.write(this.#scratchValue, value);
    return this.#put(this.#scratchKey, this.#scratchValue, flags);
  }

  deleteKey(key: Uint8Array): number {
    this.#takeKey(key);
    return this.#remove(this.#scratchKey);
  }

  /** More specific prefixes come before those that contain them; else in the order of their bits. */
  nextKey(key: Uint8Array | undefined): Uint8Array | undefined {
    const root = this.#memory.view.getUint32(this.handle + STATE_ROOT, true);
    if (key !== undefined) {
      this.#takeKey(key);
      const path = this.#pathTo(this.#scratchKey);
      if (path !== undefined) {
        const next = this.#successor(path);
        return next === 0 ? undefined : this.#keyOf(next);
      }
    }
    return root === 0 ? undefined : this.#keyOf(this.#firstBelow(root));
  }

  #put(keyAddress: number, valueAddress: number, flags: bigint): number {
    if (flags > BPF_EXIST || flags < 0n) return -EINVAL;
    const { view } = this.#memory;
    const keyPrefix = view.getUint32(keyAddress, true);
    if (keyPrefix > this.#dataBytes * 8) return -EINVAL;

    const { slot, node, common, isExact } = this.#locate(keyAddress);
    const isNew = !isExact || view.getUint32(node + NODE_IS_BRANCH, true) === 1;
    if (!isNew && flags === BPF_NOEXIST) return -EEXIST;
    if (isNew && flags === BPF_EXIST) return -ENOENT;
    if (isNew && this.count === this.spec.maxEntries) return -ENOSPC;

    const added = this.#take();
    this.#setKey(added, keyAddress, keyPrefix);
    const value = added + this.#valueOffset;
    this.#memory.u8.copyWithin(value, valueAddress, valueAddress + this.spec.valueSizeBytes);
    if (isNew) this.#setCount(this.count + 1);

    if (node === 0) {
      view.setUint32(slot, added, true);
    } else if (isExact) {
      view.setUint32(added + NODE_CHILDREN, view.getUint32(node + NODE_CHILDREN, true), true);
      view.setUint32(added + NODE_CHILDREN + 4, view.getUint32(node + NODE_CHILDREN + 4, true), true);
      view.setUint32(slot, added, true);
      this.#give(node);
    } else if (common === keyPrefix) {
      // The new prefix contains the node found.
      view.setUint32(this.#childSlot(added, node + NODE_DATA - KEY_DATA, keyPrefix), node, true);
      view.setUint32(slot, added, true);
    } else {
      const branch = this.#take();
      this.#setKey(branch, keyAddress, common);
      view.setUint32(branch + NODE_IS_BRANCH, 1, true);
      view.setUint32(this.#childSlot(branch, keyAddress, common), added, true);
      view.setUint32(this.#childSlot(branch, node + NODE_DATA - KEY_DATA, common), node, true);
      view.setUint32(slot, branch, true);
    }
    return 0;
  }

  #remove(keyAddress: number): number {
    const { view } = this.#memory;
    if (view.getUint32(keyAddress, true) > this.#dataBytes * 8) return -EINVAL;
    const { slot, parentSlot, node, isExact } = this.#locate(keyAddress);
    if (!isExact || view.getUint32(node + NODE_IS_BRANCH, true) === 1) return -ENOENT;
    this.#setCount(this.count - 1);

    const zero = view.getUint32(node + NODE_CHILDREN, true);
    const one = view.getUint32(node + NODE_CHILDREN + 4, true);
    if (zero !== 0 && one !== 0) {
      view.setUint32(node + NODE_IS_BRANCH, 1, true);
      return 0;
    }
    view.setUint32(slot, zero + one, true);
    this.#give(node);

    // A branching point left with one child has nothing to branch.
    const parent = parentSlot === 0 ? 0 : view.getUint32(parentSlot, true);
    if (parent !== 0 && view.getUint32(parent + NODE_IS_BRANCH, true) === 1) {
      const left = view.getUint32(parent + NODE_CHILDREN, true);
      const right = view.getUint32(parent + NODE_CHILDREN + 4, true);
      if (left === 0 || right === 0) {
        view.setUint32(parentSlot, left + right, true);
        this.#give(parent);
      }
    }
    return 0;
  }

  /**
   * Goes down as far as the key agrees. `slot` is where `node` hangs and `parentSlot` where its parent does (0 at the root); `node` is 0
   * when the slot is empty; `common` is how many bits node and key share, and `isExact` that the node has just this prefix.
   */
  #locate(keyAddress: number): {
    slot: number;
    parentSlot: number;
    node: number;
    common: number;
    isExact: boolean;
  } {
    const { view } = this.#memory;
    const keyPrefix = view.getUint32(keyAddress, true);
    let parentSlot = 0;
    let slot = this.handle + STATE_ROOT;
    for (;;) {
      const node = view.getUint32(slot, true);
      if (node === 0) return { slot, parentSlot, node, common: 0, isExact: false };
      const prefix = view.getUint32(node + NODE_PREFIX, true);
      const common = this.#commonBits(node, keyAddress, keyPrefix);
      if (common < prefix || prefix === keyPrefix) {
        return { slot, parentSlot, node, common, isExact: common === prefix && prefix === keyPrefix };
      }
      parentSlot = slot;
      slot = this.#childSlot(node, keyAddress, prefix);
    }
  }

  /** How many leading bits node and key share, at most the shorter prefix. */
  #commonBits(node: number, keyAddress: number, keyPrefix: number): number {
    const { view, u8 } = this.#memory;
    const limit = Math.min(keyPrefix, view.getUint32(node + NODE_PREFIX, true));
    for (let bits = 0; bits < limit; bits += 8) {
      const at = bits >>> 3;
      const difference = u8[node + NODE_DATA + at]! ^ u8[keyAddress + KEY_DATA + at]!;
      if (difference !== 0) return Math.min(limit, bits + Math.clz32(difference) - 24);
    }
    return limit;
  }

  /** Where the child hangs that the key's bit number `bit` leads to. */
  #childSlot(node: number, keyAddress: number, bit: number): number {
    const byte = this.#memory.u8[keyAddress + KEY_DATA + (bit >>> 3)]!;
    return node + NODE_CHILDREN + (((byte >>> (7 - (bit & 7))) & 1) << 2);
  }

  #setKey(node: number, keyAddress: number, prefix: number): void {
    const { view, u8 } = this.#memory;
    const data = keyAddress + KEY_DATA;
    view.setUint32(node + NODE_PREFIX, prefix, true);
    u8.copyWithin(node + NODE_DATA, data, data + this.#dataBytes);
  }

  #keyOf(node: number): Uint8Array {
    const key = new Uint8Array(KEY_DATA + this.#dataBytes);
    const { view, u8 } = this.#memory;
    new DataView(key.buffer).setUint32(0, view.getUint32(node + NODE_PREFIX, true), true);
    key.set(u8.subarray(node + NODE_DATA, node + NODE_DATA + this.#dataBytes), KEY_DATA);
    return key;
  }

  /** Nodes from the root to the one that holds this very prefix; undefined when none does. */
  #pathTo(keyAddress: number): number[] | undefined {
    const { view } = this.#memory;
    const { node: target, isExact } = this.#locate(keyAddress);
    if (!isExact || view.getUint32(target + NODE_IS_BRANCH, true) === 1) return undefined;
    const path: number[] = [];
    let node = view.getUint32(this.handle + STATE_ROOT, true);
    while (node !== target) {
      path.push(node);
      node = view.getUint32(
        this.#childSlot(node, keyAddress, view.getUint32(node + NODE_PREFIX, true)),
        true,
      );
    }
    path.push(target);
    return path;
  }

  /** The prefix after the last of `path` in an order that visits children before parents; 0 at the end. */
  #successor(path: number[]): number {
    const { view } = this.#memory;
    for (;;) {
      const child = path.pop();
      const parent = path.at(-1);
      if (parent === undefined) return 0;
      const one = view.getUint32(parent + NODE_CHILDREN + 4, true);
      if (one !== child && one !== 0) return this.#firstBelow(one);
      if (view.getUint32(parent + NODE_IS_BRANCH, true) === 0) return parent;
    }
  }

  /** The leaf that comes first; every leaf has a value. */
  #firstBelow(root: number): number {
    const { view } = this.#memory;
    let node = root;
    for (;;) {
      const child =
        view.getUint32(node + NODE_CHILDREN, true) || view.getUint32(node + NODE_CHILDREN + 4, true);
      if (child === 0) return node;
      node = child;
    }
  }

  #take(): number {
    const { view } = this.#memory;
    let node = view.getUint32(this.handle + STATE_FREE, true);
    if (node !== 0) {
      view.setUint32(this.handle + STATE_FREE, view.getUint32(node, true), true);
      this.#memory.u8.fill(0, node, node + NODE_DATA);
    } else {
      node = view.getUint32(this.handle + STATE_FRESH, true);
      view.setUint32(this.handle + STATE_FRESH, node + this.#nodeBytes, true);
    }
    return node;
  }

  #give(node: number): void {
    const { view } = this.#memory;
    view.setUint32(node, view.getUint32(this.handle + STATE_FREE, true), true);
    view.setUint32(this.handle + STATE_FREE, node, true);
  }

  #setCount(count: number): void {
    this.#memory.view.setUint32(this.handle + STATE_COUNT, count, true);
  }

  #takeKey(key: Uint8Array): void {
    requireKeySize(this.spec, key);
    this.#memory.write(this.#scratchKey, key);
  }
}
