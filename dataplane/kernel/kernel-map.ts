/**
 * The port's view of maps in the kernel. Arrays made with BPF_F_MMAPABLE are memory: reads and writes are plain loads and stores, which a
 * packet on another CPU sees at once. Elements lie `valueSizeBytes` rounded up to 8 apart (array_map_alloc in kernel/bpf/arraymap.c). Others are read
 * and written by system calls.
 *
 * A small array is mapped whole when it is first used. Of a large one only what is being used is mapped: the kernel populates mappings at once, and
 * all rings of 512 VIPs would count 134 MB to this process.
 */
import { type DataplaneMap, MapError } from "../dataplane.ts";
import type { Descriptor } from "./descriptor.ts";
import { KernelError } from "./kernel-error.ts";
import { mapInfo } from "./map-info.ts";
import { Mapping, pageSizeBytes } from "./mapping.ts";
import { RawMap } from "./raw-map.ts";

const BPF_MAP_TYPE_ARRAY = 2;
const BPF_MAP_TYPE_ARRAY_OF_MAPS = 12;
const BPF_MAP_TYPE_HASH_OF_MAPS = 13;
const BPF_F_RDONLY_PROG = 1 << 7;
const BPF_F_MMAPABLE = 1 << 10;

/** Arrays up to this size are mapped whole and stay so; windows on larger ones up to this size stay until another is wanted. */
const KEPT_SIZE_MAX_BYTES = 1 << 20;

/** A map of a kernel dataplane; `close` ends its use, and closes the descriptors. */
export interface KernelMap extends DataplaneMap {
  close(): void;
}

/** Takes over the descriptors; `inner` are those of a map-in-map, by index. Throws MapError "wrong-type" for other maps than arrays. */
export function kernelMap(
  name: string,
  descriptor: Descriptor,
  inner: readonly (Descriptor | undefined)[] = [],
): KernelMap {
  const { type } = mapInfo(descriptor);
  if (type === BPF_MAP_TYPE_ARRAY) return new KernelArray(name, descriptor);
  if (type === BPF_MAP_TYPE_ARRAY_OF_MAPS || type === BPF_MAP_TYPE_HASH_OF_MAPS) {
    return new KernelMapOfMaps(name, descriptor, inner);
  }
  throw new MapError("wrong-type", name, `is of type ${type}, expected ${BPF_MAP_TYPE_ARRAY} (ARRAY)`);
}

class KernelArray implements KernelMap {
  readonly name: string;
  readonly valueSizeBytes: number;
  readonly maxEntries: number;
  readonly #descriptor: Descriptor;
  readonly #strideBytes: number;
  readonly #isMappable: boolean;
  readonly #isReadonly: boolean;
  readonly #raw: RawMap;
  #window: Window | undefined;
  /** For single elements while a view holds the other one. */
  #sideWindow: Window | undefined;
  /** Calls of withView under way: their window must stay as it is. */
  #viewDepth = 0;

  constructor(name: string, descriptor: Descriptor) {
    const { valueSizeBytes, maxEntries, flags } = mapInfo(descriptor);
    this.name = name;
    this.valueSizeBytes = valueSizeBytes;
    this.maxEntries = maxEntries;
    this.#descriptor = descriptor;
    this.#strideBytes = Math.ceil(valueSizeBytes / 8) * 8;
    // What a program may only read was frozen when it was loaded, and can only be mapped for reading.
    this.#isReadonly = (flags & BPF_F_RDONLY_PROG) !== 0;
    this.#isMappable = (flags & BPF_F_MMAPABLE) !== 0 && !this.#isReadonly;
    this.#raw = new RawMap(descriptor, name);
  }

