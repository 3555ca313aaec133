/**
 * The cache lines of maps that the reference stores to while it runs one packet: as they were before, and as they are afterwards. Any
 * other engine must have found the same there, and must leave the same.
 */

const LINE_BYTES = 64;
/** A packet of ours stores to about six. What is beyond is seen when whole maps are compared. */
const LINES_MAX = 64;

export class TouchedLines {
  readonly #maps: readonly Uint8Array[];
  /** All maps lie between these addresses of the reference's memory, and stacks and packets mostly do not. */
  readonly #start: number;
  readonly #end: number;
  #count = 0;
  /** Of each line: position of its map, and where in it. */
  readonly #mapOf = new Uint32Array(LINES_MAX);
  readonly #offsets = new Uint32Array(LINES_MAX);
  readonly #before = new Uint8Array(LINES_MAX * LINE_BYTES);

  /** `maps` are live views of the reference's memory, so that a view's byteOffset is its address. */
  constructor(maps: readonly Uint8Array[]) {
    this.#maps = maps;
    this.#start = Math.min(...maps.map(({ byteOffset }) => byteOffset));
    this.#end = Math.max(...maps.map(({ byteOffset, byteLength }) => byteOffset + byteLength));
  }

  /** Before the next packet. */
  clear(): void {
    this.#count = 0;
  }

  /** Before a store to this address. */
  note(address: number): void {
    if (address < this.#start || address >= this.#end || this.#count === LINES_MAX) return;
    for (let m = 0; m < this.#maps.length; m++) {
      const map = this.#maps[m]!;
      const into = address - map.byteOffset;
      if (into < 0 || into >= map.length) continue;
      const offset = into - (into % LINE_BYTES);
      for (let i = 0; i < this.#count; i++) {
        if (this.#offsets[i] === offset && this.#mapOf[i] === m) return;
      }
      this.#before.set(map.subarray(offset, offset + LINE_BYTES), this.#count * LINE_BYTES);
      this.#mapOf[this.#count] = m;
      this.#offsets[this.#count++] = offset;
      return;
    }
  }

  /** Whether another engine, which has not run the packet yet, has the lines as the reference had them. `views` are of its maps, in the same order. */
  wereAlike(views: readonly Uint8Array[]): boolean {
    for (let i = 0; i < this.#count; i++) {
      const view = views[this.#mapOf[i]!]!;
      if (!isSame(this.#before, i * LINE_BYTES, view, this.#offsets[i]!)) return false;
    }
    return true;
  }

  /** Whether the other engine, which has run the packet as well, has the lines as the reference has them. */
  areAlike(views: readonly Uint8Array[]): boolean {
    for (let i = 0; i < this.#count; i++) {
      const [m, offset] = [this.#mapOf[i]!, this.#offsets[i]!];
      if (!isSame(this.#maps[m]!, offset, views[m]!, offset)) return false;
    }
    return true;
  }
}

/** Of a line of `view`, which may end before a whole line does. */
function isSame(expected: Uint8Array, expectedAt: number, view: Uint8Array, at: number): boolean {
  const size = Math.min(LINE_BYTES, view.length - at);
  for (let i = 0; i < size; i++) if (expected[expectedAt + i] !== view[at + i]) return false;
  return true;
}
