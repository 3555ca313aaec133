/**
 * Netlink's messages and attributes as bytes (include/uapi/linux/netlink.h), in the machine's byte order. No socket here: bytes in,
 * values out, and the other way round.
 *
 *     message:    length u32 | type u16 | flags u16 | sequence u32 | port u32 | payload, padded to 4 bytes
 *     attribute:  length u16 | type u16 | value, padded to 4 bytes         (lengths count the header, not the padding)
 *
 * What is damaged ends the reading: of messages with an error, since an answer that cannot be taken apart is no answer; of
 * attributes quietly, as an attribute that is cut is as good as absent and every reader has to do without one anyway.
 */
import { IS_LITTLE_ENDIAN, viewOf } from "./host-order.ts";
import { KernelError } from "./kernel-error.ts";

export interface NetlinkMessage {
  /** NLMSG_* or of the family: RTM_*, or a generic netlink family's id. */
  readonly type: number;
  /** NLM_F_* */
  readonly flags: number;
  readonly sequence: number;
  /** Of the socket that the answer is for; 0 in what the kernel multicasts. */
  readonly port: number;
  /** Without padding. A view of the bytes that were read: to be kept only as long as they are. */
  readonly payload: Uint8Array;
}

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_OVERRUN = 4;

export const NLM_F_REQUEST = 0x01;
export const NLM_F_MULTI = 0x02;
export const NLM_F_ACK = 0x04;
export const NLM_F_DUMP_INTR = 0x10;
/** NLM_F_ROOT and NLM_F_MATCH. */
export const NLM_F_DUMP = 0x300;
export const NLM_F_CREATE = 0x400;
/** In an error or done message: the request is quoted only by its header. */
const NLM_F_CAPPED = 0x100;
/** In an error or done message: attributes follow that say more. */
const NLM_F_ACK_TLVS = 0x200;

const MESSAGE_HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
const NLMSGERR_ATTR_MSG = 1;
/** NLA_F_NESTED and NLA_F_NET_BYTEORDER are no part of an attribute's type. */
const ATTRIBUTE_TYPE_MASK = 0x3fff;

/** The messages of one datagram. Throws KernelError "io" for bytes that are none. */
export function parseMessages(bytes: Uint8Array): NetlinkMessage[] {
  const view = viewOf(bytes);
  const messages: NetlinkMessage[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const available = bytes.length - offset;
    const length = available < MESSAGE_HEADER_BYTES ? 0 : view.getUint32(offset, IS_LITTLE_ENDIAN);
    if (length < MESSAGE_HEADER_BYTES || length > available) {
      throw new KernelError(
        "io",
        "netlink",
        `message at byte ${offset} of ${bytes.length} has a length of ${length}, expected ${MESSAGE_HEADER_BYTES} to ${available}`,
      );
    }
    messages.push({
      type: view.getUint16(offset + 4, IS_LITTLE_ENDIAN),
      flags: view.getUint16(offset + 6, IS_LITTLE_ENDIAN),
      sequence: view.getUint32(offset + 8, IS_LITTLE_ENDIAN),
      port: view.getUint32(offset + 12, IS_LITTLE_ENDIAN),
      payload: bytes.subarray(offset + MESSAGE_HEADER_BYTES, offset + length),
    });
    offset += align(length);
  }
  return messages;
}

export function emitMessage(message: {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}): Uint8Array {
  const length = MESSAGE_HEADER_BYTES + message.payload.length;
  const bytes = new Uint8Array(align(length));
  const view = viewOf(bytes);
  view.setUint32(0, length, IS_LITTLE_ENDIAN);
  view.setUint16(4, message.type, IS_LITTLE_ENDIAN);
  view.setUint16(6, message.flags, IS_LITTLE_ENDIAN);
  view.setUint32(8, message.sequence, IS_LITTLE_ENDIAN);
  // Port 0: the kernel knows which socket it came from.
  bytes.set(message.payload, MESSAGE_HEADER_BYTES);
  return bytes;
}

export type Attributes = ReadonlyMap<number, Uint8Array>;

/** Attributes by type; of several of one type the last, as the kernel has it. */
export function parseAttributes(bytes: Uint8Array): Attributes {
  return new Map(attributeList(bytes));
}

