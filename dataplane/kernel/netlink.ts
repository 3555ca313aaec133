/**
 * A conversation with the kernel over a netlink socket: requests with one answer, dumps with many, and what the kernel tells of its own accord.
 *
 * The kernel answers a request while it is being sent, so that the answer is there when `send` returns: to wait for it does not hold up the event
 * loop, and where it is not there after all, ANSWER_TIMEOUT_SECONDS ends the wait. A socket belongs to the network namespace that the calling
 * thread is in when it opens it.
 */
import { constants } from "node:os";
import { Descriptor } from "./descriptor.ts";
import { IS_LITTLE_ENDIAN, viewOf } from "./host-order.ts";
import { errnoName, KernelError, systemError } from "./kernel-error.ts";
import { checked, libc } from "./libc.ts";
import { lastErrno } from "./native.ts";
import {
  emitMessage,
  type NetlinkMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  NLMSG_OVERRUN,
  parseAcknowledgement,
  parseMessages,
} from "./netlink-message.ts";

/** include/uapi/linux/netlink.h */
const PROTOCOLS = { route: 0, generic: 16 } as const;
export type NetlinkProtocol = keyof typeof PROTOCOLS;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVTIMEO = 20;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const SOCKADDR_NL_BYTES = 12;

const ANSWER_TIMEOUT_SECONDS = 2;
/** The kernel packs dumps into datagrams of at most 32 KiB, or of the size of the buffer where that is less. */
const RECEIVE_BYTES = 64 << 10;
/** A dump that was disturbed by a change is begun again so many times; then what it said is taken. */
const DUMP_ATTEMPTS = 4;
/** Against a dump without end. The largest here is the interfaces of a host, some thousand. */
const DUMP_MESSAGES_MAX = 1 << 20;
/** Datagrams looked at for one answer, all but one left over from something else. */
const DATAGRAMS_MAX = 1 << 16;
/** Of a socket that listens: room for a burst of changes. Doubled by the kernel, and capped by net.core.rmem_max. */
const LISTEN_BUFFER_BYTES = 1 << 20;

export interface NetlinkRequest {
  /** What is asked, for errors: `read interface "e0"`. */
  readonly operation: string;
  readonly type: number;
  /** Besides NLM_F_REQUEST. */
  readonly flags?: number;
  readonly payload: Uint8Array;
}

/** The kernel's refusal of a request, in its own words where it has some. */
export class NetlinkRefusal extends Error {
  /** "ENODEV" */
  readonly errno: string;
  readonly number: number;
  readonly text: string | undefined;

  constructor(number: number, text: string | undefined) {
    super(text === undefined ? errnoName(number) : `${errnoName(number)}: ${text}`);
    this.name = "NetlinkRefusal";
    this.errno = errnoName(number);
    this.number = number;
    this.text = text;
  }
}

/** Not to be used by two at a time, which a synchronous interface sees to. */
export class NetlinkSocket {
  readonly #descriptor: Descriptor;
  readonly #buffer = new Uint8Array(RECEIVE_BYTES);
  #sequence = 0;

  constructor(protocol: NetlinkProtocol) {
    this.#descriptor = openSocket(protocol);
    try {
      setOption(this.#descriptor, SOL_SOCKET, SO_RCVTIMEO, timeval(ANSWER_TIMEOUT_SECONDS));
      // Without it the kernel takes a filter that it does not know for none, and dumps everything. Since 4.20.
      setOption(this.#descriptor, SOL_NETLINK, NETLINK_GET_STRICT_CHK, Uint32Array.of(1));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The one answer to a question. Throws KernelError; its cause is a NetlinkRefusal where the kernel refused. */
  query(request: NetlinkRequest): NetlinkMessage {
    const sequence = this.#send(request);
    let answer: NetlinkMessage | undefined;
    this.#receive(request.operation, sequence, (message) => {
      refuse(request.operation, message);
      answer = { ...message, payload: message.payload.slice() };
      return false;
    });
    if (answer?.type !== NLMSG_ERROR && answer !== undefined) return answer;
    throw new KernelError("io", request.operation, "the kernel did not say no, and gave no answer");
  }

  /** Has the kernel do something, and returns when it has said that it did. Throws as query() does. */
  command(request: NetlinkRequest): void {
    const sequence = this.#send({ ...request, flags: (request.flags ?? 0) | NLM_F_ACK });
    this.#receive(request.operation, sequence, (message) => {
      refuse(request.operation, message);
      return message.type !== NLMSG_ERROR;
    });
  }

