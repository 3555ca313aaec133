/** Address prefixes, "192.168.0.0/17": a network and how many leading bits of it count. */
import { AddressError, formatIpAddress, type IpAddress, parseIpAddress } from "./address.ts";

export interface IpPrefix {
  /** All bits after the first `lengthBits` are zero. */
  readonly address: IpAddress;
  readonly lengthBits: number;
}

/** Reads address/length. Bits set behind the length are refused: they are a typing mistake in one or the other. Throws AddressError. */
export function parseIpPrefix(text: string): IpPrefix {
  const slash = text.indexOf("/");
  const digits = text.slice(slash + 1);
  if (slash < 0 || !/^(0|[1-9][0-9]{0,2})$/.test(digits)) {
    throw new AddressError("syntax", text, "expected a prefix such as 192.168.0.0/17 or fc00:1::/96");
  }
  const address = parseIpAddress(text.slice(0, slash));
  const lengthBits = Number(digits);
  const bits = address.bytes.length * 8;
  if (lengthBits > bits) {
    throw new AddressError(
      "syntax",
      text,
      `a length of ${lengthBits} bits, allowed for IPv${address.family}: 0 to ${bits}`,
    );
  }

  const network = { family: address.family, bytes: masked(address.bytes, lengthBits) };
  if (network.bytes.some((byte, index) => byte !== address.bytes[index])) {
    const expected = formatIpPrefix({ address: network, lengthBits });
    throw new AddressError(
      "syntax",
      text,
      `bits are set behind the first ${lengthBits}, expected ${expected}`,
    );
  }
  return { address: network, lengthBits };
}

export function formatIpPrefix({ address, lengthBits }: IpPrefix): string {
  return `${formatIpAddress(address)}/${lengthBits}`;
}

function masked(bytes: Uint8Array, lengthBits: number): Uint8Array {
  return bytes.map((byte, index) => byte & (0xff00 >> Math.min(8, Math.max(0, lengthBits - index * 8))));
}