/** Attributes in their order, for lists whose items all have one type. */
export function attributeList(bytes: Uint8Array): [type: number, value: Uint8Array][] {
  const view = viewOf(bytes);
  const list: [number, Uint8Array][] = [];
  let offset = 0;
  while (bytes.length - offset >= ATTRIBUTE_HEADER_BYTES) {
    const length = view.getUint16(offset, IS_LITTLE_ENDIAN);
    if (length < ATTRIBUTE_HEADER_BYTES || length > bytes.length - offset) break;
    const type = view.getUint16(offset + 2, IS_LITTLE_ENDIAN) & ATTRIBUTE_TYPE_MASK;
    list.push([type, bytes.subarray(offset + ATTRIBUTE_HEADER_BYTES, offset + length)]);
    offset += align(length);
  }
  return list;
}

/** Attributes behind a fixed header of `headerBytes`. */
export function attributesBehind(payload: Uint8Array, headerBytes: number): Attributes {
  return parseAttributes(payload.subarray(align(headerBytes)));
}

/** A request's payload: a fixed header, then attributes. */
export function emitPayload(
  header: Uint8Array,
  attributes: readonly (readonly [type: number, value: Uint8Array])[] = [],
): Uint8Array {
  const size = attributes.reduce(
    (sum, [, value]) => sum + align(ATTRIBUTE_HEADER_BYTES + value.length),
    align(header.length),
  );
  const bytes = new Uint8Array(size);
  const view = viewOf(bytes);
  bytes.set(header);
  let offset = align(header.length);
  for (const [type, value] of attributes) {
    view.setUint16(offset, ATTRIBUTE_HEADER_BYTES + value.length, IS_LITTLE_ENDIAN);
    view.setUint16(offset + 2, type, IS_LITTLE_ENDIAN);
    bytes.set(value, offset + ATTRIBUTE_HEADER_BYTES);
    offset += align(ATTRIBUTE_HEADER_BYTES + value.length);
  }
  return bytes;
}

export function u32Attribute(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, IS_LITTLE_ENDIAN);
  return bytes;
}

/** Undefined where the attribute is absent or not four bytes. */
export function readU32(value: Uint8Array | undefined): number | undefined {
  return value?.length === 4 ? viewOf(value).getUint32(0, IS_LITTLE_ENDIAN) : undefined;
}

/** Text up to its NUL. */
export function readText(value: Uint8Array | undefined): string | undefined {
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return Buffer.from(end < 0 ? value : value.subarray(0, end)).toString("utf8");
}

/** What NLMSG_ERROR, or the NLMSG_DONE that ends a dump, says of a request. */
export interface Acknowledgement {
  /** As the kernel has it: 0 or a negative errno. */
  readonly error: number;
  /** The kernel's own words (extended acknowledgement), where it has some. */
  readonly text: string | undefined;
}

/** Throws KernelError "io" when it is too short to hold a number. */
export function parseAcknowledgement({ type, flags, payload }: NetlinkMessage): Acknowledgement {
  // A dump of kernels before 4.16 ends with a message that is empty.
  if (type === NLMSG_DONE && payload.length < 4) return { error: 0, text: undefined };
  if (payload.length < 4) {
    throw new KernelError(
      "io",
      "netlink",
      `an error message of ${payload.length} bytes, expected at least 4`,
    );
  }
  const view = viewOf(payload);
  const error = view.getInt32(0, IS_LITTLE_ENDIAN);
  if ((flags & NLM_F_ACK_TLVS) === 0) return { error, text: undefined };
  const quoted = type === NLMSG_DONE ? 0 : quotedBytes(view, flags);
  return {
    error,
    text: readText(parseAttributes(payload.subarray(align(4 + quoted))).get(NLMSGERR_ATTR_MSG)),
  };
}

/** An error quotes the request: its header, and its payload too unless it was left out. */
function quotedBytes(view: DataView, flags: number): number {
  if (view.byteLength < 8 || (flags & NLM_F_CAPPED) !== 0) return MESSAGE_HEADER_BYTES;
  return Math.max(view.getUint32(4, IS_LITTLE_ENDIAN), MESSAGE_HEADER_BYTES);
}

function align(length: number): number {
  return (length + 3) & ~3;
}
