/**
 * The packet buffer of one CPU and the context a program sees of it, both in linear memory:
 *
 *     hardStart                                                                      hardEnd
 *     | 40 xdp_frame | headroom | metadata |  frame                |  tailroom       | 320 reserved |
 *                               data_meta  data                    data_end
 *
 *     struct xdp_md   0 u32 data              4 u32 data_end        8 u32 data_meta
 *                    12 u32 ingress_ifindex  16 u32 rx_queue_index 20 u32 egress_ifindex
 *
 * The context *is* the buffer's state: the helpers that move an edge write the context's words, and a program reads them there.
 * Limits and error numbers are those of net/core/filter.c and include/net/xdp.h in Linux 6.18.
 */
import { EACCES, EINVAL } from "./maps/errno.ts";
import type { Memory } from "./memory.ts";

export const XDP_MD_SIZE_BYTES = 24;
export const XDP_MD_DATA = 0;
export const XDP_MD_DATA_END = 4;
export const XDP_MD_DATA_META = 8;
export const XDP_MD_INGRESS_IFINDEX = 12;
export const XDP_MD_RX_QUEUE_INDEX = 16;
export const XDP_MD_EGRESS_IFINDEX = 20;

export const XDP_ABORTED = 0;
export const XDP_DROP = 1;
export const XDP_PASS = 2;
export const XDP_TX = 3;
export const XDP_REDIRECT = 4;

/** Free bytes in front of a frame that has just come in. */
export const XDP_PACKET_HEADROOM = 256;
/** sizeof(struct xdp_frame): kept free at the very start, since a frame that is redirected is described there. */
const XDP_FRAME_SIZE_BYTES = 40;
/** struct skb_shared_info, aligned: kept free at the very end. */
const SHARED_INFO_SIZE_BYTES = 320;
/** The kernel's buffer, one page. */
export const DEFAULT_BUFFER_SIZE_BYTES = 4096;
const ETH_HLEN = 14;
/** Of metadata, since its length has to fit skb_shared_info.meta_len, a u8. */
const METADATA_BYTES_MAX = 255;

/** Of everything that moves together with its neighbour; keeps the buffer's first byte on a cache line. */
const LINE_BYTES = 64;

export class XdpBuffer {
  /** Of `struct xdp_md`, what a program gets in r1. */
  readonly contextAddress: number;
  /** Longest frame that `load` takes: 3520 bytes for the kernel's buffer of 4096. */
  readonly frameBytesMax: number;
  readonly #memory: Memory;
  readonly #hardStart: number;
  /** Past the last byte a frame may reach, the reserve not counted. */
  readonly #hardEnd: number;

  /** `sizeBytes` is frame_sz: headroom, frame, tailroom and reserve together. */
  constructor(memory: Memory, sizeBytes: number = DEFAULT_BUFFER_SIZE_BYTES) {
    this.contextAddress = memory.allocate(LINE_BYTES, LINE_BYTES);
    this.#memory = memory;
    this.#hardStart = memory.allocate(sizeBytes, LINE_BYTES);
    this.#hardEnd = this.#hardStart + sizeBytes - SHARED_INFO_SIZE_BYTES;
    this.frameBytesMax = sizeBytes - XDP_PACKET_HEADROOM - SHARED_INFO_SIZE_BYTES;
    if (this.frameBytesMax < ETH_HLEN) {
      const least = XDP_PACKET_HEADROOM + SHARED_INFO_SIZE_BYTES + ETH_HLEN;
      throw new RangeError(`packet buffer of ${sizeBytes} bytes, expected at least ${least}`);
    }
    this.#setEdges(this.#hardStart + XDP_PACKET_HEADROOM, this.#hardStart + XDP_PACKET_HEADROOM);
  }

