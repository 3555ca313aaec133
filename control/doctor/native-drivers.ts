/**
 * Drivers with native XDP, and the first kernel in which they have it. For kernels before 6.3, in which drivers do not say so themselves. A driver's name is what
 * `ethtool -i` shows.
 */
export const NATIVE_XDP_SINCE: ReadonlyMap<string, readonly [major: number, minor: number]> = new Map([
  ["mlx4_en", [4, 8]],
  ["mlx5_core", [4, 9]],
  ["nfp", [4, 10]],
  ["qede", [4, 10]],
  ["virtio_net", [4, 10]],
  ["bnxt_en", [4, 11]],
  ["ixgbe", [4, 12]],
  ["i40e", [4, 13]],
  ["tun", [4, 14]],
  ["ixgbevf", [4, 17]],
  ["veth", [4, 19]],
  ["ice", [5, 5]],
  ["ena", [5, 6]],
  ["hv_netvsc", [5, 6]],
  ["igb", [5, 10]],
  ["igc", [5, 13]],
]);
