/** Numbers of the pcapng format (draft-ietf-opsawg-pcapng, section in brackets), shared by reader and writer. */

// Block types [11.1]. A section header's type reads the same in both byte orders.
export const BLOCK_SECTION_HEADER = 0x0a0d0d0a; // [4.1]
export const BLOCK_INTERFACE_DESCRIPTION = 1; // [4.2]
export const BLOCK_PACKET = 2; // [obsolete]
export const BLOCK_SIMPLE_PACKET = 3; // [4.4]
export const BLOCK_NAME_RESOLUTION = 4; // [4.5]
export const BLOCK_INTERFACE_STATISTICS = 5; // [4.6]
export const BLOCK_ENHANCED_PACKET = 6; // [4.3]
export const BLOCK_SYSTEMD_JOURNAL = 9; // [4.7]
export const BLOCK_DECRYPTION_SECRETS = 10; // [4.8]
export const BLOCK_CUSTOM = 0x00000bad; // [4.9]
export const BLOCK_CUSTOM_NO_COPY = 0x40000bad;

export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

// Sizes in bytes, of the block around its contents: type and length before, length after.
export const BLOCK_OVERHEAD = 12;
export const SECTION_HEADER_MIN = 28;
export const INTERFACE_DESCRIPTION_MIN = 20;
export const ENHANCED_PACKET_MIN = 32;
export const PACKET_MIN = 32;
export const SIMPLE_PACKET_MIN = 16;

// Options of every block [3.5].
export const OPT_END = 0;
export const OPT_COMMENT = 1;

// Options of an interface [4.2].
export const IF_NAME = 2;
export const IF_DESCRIPTION = 3;
export const IF_IPV4_ADDRESS = 4;
export const IF_IPV6_ADDRESS = 5;
export const IF_MAC_ADDRESS = 6;
export const IF_EUI_ADDRESS = 7;
export const IF_SPEED = 8;
export const IF_TSRESOL = 9;
export const IF_FILTER = 11;
export const IF_OS = 12;
export const IF_FCSLEN = 13;
export const IF_TSOFFSET = 14;
export const IF_HARDWARE = 15;
export const IF_TXSPEED = 16;
export const IF_RXSPEED = 17;

// Options of an enhanced packet [4.3].
export const EPB_FLAGS = 2;
export const EPB_PACKETID = 5;
export const EPB_VERDICT = 7;

/** First octet of an epb_verdict; the return code of the program follows as 64 bits. */
export const VERDICT_LINUX_EBPF_XDP = 2;

/** Longest packet that is believed, as in Wireshark: a longer one is a sign of a damaged file. */
export const MAX_CAPTURED_BYTES = 262144;

/** Longest block that is believed, also as in Wireshark. */
export const MAX_BLOCK_BYTES = 16777216;
