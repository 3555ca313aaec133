/**
 * The format strings of bpf_trace_printk, bpf_trace_vprintk and bpf_snprintf (bpf_bprintf_prepare in kernel/bpf/helpers.c, Linux
 * 6.18):
 *
 *     %%   %c   %s   %[l|ll](d|i|u|x|X)   %p %px %pK %ps %pS %pB   %pks %pus   %pi4 %pI4 %pi6 %pI6
 *
 * between % and the rest any of the flags `0`, `+`, `-` and space, and a width.
 *
 * Pointers are shown as they are, where the kernel shows a hash or a symbol: there are neither secrets nor symbols here.
 */
import type { HelperCall } from "./helper.ts";

const SPECIFIER = /%(?:%|([0+\- ]*)([1-9][0-9]*)?(?:(c|s)|p([kuxKsSBiI]?)([s46]?)|(l{0,2})([diuxX])))/y;
/** Longest text that %s takes, its zero included (MAX_BPRINTF_BUF). */
const TEXT_BYTES_MAX = 512;

/**
 * Undefined when the kernel would answer -EINVAL: a character that is not printable ASCII or white space, a specifier it does not
 * know, more specifiers than values.
 */
export function formatText(call: HelperCall, format: string, values: readonly bigint[]): string | undefined {
  let text = "";
  let valueIndex = 0;
  for (let at = 0; at < format.length; ) {
    if (format[at] !== "%") {
      if (!/[\x20-\x7e\t-\r]/.test(format[at]!)) return undefined;
      text += format[at++];
      continue;
    }
    SPECIFIER.lastIndex = at;
    const match = SPECIFIER.exec(format);
    if (match === null) return undefined;
    at = SPECIFIER.lastIndex;
    if (match[0] === "%%") {
      text += "%";
      continue;
    }
    const value = values[valueIndex++];
    if (value === undefined) return undefined;
    const shown = show(call, match, value);
    if (shown === undefined) return undefined;
    if (match[4] !== undefined) {
      // What else is behind a pointer is skipped, as extensions of the kernel's own that it ignores; behind a plain %p it is refused.
      const start = at;
      while (/[0-9A-Za-z]/.test(format[at] ?? "")) at++;
      if (match[4] === "" && at > start) return undefined;
    }
    text += pad(shown, match[1]!, Number(match[2] ?? 0));
  }
  return text;
}

function show(call: HelperCall, match: RegExpExecArray, value: bigint): string | undefined {
  const [, flags = "", , letter, pointer, extension = "", length, conversion] = match;
  if (letter === "c") return String.fromCharCode(Number(value & 0xffn));
  if (letter === "s") return textAt(call, value);
  if (pointer !== undefined) return showPointer(call, pointer, extension, value);

  const bits = length === "" ? 32 : 64;
  switch (conversion) {
    case "x":
      return BigInt.asUintN(bits, value).toString(16);
    case "X":
      return BigInt.asUintN(bits, value).toString(16).toUpperCase();
    case "u":
      return BigInt.asUintN(bits, value).toString();
    default: {
      const number = BigInt.asIntN(bits, value);
      if (number < 0n) return number.toString();
      return (flags.includes("+") ? "+" : flags.includes(" ") ? " " : "") + number.toString();
    }
  }
}

function showPointer(
  call: HelperCall,
  pointer: string,
  extension: string,
  value: bigint,
): string | undefined {
  switch (pointer) {
    case "k":
    case "u":
      return extension === "s" ? textAt(call, value) : undefined;
    case "i":
    case "I":
      return showAddress(call, pointer === "I", extension, value);
    default:
      return extension === "" ? value.toString(16).padStart(16, "0") : undefined;
  }
}

/** %pI4 1.2.3.4, %pi4 001.002.003.004, %pI6 eight groups with colons, %pi6 without. Zeros where the memory cannot be read. */
function showAddress(
  call: HelperCall,
  isUpper: boolean,
  extension: string,
  value: bigint,
): string | undefined {
  if (extension !== "4" && extension !== "6") return undefined;
  const bytes = new Uint8Array(extension === "4" ? 4 : 16);
  const address = Number(value);
  if (call.canRead(value, bytes.length)) {
    bytes.set(call.machine.memory.u8.subarray(address, address + bytes.length));
  }
  if (extension === "4") {
    return [...bytes].map((byte) => String(byte).padStart(isUpper ? 1 : 3, "0")).join(".");
  }
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return isUpper ? digits.replace(/.{4}(?=.)/g, "$&:") : digits;
}

/** Up to its zero, or to where memory cannot be read any more. */
function textAt(call: HelperCall, value: bigint): string {
  let text = "";
  for (let at = value; text.length < TEXT_BYTES_MAX - 1 && call.canRead(at, 1); at++) {
    const byte = call.machine.memory.u8[Number(at)]!;
    if (byte === 0) break;
    text += String.fromCharCode(byte);
  }
  return text;
}

function pad(text: string, flags: string, width: number): string {
  if (flags.includes("-")) return text.padEnd(width);
  if (!flags.includes("0")) return text.padStart(width);
  const sign = /^[+\- ]/.exec(text)?.[0] ?? "";
  return sign + text.slice(sign.length).padStart(width - sign.length, "0");
}
