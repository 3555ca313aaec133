/** Options that the `lamna backend` commands share. */
import { InvalidArgumentError, type Option } from "commander";
import { AddressError, type IpAddress, parseIpAddress } from "../model/address.ts";
import { type IpPrefix, parseIpPrefix } from "../model/prefix.ts";
import { pinDirectoryOption } from "./pin-directory.ts";

export const DEFAULT_PIN_DIRECTORY = "/sys/fs/bpf/lamna-backend";

export function backendPinDirectoryOption(): Option {
  return pinDirectoryOption().default(DEFAULT_PIN_DIRECTORY);
}

/** For commander: collects the addresses of a repeated option. */
export function collectAddresses(text: string, before: readonly IpAddress[] = []): readonly IpAddress[] {
  return [...before, orInvalid(() => parseIpAddress(text))];
}

export function collectPrefixes(text: string, before: readonly IpPrefix[] = []): readonly IpPrefix[] {
  return [...before, orInvalid(() => (text.includes("/") ? parseIpPrefix(text) : hostPrefix(text)))];
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^[0-9]+$/.test(text) || port > 65535) {
    throw new InvalidArgumentError("Expected a port from 1 to 65535, or 0 for none.");
  }
  return port;
}

function hostPrefix(text: string): IpPrefix {
  const address = parseIpAddress(text);
  return { address, lengthBits: address.bytes.length * 8 };
}

function orInvalid<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof AddressError) throw new InvalidArgumentError(`It is ${error.message}.`);
    throw error;
  }
}
