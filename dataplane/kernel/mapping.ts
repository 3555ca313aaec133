/**
 * The values of a BPF_F_MMAPABLE map as memory of this process.
 *
 * A typed array over memory that was unmapped kills Node at its next access, and nothing can take such an array away from whoever kept
 * it. So memory is never unmapped under a view: closing puts zeros in place of the map, at the same address, and the address range is given
 * back when the garbage collector has found that nobody has a view any more. A view that was kept too long reads zeros.
 */
import type { Descriptor } from "./descriptor.ts";
import { KernelError, systemError } from "./kernel-error.ts";
import { checked, libc } from "./libc.ts";
import { lastErrno, memoryAt, type Pointer } from "./native.ts";

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

interface AddressRange {
  readonly address: Pointer;
  readonly sizeBytes: number;
}

/** Gives address ranges back when nobody can look at them any more. */
const ranges = new FinalizationRegistry<AddressRange>(({ address, sizeBytes }) => {
  libc().munmap(address, sizeBytes);
});

export class Mapping {
  /** What is mapped; the buffer may be longer. Zeros after close(). */
  readonly buffer: ArrayBuffer;
  readonly #what: string;
  readonly #address: Pointer;
  /** Of the map, whole pages from the start of the buffer. */
  #mappedSizeBytes = 0;
  #isClosed = false;

  /** Room for `sizeBytes`, a multiple of the page size, where nothing is mapped yet. Throws KernelError "no-space". */
  constructor(sizeBytes: number, what: string) {
    this.#what = what;
    this.#address = map(null, sizeBytes, zeros(0), `map memory for ${what}`);
    this.buffer = memoryAt(this.#address, sizeBytes);
    ranges.register(this.buffer, { address: this.#address, sizeBytes });
  }

  /** Shows these bytes of a map's values, whole pages, from the start of the buffer, in place of what it showed. Throws KernelError. */
  show(descriptor: Descriptor, offset: number, sizeBytes: number): void {
    if (this.#isClosed) throw new KernelError("closed", this.#what, "its memory is not mapped any more");
    if (sizeBytes > this.buffer.byteLength)
      throw new RangeError(`${sizeBytes} bytes, expected at most ${this.buffer.byteLength}`);
    const request = {
      protection: PROT_READ | PROT_WRITE,
      flags: MAP_SHARED | MAP_FIXED,
      fd: descriptor.fd,
      offset,
    };
    map(this.#address, sizeBytes, request, `map the values of ${this.#what}`);
    const before = this.#mappedSizeBytes;
    this.#mappedSizeBytes = sizeBytes;
    if (before > sizeBytes) this.#hide(sizeBytes, before);
  }

  /** Puts zeros in place of the map. */
  hide(): void {
    if (this.#mappedSizeBytes > 0) this.#hide(0, this.#mappedSizeBytes);
    this.#mappedSizeBytes = 0;
  }

  /** Again is harmless. */
  close(): void {
    this.hide();
    this.#isClosed = true;
  }

  #hide(from: number, to: number): void {
    const address = this.#address + BigInt(from);
    map(address, to - from, zeros(MAP_FIXED), `unmap the values of ${this.#what}`);
  }
}

interface MapRequest {
  readonly protection: number;
  readonly flags: number;
  readonly fd: number;
  readonly offset: number;
}

function zeros(flags: number): MapRequest {
  return {
    protection: PROT_READ | PROT_WRITE,
    flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags,
    fd: -1,
    offset: 0,
  };
}

function map(address: Pointer | null, sizeBytes: number, request: MapRequest, operation: string): Pointer {
  const { protection, flags, fd, offset } = request;
  const mapped = libc().mmap(address, sizeBytes, protection, flags, fd, offset);
  if (mapped === MAP_FAILED) throw systemError(operation, lastErrno());
  return mapped;
}

let knownPageSizeBytes = 0;
const SC_PAGESIZE = 30;

export function pageSizeBytes(): number {
  if (knownPageSizeBytes === 0)
    knownPageSizeBytes = checked(libc().sysconf(SC_PAGESIZE), "ask for the page size");
  return knownPageSizeBytes;
}
