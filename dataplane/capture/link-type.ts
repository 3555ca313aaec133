/** Link-layer header types (https://www.tcpdump.org/linktypes.html). Only Ethernet is read; the others have names for errors. */
export const LINKTYPE_ETHERNET = 1;

const NAMES: ReadonlyMap<number, string> = new Map([
  [0, "BSD loopback (NULL)"],
  [1, "Ethernet"],
  [6, "IEEE 802.5 token ring"],
  [8, "SLIP"],
  [9, "PPP"],
  [10, "FDDI"],
  [12, "raw IP"],
  [14, "raw IP"],
  [50, "PPP in HDLC-like framing"],
  [51, "PPPoE session"],
  [101, "raw IP"],
  [104, "Cisco HDLC"],
  [105, "IEEE 802.11"],
  [107, "frame relay"],
  [108, "OpenBSD loopback"],
  [113, "Linux cooked capture (SLL)"],
  [117, "OpenBSD pflog"],
  [119, "IEEE 802.11 with Prism header"],
  [127, "IEEE 802.11 with radiotap header"],
  [149, "DOCSIS"],
  [163, "IEEE 802.11 with AVS header"],
  [187, "Bluetooth HCI"],
  [189, "USB (Linux)"],
  [192, "per-packet information (PPI)"],
  [195, "IEEE 802.15.4"],
  [201, "Bluetooth HCI with direction"],
  [220, "USB (Linux, memory mapped)"],
  [227, "CAN (SocketCAN)"],
  [228, "raw IPv4"],
  [229, "raw IPv6"],
  [239, "Linux NFLOG"],
  [240, "Hilscher netANALYZER"],
  [249, "USBPcap"],
  [253, "Linux netlink"],
  [274, "Ethernet mPackets"],
  [276, "Linux cooked capture v2 (SLL2)"],
]);

export function linkTypeName(linkType: number): string {
  if (linkType >= 147 && linkType <= 162) return `reserved for private use ${linkType - 147}`;
  return NAMES.get(linkType) ?? "not assigned or not known here";
}

/** The sentence of an error: number, name, what is allowed and, where there is a usual way out, that way. */
export function describeUnsupportedLinkType(linkType: number): string {
  const isCooked = linkType === 113 || linkType === 276;
  const advice = isCooked ? '; capture on the interface itself rather than on "any"' : "";
  return `link type ${linkType} (${linkTypeName(linkType)}), expected ${LINKTYPE_ETHERNET} (Ethernet)${advice}`;
}