  /**
   * Hands each message of a dump to `visit`, which ends it by returning false. Dumps that a change disturbed are begun again: `begin` is called
   * before each attempt. Closes the socket when ended early, as the rest of the dump would answer the next request. Throws KernelError.
   */
  dump(request: NetlinkRequest, begin: () => void, visit: (message: NetlinkMessage) => boolean): void {
    for (let attempt = 1; attempt <= DUMP_ATTEMPTS; attempt++) {
      begin();
      const sequence = this.#send({ ...request, flags: (request.flags ?? 0) | NLM_F_DUMP });
      let isDisturbed = false;
      let count = 0;
      let isEnded = false;
      this.#receive(request.operation, sequence, (message) => {
        isDisturbed ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) {
          refuse(request.operation, message);
          return false;
        }
        if (++count > DUMP_MESSAGES_MAX) {
          throw new KernelError("io", request.operation, `more than ${DUMP_MESSAGES_MAX} answers`);
        }
        isEnded = !visit(message);
        return !isEnded;
      });
      if (isEnded) this.close();
      if (isEnded || !isDisturbed) return;
    }
  }

  close(): void {
    this.#descriptor.close();
  }

  #send({ operation, type, flags = 0, payload }: NetlinkRequest): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    const bytes = emitMessage({ type, flags: flags | NLM_F_REQUEST, sequence: this.#sequence, payload });
    checked(libc().send(this.#descriptor.fd, bytes, bytes.length, 0), operation);
    return this.#sequence;
  }

  /** Messages of one answer, until `visit` returns false. */
  #receive(operation: string, sequence: number, visit: (message: NetlinkMessage) => boolean): void {
    for (let datagram = 0; datagram < DATAGRAMS_MAX; datagram++) {
      const bytes = receiveDatagram(this.#descriptor, this.#buffer, operation, 0);
      if (bytes === undefined) {
        throw new KernelError("io", operation, `the kernel did not answer in ${ANSWER_TIMEOUT_SECONDS} s`);
      }
      for (const message of parseMessages(bytes)) {
        // What is left of an answer that nobody wanted to the end.
        if (message.sequence !== sequence || message.type === NLMSG_NOOP) continue;
        if (!visit(message)) return;
      }
    }
    throw new KernelError("io", operation, `no end to the kernel's answer after ${DATAGRAMS_MAX} datagrams`);
  }
}

/** Opens a socket for one use. */
export function withNetlink<Result>(
  protocol: NetlinkProtocol,
  use: (socket: NetlinkSocket) => Result,
): Result {
  const socket = new NetlinkSocket(protocol);
  try {
    return use(socket);
  } finally {
    socket.close();
  }
}

/** A socket that is told of changes and never asks. */
export class NetlinkListener {
  readonly descriptor: Descriptor;
  readonly #buffer = new Uint8Array(RECEIVE_BYTES);

  /** `groups`: numbers of multicast groups, RTNLGRP_*. */
  constructor(protocol: NetlinkProtocol, groups: readonly number[]) {
    this.descriptor = openSocket(protocol);
    try {
      setOption(this.descriptor, SOL_SOCKET, SO_RCVBUF, Uint32Array.of(LISTEN_BUFFER_BYTES));
      for (const group of groups) {
        setOption(this.descriptor, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, Uint32Array.of(group));
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * What has come since the last call, at most `datagramsMax` datagrams of it, without waiting. "lost": more came than the socket has room for, so
   * that whoever listens must look at everything again.
   */
  read(datagramsMax = 64): NetlinkMessage[] | "lost" {
    const messages: NetlinkMessage[] = [];
    for (let datagram = 0; datagram < datagramsMax; datagram++) {
      let bytes: Uint8Array | undefined;
      try {
        bytes = receiveDatagram(this.descriptor, this.#buffer, "listen to the kernel", MSG_DONTWAIT);
      } catch (error) {
        if (error instanceof KernelError && error.errno === "ENOBUFS") return "lost";
        throw error;
      }
      if (bytes === undefined) break;
      for (const message of parseMessages(bytes.slice())) {
        if (message.type === NLMSG_OVERRUN) return "lost";
        messages.push(message);
      }
    }
    return messages;
  }

  close(): void {
    this.descriptor.close();
  }
}

function openSocket(protocol: NetlinkProtocol): Descriptor {
  const operation = `open a netlink socket (${protocol})`;
  const fd = checked(libc().socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, PROTOCOLS[protocol]), operation);
  const descriptor = new Descriptor(fd, operation);
  try {
    const address = new Uint8Array(SOCKADDR_NL_BYTES);
    viewOf(address).setUint16(0, AF_NETLINK, IS_LITTLE_ENDIAN);
    checked(libc().bind(descriptor.fd, address, address.length), operation);
    // Errors then come with words.
    setOption(descriptor, SOL_NETLINK, NETLINK_EXT_ACK, Uint32Array.of(1));
    return descriptor;
  } catch (error) {
    descriptor.close();
    throw error;
  }
}

function setOption(
  descriptor: Descriptor,
  level: number,
  name: number,
  value: Uint32Array | Uint8Array,
): void {
  checked(
    libc().setsockopt(descriptor.fd, level, name, value, value.byteLength),
    `set option ${name} of a netlink socket`,
  );
}

/** struct timeval of 64-bit Linux. */
function timeval(seconds: number): Uint8Array {
  const bytes = new Uint8Array(16);
  viewOf(bytes).setBigInt64(0, BigInt(seconds), IS_LITTLE_ENDIAN);
  return bytes;
}

/** The bytes of one datagram, valid until the next; undefined when none came in time. */
function receiveDatagram(
  descriptor: Descriptor,
  buffer: Uint8Array,
  operation: string,
  flags: number,
): Uint8Array | undefined {
  const { EAGAIN, EINTR } = constants.errno;
  for (;;) {
    const length = Number(libc().recv(descriptor.fd, buffer, buffer.length, flags | MSG_TRUNC));
    if (length > buffer.length) {
      throw new KernelError(
        "io",
        operation,
        `an answer of ${length} bytes, more than the ${buffer.length} expected`,
      );
    }
    if (length >= 0) return buffer.subarray(0, length);
    const number = lastErrno();
    if (number === EAGAIN) return undefined;
    if (number !== EINTR) throw systemError(operation, number);
  }
}

/** Throws what an error message, or the end of a dump, says; other messages say nothing. */
function refuse(operation: string, message: NetlinkMessage): void {
  if (message.type !== NLMSG_ERROR && message.type !== NLMSG_DONE) return;
  const { error, text } = parseAcknowledgement(message);
  if (error === 0) return;
  const cause = new NetlinkRefusal(Math.abs(error), text);
  throw systemError(operation, error, { cause, ...(text === undefined ? {} : { why: text }) });
}
