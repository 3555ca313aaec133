/**
 * What a config leaves to the NIC that Lamna is attached to, and replay has none to ask: whoever means to attach by a config can
 * replay with it as it is.
 */
import type { Config } from "../model/config.ts";
import { DEFAULT_MTU } from "../model/limits.ts";
import type { MacAddress } from "../model/mac.ts";

/** Locally administered (IEEE 802), so it is no device's. README.md and the config's schema name it. */
export const REPLAY_GATEWAY_MAC: MacAddress = Uint8Array.of(0x02, 0, 0, 0, 0, 0x01);

/** The config with every setting that a replay needs. */
export function replayConfig(config: Config): Config {
  const { settings } = config;
  const { gatewayMac = REPLAY_GATEWAY_MAC, mtu = DEFAULT_MTU } = settings;
  return { ...config, settings: { ...settings, gatewayMac, mtu } };
}
