/**
 * What the keys of a config file must mean together: nothing twice, nothing more than there is room for.
 *
 * Works on the file's plain data rather than on a finished Config, and looks only at values that are right by
 * themselves, so that these problems are reported together with those of the schema.
 */
import { formatIpAddress, parseIpAddress } from "./address.ts";
import type { ConfigFinding, ConfigPath } from "./config-error.ts";
import { formatConfigPath, quoted } from "./config-error.ts";
import { DEFAULT_CAPACITY } from "./limits.ts";

export function crossCheck(file: unknown): ConfigFinding[] {
  const vips = items(field(file, "vips"));
  const problems: ConfigFinding[] = [];
  const names = new Map<string, ConfigPath>();
  const keys = new Map<string, ConfigPath>();
  const vipAddresses = new Map<string, ConfigPath>();
  const backendAddresses = new Set<string>();

  for (const [index, vip] of vips.entries()) {
    const path = ["vips", index];
    const name = field(vip, "name");
    if (typeof name === "string") {
      const message = (first: string) =>
        `${quoted(name)} is the name of ${first} too, expected a unique name`;
      claim(names, name, { owner: path, at: [...path, "name"], message });
    }
    const address = canonical(field(vip, "address"));
    if (address === undefined) continue;
    if (!vipAddresses.has(address)) vipAddresses.set(address, path);

    const port = field(vip, "port");
    const protocol = field(vip, "protocol");
    if (typeof port !== "number" || typeof protocol !== "string") continue;
    const service = `${address} port ${port} ${protocol}`;
    const message = (first: string) =>
      `${service} is ${first} already, expected each address, port and protocol once`;
    claim(keys, service, { owner: path, at: path, message });
  }

  for (const [index, vip] of vips.entries()) {
    const path = ["vips", index];
    checkFlags(field(vip, "flags"), [...path, "flags"]);
    const addressesOfVip = new Map<string, ConfigPath>();
    for (const [backendIndex, backend] of items(field(vip, "backends")).entries()) {
      checkBackend(backend, [...path, "backends", backendIndex], addressesOfVip);
    }
  }

  checkCapacity("vips", vips.length, "VIPs");
  checkCapacity("backends", backendAddresses.size, "different backend addresses");
  return problems;

  function checkBackend(backend: unknown, path: ConfigPath, addressesOfVip: Map<string, ConfigPath>): void {
    const katranDown = field(backend, "katranDown");
    const state = field(backend, "state");
    if (katranDown === true && (state === "active" || state === "draining")) {
      const message = `true with state ${state}, expected state down beside it`;
      problems.push({ code: "bad-value", path: [...path, "katranDown"], value: true, message });
    }

    const address = canonical(field(backend, "address"));
    if (address === undefined) return;
    backendAddresses.add(address);
    const addressPath = [...path, "address"];
    const twice = (first: string) => `${address} is ${first} already, expected each backend of a VIP once`;
    claim(addressesOfVip, address, { owner: path, at: addressPath, message: twice });
    const vip = vipAddresses.get(address);
    if (vip !== undefined) {
      const message = `${address} is the address of ${formatConfigPath(vip)}, expected the address of a backend host`;
      problems.push({ code: "bad-value", path: addressPath, value: address, message });
    }
  }

  function checkFlags(flags: unknown, path: ConfigPath): void {
    const seen = new Map<string, ConfigPath>();
    for (const [index, flag] of items(flags).entries()) {
      if (typeof flag !== "string") continue;
      const at = [...path, index];
      claim(seen, flag, { owner: at, at, message: () => `${quoted(flag)} stands here twice` });
    }
  }

  /** Makes `owner` the owner of `key`, or reports at `at` that it has one already. */
  function claim(
    owners: Map<string, ConfigPath>,
    key: string,
    { owner, at, message }: { owner: ConfigPath; at: ConfigPath; message: (first: string) => string },
  ): void {
    const first = owners.get(key);
    if (first === undefined) owners.set(key, owner);
    else
      problems.push({ code: "duplicate", path: at, value: key, message: message(formatConfigPath(first)) });
  }

  function checkCapacity(key: "vips" | "backends", count: number, what: string): void {
    const given = field(field(file, "capacity"), key);
    const room = given === undefined ? DEFAULT_CAPACITY[key] : given;
    if (typeof room !== "number" || !Number.isInteger(room) || room < 1 || count <= room) return;
    const message = `room for ${room} ${what}, but the file has ${count}; expected capacity.${key} of ${count} or more`;
    problems.push({ code: "over-capacity", path: ["capacity", key], value: room, message });
  }
}

function field(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, key) ? (value as { readonly [key: string]: unknown })[key] : undefined;
}

function items(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The address that a text means, if it means one, so that two spellings of one address are the same. */
function canonical(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  try {
    return formatIpAddress(parseIpAddress(value));
  } catch {
    return undefined;
  }
}
