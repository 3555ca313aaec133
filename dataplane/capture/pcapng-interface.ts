/**
 * Interface descriptions (draft-ietf-opsawg-pcapng, section 4.2):
 *
 *   type 1 | length | link type u16 | reserved u16 | snap length u32 | options | length
 *
 * Options that are known here are kept, so that they can be written again from whichever byte order.
 */
import { type CaptureInterface, type InterfaceOption, MICROSECONDS } from "./capture-interface.ts";
import {
  BLOCK_INTERFACE_DESCRIPTION,
  IF_DESCRIPTION,
  IF_EUI_ADDRESS,
  IF_FCSLEN,
  IF_FILTER,
  IF_HARDWARE,
  IF_IPV4_ADDRESS,
  IF_IPV6_ADDRESS,
  IF_MAC_ADDRESS,
  IF_NAME,
  IF_OS,
  IF_RXSPEED,
  IF_SPEED,
  IF_TSOFFSET,
  IF_TSRESOL,
  IF_TXSPEED,
  INTERFACE_DESCRIPTION_MIN,
  OPT_COMMENT,
} from "./pcapng-format.ts";
import { visitOptions } from "./pcapng-option.ts";
import type { ReadWindow } from "./read-window.ts";

/**
 * Options that are kept as they are: true where the value is an integer of 8 bytes and so is in the section's order, false where it
 * is a row of bytes. `if_tzone` and custom options are not kept.
 */
const KEPT_OPTIONS: ReadonlyMap<number, boolean> = new Map([
  [OPT_COMMENT, false],
  [IF_NAME, false],
  [IF_DESCRIPTION, false],
  [IF_IPV4_ADDRESS, false],
  [IF_IPV6_ADDRESS, false],
  [IF_MAC_ADDRESS, false],
  [IF_EUI_ADDRESS, false],
  [IF_SPEED, true],
  [IF_FILTER, false],
  [IF_OS, false],
  [IF_FCSLEN, false],
  [IF_HARDWARE, false],
  [IF_TXSPEED, true],
  [IF_RXSPEED, true],
]);

/** The block at the window's start, which is whole and at least INTERFACE_DESCRIPTION_MIN long. Throws CaptureError. */
export function parseInterface(
  window: ReadWindow,
  sizeBytes: number,
  littleEndian: boolean,
): CaptureInterface {
  const { view, bytes, start } = window;
  const options: InterfaceOption[] = [];
  let timestampResolution = MICROSECONDS;
  let timestampOffsetSeconds = 0n;
  const area = { start: start + 16, end: start + sizeBytes - 4, littleEndian };
  const misfitAt = visitOptions(view, area, (code, offset, valueBytes) => {
    const isInteger = KEPT_OPTIONS.get(code);
    if (code === IF_TSRESOL) {
      requireSize(window, offset, "if_tsresol", valueBytes, 1);
      timestampResolution = view.getUint8(offset);
    } else if (code === IF_TSOFFSET) {
      requireSize(window, offset, "if_tsoffset", valueBytes, 8);
      timestampOffsetSeconds = view.getBigInt64(offset, littleEndian);
    } else if (isInteger !== undefined) {
      const value = bytes.slice(offset, offset + valueBytes);
      options.push({ code, value: isInteger && !littleEndian ? value.reverse() : value });
    }
    return true;
  });
  if (misfitAt >= 0) {
    throw window.error(
      "bad-length",
      misfitAt,
      "an option of the interface description does not fit its block",
    );
  }
  return {
    linkType: view.getUint16(start + 8, littleEndian),
    snapLength: view.getUint32(start + 12, littleEndian),
    timestampResolution,
    timestampOffsetSeconds,
    options,
  };
}

/** The block for a little-endian section. */
export function emitInterface(on: CaptureInterface): Uint8Array {
  const options: InterfaceOption[] = [...on.options];
  if (on.timestampResolution !== MICROSECONDS) {
    options.push({ code: IF_TSRESOL, value: Uint8Array.of(on.timestampResolution) });
  }
  if (on.timestampOffsetSeconds !== 0n) {
    const value = new Uint8Array(8);
    new DataView(value.buffer).setBigInt64(0, on.timestampOffsetSeconds, true);
    options.push({ code: IF_TSOFFSET, value });
  }
  let optionsBytes = options.length === 0 ? 0 : 4;
  for (const { value } of options) optionsBytes += 4 + ((value.length + 3) & ~3);

  const sizeBytes = INTERFACE_DESCRIPTION_MIN + optionsBytes;
  const block = new Uint8Array(sizeBytes);
  const view = new DataView(block.buffer);
  view.setUint32(0, BLOCK_INTERFACE_DESCRIPTION, true);
  view.setUint32(4, sizeBytes, true);
  view.setUint16(8, on.linkType, true);
  view.setUint32(12, on.snapLength, true);
  let at = 16;
  for (const { code, value } of options) {
    view.setUint16(at, code, true);
    view.setUint16(at + 2, value.length, true);
    block.set(value, at + 4);
    at += 4 + ((value.length + 3) & ~3);
  }
  view.setUint32(sizeBytes - 4, sizeBytes, true);
  return block;
}

function requireSize(
  window: ReadWindow,
  at: number,
  name: string,
  foundBytes: number,
  expectedBytes: number,
): void {
  if (foundBytes === expectedBytes) return;
  throw window.error("bad-length", at - 2, `${name} of ${foundBytes} bytes, expected ${expectedBytes}`);
}
