/**
 * What a hash map must do, written without the cleverness of the real one: a list of entries in order of arrival, searched from
 * the front. Keys are hex strings; a value is one byte array per copy.
 */
import { E2BIG, EEXIST, EINVAL, ENOENT } from "../../../../dataplane/vm/maps/errno.ts";

interface ModelEntry {
  readonly key: string;
  readonly values: Uint8Array[];
  readonly pool: number;
  isReferenced: boolean;
}

export interface HashModelOptions {
  readonly maxEntries: number;
  readonly isLru: boolean;
  readonly isPerCpu: boolean;
  /** Pools that evict apart: 1, or one per CPU. */
  readonly poolCount: number;
  readonly cpuCount: number;
  readonly valueBytes: number;
}

export class HashModel {
  entries: ModelEntry[] = [];
  readonly #options: HashModelOptions;

  constructor(options: HashModelOptions) {
    this.#options = options;
  }

  find(key: string): ModelEntry | undefined {
    return this.entries.find((entry) => entry.key === key);
  }

  lookup(key: string, cpu: number): Uint8Array | undefined {
    const entry = this.find(key);
    if (entry === undefined) return undefined;
    entry.isReferenced = true;
    return entry.values[this.#options.isPerCpu ? cpu : 0];
  }

  /** `values`: one for the program's CPU, or all copies from user space. */
  update(key: string, values: Uint8Array[], flags: bigint, cpu: number, isUser: boolean): number {
    const { isLru, isPerCpu, poolCount, cpuCount, valueBytes, maxEntries } = this.#options;
    if (flags > 2n) return -EINVAL;
    const old = this.find(key);
    if (old !== undefined && flags === 1n) return -EEXIST;
    if (old === undefined && flags === 2n) return -ENOENT;

    if (old !== undefined && isPerCpu) {
      values.forEach((value, i) => {
        old.values[isUser ? i : cpu] = value;
      });
      old.isReferenced = true;
      return 0;
    }
    const pool = poolCount === 1 ? 0 : cpu;
    const others = this.entries.filter((entry) => entry.pool === pool && entry !== old).length;
    if (others + 1 > Math.ceil(maxEntries / poolCount)) {
      if (!isLru) return -E2BIG;
      this.#evict(pool);
    }
    if (old !== undefined) this.entries.splice(this.entries.indexOf(old), 1);
    const copies = isPerCpu ? Array.from({ length: cpuCount }, () => new Uint8Array(valueBytes)) : values;
    if (isPerCpu) {
      values.forEach((value, i) => {
        copies[isUser ? i : cpu] = value;
      });
    }
    this.entries.push({ key, values: copies, pool, isReferenced: old !== undefined });
    return 0;
  }

  delete(key: string): number {
    const entry = this.find(key);
    if (entry === undefined) return -ENOENT;
    this.entries.splice(this.entries.indexOf(entry), 1);
    return 0;
  }

  #evict(pool: number): void {
    for (;;) {
      const oldest = this.entries.find((entry) => entry.pool === pool)!;
      this.entries.splice(this.entries.indexOf(oldest), 1);
      if (!oldest.isReferenced) return;
      oldest.isReferenced = false;
      this.entries.push(oldest);
    }
  }
}