  read(index: number): Uint8Array {
    this.#requireOpen();
    this.#requireElements(index, 1);
    if (this.#isMappable) return this.#bytes(index, 1).slice(0, this.valueSizeBytes);
    const value = this.#raw.lookup(keyOf(index));
    if (value === undefined) throw this.#error("io", `has no element ${index}`);
    return value;
  }

  write(index: number, value: Uint8Array): void {
    this.#requireOpen();
    this.#requireElements(index, 1);
    if (value.length !== this.valueSizeBytes) {
      throw this.#error("wrong-size", `value of ${value.length} bytes, expected ${this.valueSizeBytes}`);
    }
    this.#requireWritable();
    if (this.#isMappable) this.#bytes(index, 1).set(value);
    else this.#raw.update(keyOf(index), value);
  }

  store32(index: number, offsetBytes: number, value: number): void {
    this.#requireOpen();
    this.#requireField(index, offsetBytes, 4);
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
      throw this.#error("wrong-size", `${value} does not fit 32 bits, unsigned`);
    }
    this.#requireMappable();
    const bytes = this.#bytes(index, 1);
    Atomics.store(new Uint32Array(bytes.buffer, bytes.byteOffset + offsetBytes, 1), 0, value);
  }

  store64(index: number, offsetBytes: number, value: bigint): void {
    this.#requireOpen();
    this.#requireField(index, offsetBytes, 8);
    if (BigInt.asUintN(64, value) !== value) {
      throw this.#error("wrong-size", `${value} does not fit 64 bits, unsigned`);
    }
    this.#requireMappable();
    const bytes = this.#bytes(index, 1);
    Atomics.store(new BigUint64Array(bytes.buffer, bytes.byteOffset + offsetBytes, 1), 0, value);
  }

  withView<T>(index: number, count: number, use: (bytes: Uint8Array) => T): T {
    this.#requireOpen();
    this.#requireElements(index, 1);
    this.#requireElements(index, count);
    this.#requireMappable();
    const isNested = this.#viewDepth > 0;
    const window = isNested
      ? new Window(this.#descriptor, this.name, this.#totalSizeBytes)
      : this.#ownWindow();
    this.#viewDepth++;
    try {
      return use(window.bytes(index * this.#strideBytes, count * this.#strideBytes));
    } finally {
      this.#viewDepth--;
      if (isNested) window.close();
      else window.trim();
    }
  }

  inner(_index: number): DataplaneMap {
    throw this.#error("wrong-type", "is an array, and has no inner maps");
  }

  close(): void {
    this.#window?.close();
    this.#window = undefined;
    this.#sideWindow?.close();
    this.#sideWindow = undefined;
    this.#descriptor.close();
  }

  /** The memory of some elements, until the next call. */
  #bytes(index: number, count: number): Uint8Array {
    const [start, size] = [index * this.#strideBytes, count * this.#strideBytes];
    const window = this.#ownWindow();
    // Inside of withView its window must not move.
    if (this.#viewDepth === 0 || window.holds(start, size)) return window.bytes(start, size);
    this.#sideWindow ??= this.#newWindow();
    return this.#sideWindow.bytes(start, size);
  }

  #ownWindow(): Window {
    this.#window ??= this.#newWindow();
    return this.#window;
  }

  #newWindow(): Window {
    return new Window(this.#descriptor, this.name, this.#totalSizeBytes);
  }

  get #totalSizeBytes(): number {
    return this.maxEntries * this.#strideBytes;
  }

  #requireOpen(): void {
    if (this.#descriptor.isClosed) throw this.#error("io", "is closed");
  }

  #requireElements(index: number, count: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.maxEntries) {
      throw this.#error("out-of-range", `index ${index}, expected 0 to ${this.maxEntries - 1}`);
    }
    if (!Number.isInteger(count) || count < 0 || index + count > this.maxEntries) {
      throw this.#error("out-of-range", `${count} elements from ${index}, it has ${this.maxEntries}`);
    }
  }

  #requireField(index: number, offsetBytes: number, sizeBytes: number): void {
    this.#requireElements(index, 1);
    const isInside = offsetBytes >= 0 && offsetBytes + sizeBytes <= this.valueSizeBytes;
    if (!isInside || offsetBytes % sizeBytes !== 0) {
      throw this.#error(
        "out-of-range",
        `${sizeBytes} bytes at offset ${offsetBytes}, expected a multiple of ${sizeBytes} in ${this.valueSizeBytes} bytes`,
      );
    }
  }

  #requireWritable(): void {
    if (this.#isReadonly) throw this.#error("io", "is frozen: it cannot change after load");
  }

  #requireMappable(): void {
    this.#requireWritable();
    if (!this.#isMappable) {
      throw this.#error("wrong-type", "is no memory of this process, expected an array with BPF_F_MMAPABLE");
    }
  }

  #error(code: MapError["code"], why: string): MapError {
    return new MapError(code, this.name, why);
  }
}

