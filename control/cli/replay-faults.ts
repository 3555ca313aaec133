/** Programs that the VM had to stop: never seen with a sound program, so each is told with all that is known of it. */
import type { KeptFault } from "../../dataplane/nic/nic.ts";
import { formatCount } from "./output.ts";
import type { TextStyle } from "./replay-text.ts";

/** What a NIC kept of its faults. */
export interface FaultsSeen {
  readonly faults: readonly KeptFault[];
  counters(): { readonly xdp_faults: number };
}

export function describeFaults(nic: FaultsSeen, { paint }: TextStyle): string[] {
  const count = nic.counters().xdp_faults;
  const { faults } = nic;
  const shown = count > faults.length ? `, the first ${faults.length} shown` : "";
  const lines = [
    "",
    paint(
      "red",
      `The program was stopped on ${formatCount(count)} ${count === 1 ? "packet" : "packets"}${shown}`,
    ),
  ];
  for (const { frameIndex, queue, fault } of faults) {
    lines.push(
      `  packet ${frameIndex} (frame ${frameIndex + 1} in Wireshark), queue ${queue}: ${fault.code}: ${fault.message}`,
    );
  }
  return lines;
}
