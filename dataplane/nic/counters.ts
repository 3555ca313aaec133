/** What a driver counts for a receive queue, named as drivers name it in `ethtool -S`. */
export interface QueueCounters {
  /** Frames that reached a program, or the host when none is attached. */
  rx_packets: number;
  rx_bytes: number;
  /** Frames that found no free descriptor. */
  rx_no_descriptor: number;
  /** Frames longer than a buffer holds. */
  rx_over_length: number;
  xdp_pass: number;
  xdp_drop: number;
  xdp_tx: number;
  xdp_redirect: number;
  /** Of xdp_redirect: frames that could not go where they were sent, and so were dropped. */
  xdp_redirect_errors: number;
  /** XDP_ABORTED, codes that no driver knows, and programs that were stopped. */
  xdp_aborted: number;
  /** Of xdp_aborted: codes that no driver knows, for which the kernel warns. */
  xdp_invalid_action: number;
  /** Of xdp_aborted: programs that were stopped by a fault. */
  xdp_faults: number;
}

/** What is counted for an interface on its way out. */
export interface TransmitCounters {
  tx_packets: number;
  tx_bytes: number;
}

export function zeroQueueCounters(): QueueCounters {
  return {
    rx_packets: 0,
    rx_bytes: 0,
    rx_no_descriptor: 0,
    rx_over_length: 0,
    xdp_pass: 0,
    xdp_drop: 0,
    xdp_tx: 0,
    xdp_redirect: 0,
    xdp_redirect_errors: 0,
    xdp_aborted: 0,
    xdp_invalid_action: 0,
    xdp_faults: 0,
  };
}

/** Field by field. */
export function sumQueueCounters(all: Iterable<Readonly<QueueCounters>>): QueueCounters {
  const sum = zeroQueueCounters();
  for (const counters of all) {
    for (const name of Object.keys(sum) as (keyof QueueCounters)[]) sum[name] += counters[name];
  }
  return sum;
}