/** Memory that shows one range of a map's values at a time; of a small map, all of it. */
class Window {
  readonly #descriptor: Descriptor;
  readonly #what: string;
  /** Of all values; the kernel maps up to the end of the last page. */
  readonly #totalSizeBytes: number;
  #mapping: Mapping | undefined;
  #start = 0;
  #end = 0;

  constructor(descriptor: Descriptor, name: string, totalSizeBytes: number) {
    this.#descriptor = descriptor;
    this.#what = `map "${name}"`;
    this.#totalSizeBytes = totalSizeBytes;
  }

  holds(start: number, sizeBytes: number): boolean {
    return start >= this.#start && start + sizeBytes <= this.#end && this.#mapping !== undefined;
  }

  /** Those bytes of the values, until the next call. Throws MapError "io". */
  bytes(start: number, sizeBytes: number): Uint8Array {
    if (!this.holds(start, sizeBytes)) this.#show(start, sizeBytes);
    return new Uint8Array((this.#mapping as Mapping).buffer, start - this.#start, sizeBytes);
  }

  /** Lets go of what is too large to be kept. */
  trim(): void {
    if (this.#end - this.#start <= KEPT_SIZE_MAX_BYTES) return;
    this.close();
  }

  close(): void {
    this.#mapping?.close();
    this.#mapping = undefined;
    this.#start = 0;
    this.#end = 0;
  }

  #show(start: number, sizeBytes: number): void {
    const page = pageSizeBytes();
    const isWhole = this.#totalSizeBytes <= KEPT_SIZE_MAX_BYTES;
    const from = isWhole ? 0 : Math.floor(start / page) * page;
    const to = isWhole ? this.#totalSizeBytes : start + Math.max(1, sizeBytes);
    const wanted = Math.ceil((to - from) / page) * page;
    try {
      if (this.#mapping === undefined || this.#mapping.buffer.byteLength < wanted) {
        this.close();
        this.#mapping = new Mapping(wanted, this.#what);
      }
      this.#start = 0;
      this.#end = 0;
      this.#mapping.show(this.#descriptor, from, wanted);
      this.#start = from;
      this.#end = from + wanted;
    } catch (cause) {
      if (!(cause instanceof KernelError)) throw cause;
      throw new MapError("io", this.#what.slice(5, -1), cause.message, { cause });
    }
  }
}

class KernelMapOfMaps implements KernelMap {
  readonly name: string;
  readonly valueSizeBytes: number;
  readonly maxEntries: number;
  readonly #descriptor: Descriptor;
  readonly #inner: readonly (KernelMap | undefined)[];

  constructor(name: string, descriptor: Descriptor, inner: readonly (Descriptor | undefined)[]) {
    const { valueSizeBytes, maxEntries } = mapInfo(descriptor);
    this.name = name;
    this.valueSizeBytes = valueSizeBytes;
    this.maxEntries = maxEntries;
    this.#descriptor = descriptor;
    this.#inner = inner.map((each, index) => each && kernelMap(`${name}[${index}]`, each));
  }

  inner(index: number): DataplaneMap {
    if (this.#descriptor.isClosed) throw new MapError("io", this.name, "is closed");
    if (!Number.isInteger(index) || index < 0 || index >= this.maxEntries) {
      throw new MapError("out-of-range", this.name, `index ${index}, expected 0 to ${this.maxEntries - 1}`);
    }
    const map = this.#inner[index];
    if (map === undefined) throw new MapError("no-such-map", this.name, `no inner map at index ${index}`);
    return map;
  }

  read(_index: number): Uint8Array {
    throw this.#noValues();
  }

  write(_index: number, _value: Uint8Array): void {
    throw this.#noValues();
  }

  store32(_index: number, _offsetBytes: number, _value: number): void {
    throw this.#noValues();
  }

  store64(_index: number, _offsetBytes: number, _value: bigint): void {
    throw this.#noValues();
  }

  withView<T>(_index: number, _count: number, _use: (bytes: Uint8Array) => T): T {
    throw this.#noValues();
  }

  close(): void {
    for (const map of this.#inner) map?.close();
    this.#descriptor.close();
  }

  #noValues(): MapError {
    return new MapError("wrong-type", this.name, "holds maps, not values: see inner()");
  }
}

function keyOf(index: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(index).buffer);
}
