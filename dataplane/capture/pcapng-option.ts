/**
 * Options: what may follow the fixed part of a pcapng block, as {code u16, length u16, value padded to 4 bytes}, ended by
 * code 0 or by the end of the block (draft-ietf-opsawg-pcapng, section 3.5).
 */
import type { PacketBatch } from "./packet-batch.ts";
import { FLAG_LITTLE_ENDIAN } from "./packet-batch.ts";
import { EPB_PACKETID, EPB_VERDICT, OPT_END, VERDICT_LINUX_EBPF_XDP } from "./pcapng-format.ts";

/** Stops by returning false. `offset` is the value's, in the view's buffer terms: an offset into the view. */
export type OptionVisitor = (code: number, offset: number, sizeBytes: number) => boolean;

/**
 * Calls `visit` for each option in view[start, end). Returns the offset of an option that does not fit, or -1 when all do.
 */
export function visitOptions(
  view: DataView,
  area: { readonly start: number; readonly end: number; readonly littleEndian: boolean },
  visit: OptionVisitor,
): number {
  let at = area.start;
  while (at < area.end) {
    if (area.end - at < 4) return at;
    const code = view.getUint16(at, area.littleEndian);
    const sizeBytes = view.getUint16(at + 2, area.littleEndian);
    if (code === OPT_END) return -1;
    if (sizeBytes > area.end - at - 4) return at;
    if (!visit(code, at + 4, sizeBytes)) return -1;
    at += 4 + ((sizeBytes + 3) & ~3);
  }
  return -1;
}

/**
 * The 64-bit code that an XDP program returned for packet i, where its epb_verdict says so; undefined where it has none, or
 * one of another kind of verdict. Options that do not fit are as good as none: they never made the packet unreadable.
 */
export function packetVerdict(batch: PacketBatch, i: number): bigint | undefined {
  return findUint64(batch, i, (view, code, offset, sizeBytes) => {
    const isOurs =
      code === EPB_VERDICT && sizeBytes === 9 && view.getUint8(offset) === VERDICT_LINUX_EBPF_XDP;
    return isOurs ? offset + 1 : undefined;
  });
}

/** The epb_packetid of packet i. */
export function packetId(batch: PacketBatch, i: number): bigint | undefined {
  return findUint64(batch, i, (_view, code, offset, sizeBytes) =>
    code === EPB_PACKETID && sizeBytes === 8 ? offset : undefined,
  );
}

function findUint64(
  batch: PacketBatch,
  i: number,
  offsetOf: (view: DataView, code: number, offset: number, sizeBytes: number) => number | undefined,
): bigint | undefined {
  const sizeBytes = batch.optionsBytes[i]!;
  if (sizeBytes === 0) return undefined;
  const view = new DataView(batch.bytes.buffer, batch.bytes.byteOffset + batch.optionsOffsets[i]!, sizeBytes);
  const littleEndian = (batch.flags[i]! & FLAG_LITTLE_ENDIAN) !== 0;
  let found: bigint | undefined;
  visitOptions(view, { start: 0, end: sizeBytes, littleEndian }, (code, offset, optionBytes) => {
    const at = offsetOf(view, code, offset, optionBytes);
    if (at !== undefined) found = view.getBigUint64(at, littleEndian);
    return found === undefined;
  });
  return found;
}
