/**
 * Writes a cpio archive in the format "newc", which the kernel unpacks into its first root file system
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Not compressed: a guest without hardware acceleration would take longer to
 * unpack it than the host takes to hand it over.
 *
 *     header    "070701" and 13 numbers of 8 hexadecimal digits
 *     name      with its zero byte, header and name together padded to a multiple of 4
 *     contents  padded to a multiple of 4
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";

const S_IFLNK = 0o120000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
const S_IFCHR = 0o020000;

interface Entry {
  readonly mode: number;
  readonly contents?: Uint8Array;
  readonly device?: { readonly major: number; readonly minor: number };
}

/** Paths are absolute ones of the new file system. Directories above an entry are made as they are needed; everything is root's. */
export class CpioWriter {
  readonly #fd: number;
  readonly #written = new Set<string>();
  #inode = 0;

  constructor(file: string) {
    this.#fd = openSync(file, "w");
  }

  /** Whether the path was written already. */
  has(path: string): boolean {
    return this.#written.has(path);
  }

  directory(path: string, mode = 0o755): void {
    if (path === "/" || this.#written.has(path)) return;
    this.#write(path, { mode: S_IFDIR | mode });
  }

  file(path: string, contents: Uint8Array, mode = 0o644): void {
    this.#write(path, { mode: S_IFREG | mode, contents });
  }

  symlink(path: string, target: string): void {
    this.#write(path, { mode: S_IFLNK | 0o777, contents: Buffer.from(target) });
  }

  characterDevice(path: string, device: { readonly major: number; readonly minor: number }): void {
    this.#write(path, { mode: S_IFCHR | 0o600, device });
  }

  /** Ends the archive and closes its file. */
  finish(): void {
    this.#append("TRAILER!!!", { mode: 0 });
    closeSync(this.#fd);
  }

  #write(path: string, entry: Entry): void {
    if (!path.startsWith("/") || this.#written.has(path)) {
      throw new RangeError(`${path}: expected an absolute path that is not in the archive yet`);
    }
    this.directory(dirname(path));
    this.#written.add(path);
    this.#append(path.slice(1), entry);
  }

  #append(name: string, { mode, contents = new Uint8Array(), device = { major: 0, minor: 0 } }: Entry): void {
    this.#inode += 1;
    const nameBytes = Buffer.from(`${name}\0`);
    const [owner, group, links, time, checksum] = [0, 0, 1, 0, 0];
    const place = [0, 0, device.major, device.minor];
    const numbers = [
      this.#inode,
      mode,
      owner,
      group,
      links,
      time,
      contents.length,
      ...place,
      nameBytes.length,
      checksum,
    ];
    const digits = numbers.map((number) => number.toString(16).toUpperCase().padStart(8, "0"));
    this.#pad(Buffer.concat([Buffer.from(`070701${digits.join("")}`), nameBytes]));
    this.#pad(contents);
  }

  #pad(bytes: Uint8Array): void {
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(this.#fd, bytes, offset);
    const missing = -bytes.length & 3;
    if (missing > 0) writeSync(this.#fd, new Uint8Array(missing));
  }
}
