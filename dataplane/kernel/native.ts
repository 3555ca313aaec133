/**
 * The only place that loads koffi, and what keeps calls into C from harming the process. Importing this does nothing: the module, a library and
 * each of its functions are looked up when they are first used, so that machines without them replay as ever.
 *
 * C has four ways to kill Node, and each is closed here or named where it cannot be:
 * - An address in a struct does not keep alive what it points to: `NativeStruct` does.
 * - Memory is unmapped while a typed array still shows it: mapping.ts.
 * - A null pointer or MAP_FAILED is taken for memory: `memoryAt` refuses both.
 * - koffi's poll aborts the process for a bad descriptor: `pollDescriptor` takes a Descriptor, which is open or throws.
 */
import { createRequire } from "node:module";
import type { Descriptor } from "./descriptor.ts";
import { KernelError } from "./kernel-error.ts";

type Koffi = typeof import("koffi");

/** An address; functions that return one give null for NULL. */
export type Pointer = bigint;

/** What C may be given as `void *`: bytes, which live as long as the call, or an address. */
export type NativeBytes = Uint8Array | Uint32Array | BigUint64Array | Pointer | null;

/** A C function, and the same on a thread of its own. There the calling thread's namespaces do not hold, and errno is not known. */
// biome-ignore lint/suspicious/noExplicitAny: the only way to say "a function" to a type parameter
export type NativeFunction<F extends (...args: any[]) => unknown> = F & {
  readonly async: (...args: [...Parameters<F>, (error: Error | null, result: ReturnType<F>) => void]) => void;
};

/** The functions of a library as an interface declares them, each also callable off the event loop. */
export type NativeLibrary<T> = {
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly [K in keyof T]: T[K] extends (...args: any[]) => unknown ? NativeFunction<T[K]> : never;
};

let loadedKoffi: Koffi | undefined;

/** Throws KernelError "no-feature" where koffi has no binary, or cannot load it. */
export function koffi(): Koffi {
  if (loadedKoffi !== undefined) return loadedKoffi;
  try {
    loadedKoffi = createRequire(import.meta.url)("koffi") as Koffi;
    return loadedKoffi;
  } catch (error) {
    throw new KernelError(
      "no-feature",
      "load koffi",
      `the native module cannot be loaded: ${(error as Error).message}`,
      {
        remedy: "install again with npm ci, on the platform that it is to run on",
        cause: error,
      },
    );
  }
}

/**
 * The functions of a shared library by their C declarations. `open` gives the loaded library when the first function is used; `missing` makes the
 * error for a function that the library does not have.
 */
export function bindLibrary<T>(
  open: () => ReturnType<Koffi["load"]>,
  declarations: Readonly<Record<keyof T & string, string>>,
  missing: (name: string, cause: unknown) => Error,
): NativeLibrary<T> {
  const library = {};
  for (const [name, declaration] of Object.entries<string>(declarations)) {
    Object.defineProperty(library, name, {
      configurable: true,
      enumerable: true,
      get: () => {
        const handle = open();
        let value: unknown;
        try {
          value = handle.func(declaration);
        } catch (error) {
          throw missing(name, error);
        }
        // From now on an ordinary property.
        Object.defineProperty(library, name, { value, enumerable: true });
        return value;
      },
    });
  }
  return library as NativeLibrary<T>;
}

/** The error number of this thread's last call into C: to be read at once after a function that reports by it. */
export function lastErrno(): number {
  return koffi().errno();
}

/** Arguments of calls on other threads, which nothing else may refer to until they return. */
const underWay = new Set<readonly unknown[]>();

/** Calls a function on a thread of its own and keeps its arguments alive meanwhile. See NativeFunction for what does not hold there. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export function callAsync<F extends (...args: any[]) => unknown>(
  native: NativeFunction<F>,
  ...args: Parameters<F>
): Promise<ReturnType<F>> {
  return new Promise((resolve, reject) => {
    underWay.add(args);
    native.async(...args, (error, result) => {
      underWay.delete(args);
      if (error === null) resolve(result);
      else reject(error);
    });
  });
}

/** What the pointer fields of structs point to, for as long as the struct's bytes live. */
const pointees = new WeakMap<Uint8Array, Map<number, Uint8Array>>();

/**
 * A C struct as bytes, zero at first. The bytes keep alive what pointers in them point to, so that passing `bytes` to a function is enough; C
 * functions that keep the pointers for later are the caller's concern.
 */
export class NativeStruct {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  /** `hasSize`: the first eight bytes say how long it is, as in libbpf's option structs. */
  constructor(sizeBytes: number, { hasSize = false }: { readonly hasSize?: boolean } = {}) {
    this.bytes = new Uint8Array(sizeBytes);
    this.#view = new DataView(this.bytes.buffer);
    if (hasSize) this.setU64(0, BigInt(sizeBytes));
  }

  setU32(offset: number, value: number): this {
    this.#view.setUint32(offset, value, IS_LITTLE_ENDIAN);
    return this;
  }

  setU64(offset: number, value: bigint): this {
    this.#view.setBigUint64(offset, value, IS_LITTLE_ENDIAN);
    return this;
  }

  /** Null clears it. */
  setPointer(offset: number, target: Uint8Array | null): this {
    let kept = pointees.get(this.bytes);
    if (kept === undefined) {
      kept = new Map();
      pointees.set(this.bytes, kept);
    }
    if (target === null) kept.delete(offset);
    else kept.set(offset, target);
    return this.setU64(offset, target === null ? 0n : addressOf(target));
  }

  u32(offset: number): number {
    return this.#view.getUint32(offset, IS_LITTLE_ENDIAN);
  }

  u64(offset: number): bigint {
    return this.#view.getBigUint64(offset, IS_LITTLE_ENDIAN);
  }
}

const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Where the bytes are; valid only while they are referenced. */
export function addressOf(bytes: Uint8Array): bigint {
  return BigInt(koffi().address(bytes));
}

/** A string for C, in UTF-8 with its zero. Throws RangeError for one that has a zero within. */
export function cString(text: string): Uint8Array {
  if (text.includes("\0")) throw new RangeError(`${JSON.stringify(text)} has a zero byte within`);
  return new TextEncoder().encode(`${text}\0`);
}

const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** The memory at an address. It must stay there for as long as anybody has a view of the buffer. */
export function memoryAt(address: Pointer | null, sizeBytes: number): ArrayBuffer {
  if (address === null || address === 0n || address === MAP_FAILED) {
    throw new RangeError(`no memory at address ${address}`);
  }
  return koffi().view(address, sizeBytes);
}

export interface Polling {
  /** Again is harmless. To be closed before the descriptor is. */
  close(): void;
}

/** Calls `onReadable` on the event loop when the descriptor has something to read. Keeps the process alive only with `isRef`. */
export function pollDescriptor(
  descriptor: Descriptor,
  onReadable: () => void,
  { isRef = false }: { readonly isRef?: boolean } = {},
): Polling {
  // koffi aborts the process for a number that is no open descriptor; `fd` throws for a closed one.
  const handle = koffi().node.poll(descriptor.fd, { readable: true }, () => {
    if (!descriptor.isClosed) onReadable();
  });
  if (!isRef) handle.unref();
  let isClosed = false;
  return {
    close(): void {
      if (isClosed) return;
      isClosed = true;
      handle.stop();
      handle.close();
    },
  };
}