  /**
   * Puts a frame in, without metadata; any length from 0 to `frameBytesMax` (the kernel's test_run wants 14). Throws RangeError
   * when it is longer. The bytes are copied; the headroom is zeroed, so that what a program makes of it does not depend on the
   * frames before.
   */
  load(frame: Uint8Array, from: { readonly ingressIfindex: number; readonly rxQueueIndex: number }): void {
    if (frame.length > this.frameBytesMax) {
      throw new RangeError(`frame of ${frame.length} bytes, the buffer takes ${this.frameBytesMax}`);
    }
    const data = this.#hardStart + XDP_PACKET_HEADROOM;
    const { u8 } = this.#memory;
    u8.fill(0, this.#hardStart, data);
    u8.set(frame, data);
    this.#setEdges(data, data + frame.length);
    const words = this.#memory.u32;
    const context = this.contextAddress >>> 2;
    words[context + XDP_MD_INGRESS_IFINDEX / 4] = from.ingressIfindex;
    words[context + XDP_MD_RX_QUEUE_INDEX / 4] = from.rxQueueIndex;
    words[context + XDP_MD_EGRESS_IFINDEX / 4] = 0;
  }

  /** The frame as it is now. A view: it is good until the next `load` or run, or until the memory grows. */
  get frame(): Uint8Array {
    return this.#memory.u8.subarray(this.data, this.dataEnd);
  }

  /** The metadata in front of the frame; a view as `frame` is. */
  get metadata(): Uint8Array {
    return this.#memory.u8.subarray(this.dataMeta, this.data);
  }

  /** First byte of the buffer and the first past it, headroom and reserve included: what is near the packet in messages. */
  get bufferStart(): number {
    return this.#hardStart;
  }
  get bufferEnd(): number {
    return this.#hardEnd + SHARED_INFO_SIZE_BYTES;
  }

  get data(): number {
    return this.#memory.u32[(this.contextAddress + XDP_MD_DATA) >>> 2]!;
  }
  get dataEnd(): number {
    return this.#memory.u32[(this.contextAddress + XDP_MD_DATA_END) >>> 2]!;
  }
  get dataMeta(): number {
    return this.#memory.u32[(this.contextAddress + XDP_MD_DATA_META) >>> 2]!;
  }
  get lengthBytes(): number {
    return this.dataEnd - this.data;
  }

  /** bpf_xdp_adjust_head: moves the frame's first byte, and the metadata with it. 0 or -EINVAL. */
  adjustHead(offsetBytes: number): number {
    const { data, dataMeta } = this;
    const metadataBytes = data - dataMeta;
    const moved = data + offsetBytes;
    if (moved < this.#hardStart + XDP_FRAME_SIZE_BYTES + metadataBytes) return -EINVAL;
    if (moved > this.dataEnd - ETH_HLEN) return -EINVAL;
    if (metadataBytes > 0) this.#memory.u8.copyWithin(dataMeta + offsetBytes, dataMeta, data);
    this.#set(XDP_MD_DATA_META, dataMeta + offsetBytes);
    this.#set(XDP_MD_DATA, moved);
    return 0;
  }

  /** bpf_xdp_adjust_tail: moves the frame's end; bytes it gains are zero. 0 or -EINVAL. */
  adjustTail(offsetBytes: number): number {
    const { dataEnd } = this;
    const moved = dataEnd + offsetBytes;
    if (moved > this.#hardEnd) return -EINVAL;
    if (moved < this.data + ETH_HLEN) return -EINVAL;
    if (offsetBytes > 0) this.#memory.u8.fill(0, dataEnd, moved);
    this.#set(XDP_MD_DATA_END, moved);
    return 0;
  }

  /** bpf_xdp_adjust_meta: moves where the metadata begins. 0, -EINVAL, or -EACCES for a length that is no multiple of 4 or over 255. */
  adjustMeta(offsetBytes: number): number {
    const { data } = this;
    const moved = this.dataMeta + offsetBytes;
    if (moved < this.#hardStart + XDP_FRAME_SIZE_BYTES || moved > data) return -EINVAL;
    const metadataBytes = data - moved;
    if (metadataBytes % 4 !== 0 || metadataBytes > METADATA_BYTES_MAX) return -EACCES;
    this.#set(XDP_MD_DATA_META, moved);
    return 0;
  }

  #setEdges(data: number, dataEnd: number): void {
    this.#set(XDP_MD_DATA, data);
    this.#set(XDP_MD_DATA_END, dataEnd);
    this.#set(XDP_MD_DATA_META, data);
  }

  #set(field: number, value: number): void {
    this.#memory.u32[(this.contextAddress + field) >>> 2] = value;
  }
}
