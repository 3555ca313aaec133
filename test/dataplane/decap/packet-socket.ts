/** Whole frames in and out of a network interface (packet(7)). */
import { setTimeout as sleep } from "node:timers/promises";
import { Descriptor } from "../../../dataplane/kernel/descriptor.ts";
import { findInterface } from "../../../dataplane/kernel/find-interface.ts";
import { checked, libc } from "../../../dataplane/kernel/libc.ts";
import { lastErrno } from "../../../dataplane/kernel/native.ts";

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const ETH_P_ALL = 0x0003;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;
const SOCKADDR_LL_BYTES = 20;
/** Answers are there within milliseconds, unless something is wrong. */
const DEADLINE_MS = 5000;

export class PacketSocket {
  readonly #socket: Descriptor;
  readonly #buffer = new Uint8Array(65536);

  /** In the calling thread's network namespace, where it stays. */
  constructor(interfaceName: string) {
    const ifindex = findInterface(interfaceName)?.ifindex;
    if (ifindex === undefined) throw new Error(`no interface ${interfaceName}`);
    const protocol = ((ETH_P_ALL & 0xff) << 8) | (ETH_P_ALL >> 8);
    const fd = checked(libc().socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, protocol), "open a packet socket");
    this.#socket = new Descriptor(fd, "packet socket");
    // struct sockaddr_ll: family u16 | protocol u16 in network order | ifindex s32 | and what only sendto() needs
    const address = new Uint8Array(SOCKADDR_LL_BYTES);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_PACKET, true);
    view.setUint16(2, ETH_P_ALL);
    view.setInt32(4, ifindex, true);
    checked(libc().bind(fd, address, address.length), `bind to ${interfaceName}`);
  }

  send(frame: Uint8Array): void {
    checked(libc().send(this.#socket.fd, frame, frame.length, 0), "send a frame");
  }

  /** The next frame, or undefined when there is none yet. Our own come back too. */
  receive(): Uint8Array | undefined {
    const length = libc().recv(this.#socket.fd, this.#buffer, this.#buffer.length, MSG_DONTWAIT);
    if (length >= 0) return this.#buffer.slice(0, length);
    if (lastErrno() === EAGAIN) return undefined;
    checked(length, "receive a frame");
    return undefined;
  }

  /** Waits for a frame that is wanted, and drops others. Undefined when it does not come. */
  async waitFor(isWanted: (frame: Uint8Array) => boolean): Promise<Uint8Array | undefined> {
    const deadline = performance.now() + DEADLINE_MS;
    while (performance.now() < deadline) {
      for (let frame = this.receive(); frame !== undefined; frame = this.receive()) {
        if (isWanted(frame)) return frame;
      }
      await sleep(1);
    }
    return undefined;
  }

  close(): void {
    this.#socket.close();
  }
}
