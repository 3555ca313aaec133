/**
 * The port's view of an array in a simulator's memory. Elements lie `valueSizeBytes` rounded up to 8 apart, as in the kernel. Nothing
 * runs at the same time, so every write is one that packets see at once; the single stores are atomic nevertheless, for memory that
 * threads share.
 */
import { type DataplaneMap, MapError } from "./dataplane.ts";
import type { Machine } from "./vm/machine.ts";
import { ArrayMap } from "./vm/maps/array.ts";
import { isMapInMap } from "./vm/maps/inner-map.ts";
import type { VmMap } from "./vm/maps/map.ts";
import { readU32, u32Bytes } from "./vm/maps/map-access.ts";
import { BPF_MAP_TYPE_ARRAY, mapTypeName } from "./vm/maps/map-type.ts";

/** Throws MapError "wrong-type" for maps that are neither plain arrays nor map-in-maps. */
export function simulatorMap(machine: Machine, map: VmMap): DataplaneMap {
  if (map instanceof ArrayMap && map.spec.type === BPF_MAP_TYPE_ARRAY)
    return new SimulatorArray(machine, map);
  if (isMapInMap(map.spec.type)) return new SimulatorMapOfMaps(machine, map);
  throw new MapError("wrong-type", map.spec.name, `is of type ${mapTypeName(map.spec.type)}, expected ARRAY`);
}

class SimulatorArray implements DataplaneMap {
  readonly name: string;
  readonly valueSizeBytes: number;
  readonly maxEntries: number;
  readonly #machine: Machine;
  readonly #array: ArrayMap;
  readonly #strideBytes: number;

  constructor(machine: Machine, array: ArrayMap) {
    this.name = array.spec.name;
    this.valueSizeBytes = array.spec.valueSizeBytes;
    this.maxEntries = array.spec.maxEntries;
    this.#machine = machine;
    this.#array = array;
    this.#strideBytes = array.valueRegion.strideBytes;
  }

  read(index: number): Uint8Array {
    return this.#machine.memory.read(this.#address(index), this.valueSizeBytes);
  }

  write(index: number, value: Uint8Array): void {
    const address = this.#address(index);
    if (value.length !== this.valueSizeBytes) {
      throw this.#error("wrong-size", `value of ${value.length} bytes, expected ${this.valueSizeBytes}`);
    }
    this.#requireWritable();
    this.#machine.memory.write(address, value);
  }

  store32(index: number, offsetBytes: number, value: number): void {
    const address = this.#fieldAddress(index, offsetBytes, 4);
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
      throw this.#error("wrong-size", `${value} does not fit 32 bits, unsigned`);
    }
    this.#requireWritable();
    Atomics.store(this.#machine.memory.u32, address / 4, value);
  }

  store64(index: number, offsetBytes: number, value: bigint): void {
    const address = this.#fieldAddress(index, offsetBytes, 8);
    if (BigInt.asUintN(64, value) !== value) {
      throw this.#error("wrong-size", `${value} does not fit 64 bits, unsigned`);
    }
    this.#requireWritable();
    Atomics.store(this.#machine.memory.u64, address / 8, value);
  }

  withView<T>(index: number, count: number, use: (bytes: Uint8Array) => T): T {
    const address = this.#address(index);
    if (!Number.isInteger(count) || count < 0 || index + count > this.maxEntries) {
      throw this.#error("out-of-range", `${count} elements from ${index}, it has ${this.maxEntries}`);
    }
    this.#requireWritable();
    return use(this.#machine.memory.u8.subarray(address, address + count * this.#strideBytes));
  }

  inner(_index: number): DataplaneMap {
    throw this.#error("wrong-type", "is an array, and has no inner maps");
  }

  #address(index: number): number {
    if (!Number.isInteger(index) || index < 0 || index >= this.maxEntries) {
      throw this.#error("out-of-range", `index ${index}, expected 0 to ${this.maxEntries - 1}`);
    }
    return this.#array.elementAddress(index, 0);
  }

  #fieldAddress(index: number, offsetBytes: number, sizeBytes: number): number {
    const isInside = offsetBytes >= 0 && offsetBytes + sizeBytes <= this.valueSizeBytes;
    if (!isInside || offsetBytes % sizeBytes !== 0) {
      throw this.#error(
        "out-of-range",
        `${sizeBytes} bytes at offset ${offsetBytes}, expected a multiple of ${sizeBytes} in ${this.valueSizeBytes} bytes`,
      );
    }
    return this.#address(index) + offsetBytes;
  }

  #requireWritable(): void {
    if (this.#array.spec.isReadonly) throw this.#error("io", "is frozen: it cannot change after load");
  }

  #error(code: MapError["code"], why: string): MapError {
    return new MapError(code, this.name, why);
  }
}

class SimulatorMapOfMaps implements DataplaneMap {
  readonly name: string;
  readonly valueSizeBytes: number;
  readonly maxEntries: number;
  readonly #machine: Machine;
  readonly #map: VmMap;

  constructor(machine: Machine, map: VmMap) {
    this.name = map.spec.name;
    this.valueSizeBytes = map.spec.valueSizeBytes;
    this.maxEntries = map.spec.maxEntries;
    this.#machine = machine;
    this.#map = map;
  }

  inner(index: number): DataplaneMap {
    if (!Number.isInteger(index) || index < 0 || index >= this.maxEntries) {
      throw new MapError("out-of-range", this.name, `index ${index}, expected 0 to ${this.maxEntries - 1}`);
    }
    const id = this.#map.lookupValue(u32Bytes(index));
    const map = id === undefined ? undefined : this.#machine.mapById(readU32(id));
    if (map === undefined) throw new MapError("no-such-map", this.name, `no inner map at index ${index}`);
    return simulatorMap(this.#machine, map);
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

  #noValues(): MapError {
    return new MapError("wrong-type", this.name, "holds maps, not values: see inner()");
  }
}
