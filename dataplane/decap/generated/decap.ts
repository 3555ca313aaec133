// Generated from the BTF of dataplane/decap/decap.bpf.o (sha256 b8237d52e1b2e0726d68e2c549f3001958fff1752c2f14de7c8a35d57a3cfc8e).
// Do not edit; regenerate with: npm run gen:codecs
import type { Codec, MapLayout } from "../../object/codec.ts";
import { clear, elements, readBytes, u16, u32, u64, viewOf, writeBytes } from "../../object/codec-fields.ts";

/** struct settings: 8 bytes. */
export interface Settings {
  /** __be16, byte 0, network order in memory. */
  readonly guePort: number;
  /** _Bool, byte 2. */
  readonly vipsOnly: boolean;
  /** _Bool, byte 3. */
  readonly sourcesOnly: boolean;
  /** _Bool, byte 4. */
  readonly dropOthers: boolean;
}

export const settings: Codec<Settings> = {
  name: "settings",
  sizeBytes: 8,
  offsets: { guePort: 0, vipsOnly: 2, sourcesOnly: 3, dropOthers: 4 },
  read(bytes: Uint8Array, offset = 0): Settings {
    const view = viewOf(bytes, offset, 8);
    return {
      guePort: view.getUint16(0),
      vipsOnly: view.getUint8(2) !== 0,
      sourcesOnly: view.getUint8(3) !== 0,
      dropOthers: view.getUint8(4) !== 0,
    };
  },
  write(bytes: Uint8Array, value: Settings, offset = 0): void {
    const view = viewOf(bytes, offset, 8);
    clear(view);
    view.setUint16(0, u16(value.guePort, "settings.guePort"));
    view.setUint8(2, value.vipsOnly ? 1 : 0);
    view.setUint8(3, value.sourcesOnly ? 1 : 0);
    view.setUint8(4, value.dropOthers ? 1 : 0);
  },
};

/** struct vip_key: 20 bytes. */
export interface VipKey {
  /** __u8[16], byte 0. */
  readonly address: Uint8Array;
  /** __u32, byte 16. */
  readonly family: number;
}

export const vipKey: Codec<VipKey> = {
  name: "vip_key",
  sizeBytes: 20,
  offsets: { address: 0, family: 16 },
  read(bytes: Uint8Array, offset = 0): VipKey {
    const view = viewOf(bytes, offset, 20);
    return {
      address: readBytes(view, 0, 16),
      family: view.getUint32(16, true),
    };
  },
  write(bytes: Uint8Array, value: VipKey, offset = 0): void {
    const view = viewOf(bytes, offset, 20);
    clear(view);
    writeBytes(view, 0, 16, value.address, "vipKey.address");
    view.setUint32(16, u32(value.family, "vipKey.family"), true);
  },
};

/** struct traffic: 16 bytes. */
export interface Traffic {
  /** __u64, byte 0. */
  readonly packets: bigint;
  /** __u64, byte 8. */
  readonly bytes: bigint;
}

export const traffic: Codec<Traffic> = {
  name: "traffic",
  sizeBytes: 16,
  offsets: { packets: 0, bytes: 8 },
  read(bytes: Uint8Array, offset = 0): Traffic {
    const view = viewOf(bytes, offset, 16);
    return {
      packets: view.getBigUint64(0, true),
      bytes: view.getBigUint64(8, true),
    };
  },
  write(bytes: Uint8Array, value: Traffic, offset = 0): void {
    const view = viewOf(bytes, offset, 16);
    clear(view);
    view.setBigUint64(0, u64(value.packets, "traffic.packets"), true);
    view.setBigUint64(8, u64(value.bytes, "traffic.bytes"), true);
  },
};

/** struct source_prefix: 24 bytes. */
export interface SourcePrefix {
  /** __u32, byte 0. */
  readonly lengthBits: number;
  /** __u32, byte 4. */
  readonly family: number;
  /** __u8[16], byte 8. */
  readonly address: Uint8Array;
}

export const sourcePrefix: Codec<SourcePrefix> = {
  name: "source_prefix",
  sizeBytes: 24,
  offsets: { lengthBits: 0, family: 4, address: 8 },
  read(bytes: Uint8Array, offset = 0): SourcePrefix {
    const view = viewOf(bytes, offset, 24);
    return {
      lengthBits: view.getUint32(0, true),
      family: view.getUint32(4, true),
      address: readBytes(view, 8, 16),
    };
  },
  write(bytes: Uint8Array, value: SourcePrefix, offset = 0): void {
    const view = viewOf(bytes, offset, 24);
    clear(view);
    view.setUint32(0, u32(value.lengthBits, "sourcePrefix.lengthBits"), true);
    view.setUint32(4, u32(value.family, "sourcePrefix.family"), true);
    writeBytes(view, 8, 16, value.address, "sourcePrefix.address");
  },
};

/** struct reason_block: 256 bytes. */
export interface ReasonBlock {
  /** __u64[32], byte 0. */
  readonly packets: readonly bigint[];
}

export const reasonBlock: Codec<ReasonBlock> = {
  name: "reason_block",
  sizeBytes: 256,
  offsets: { packets: 0 },
  read(bytes: Uint8Array, offset = 0): ReasonBlock {
    const view = viewOf(bytes, offset, 256);
    return {
      packets: Array.from({ length: 32 }, (_, index) => view.getBigUint64(8 * index, true)),
    };
  },
  write(bytes: Uint8Array, value: ReasonBlock, offset = 0): void {
    const view = viewOf(bytes, offset, 256);
    clear(view);
    for (const [index, element] of elements(value.packets, 32, "reasonBlock.packets")) {
      view.setBigUint64(8 * index, u64(element, "reasonBlock.packets"), true);
    }
  },
};

/** enum reason. */
export const Reason = {
  REASON_INTERNAL_ERROR: 0,
  REASON_NOT_ENCAPSULATED: 1,
  REASON_MALFORMED_OUTER: 2,
  REASON_OUTER_FRAGMENT: 3,
  REASON_OUTER_OPTIONS: 4,
  REASON_MALFORMED_INNER: 5,
  REASON_NOT_VIP: 6,
  REASON_SOURCE_REFUSED: 7,
  REASON_MALFORMED_INNER_DROPPED: 8,
  REASON_NOT_VIP_DROPPED: 9,
  REASON_SOURCE_REFUSED_DROPPED: 10,
  REASON_CONGESTED: 11,
  REASON_NOT_STRIPPED: 12,
  REASON_IPV4_IN_IPV4: 13,
  REASON_IPV4_IN_IPV6: 14,
  REASON_IPV6_IN_IPV4: 15,
  REASON_IPV6_IN_IPV6: 16,
  REASON_GUE_IPV4_IN_IPV4: 17,
  REASON_GUE_IPV4_IN_IPV6: 18,
  REASON_GUE_IPV6_IN_IPV4: 19,
  REASON_GUE_IPV6_IN_IPV6: 20,
  REASON_COUNT: 21,
} as const;
export type Reason = (typeof Reason)[keyof typeof Reason];

/** enum family. */
export const Family = {
  FAMILY_IPV4: 4,
  FAMILY_IPV6: 6,
} as const;
export type Family = (typeof Family)[keyof typeof Family];

/** enum layout. */
export const Layout = {
  REASON_BLOCK: 32,
} as const;
export type Layout = (typeof Layout)[keyof typeof Layout];

/** Public names of reasons: the element at a reason's number. */
export const REASON_NAMES: readonly string[] = [
  "internal_error",
  "not_encapsulated",
  "malformed_outer",
  "outer_fragment",
  "outer_options",
  "malformed_inner",
  "not_vip",
  "source_refused",
  "malformed_inner_dropped",
  "not_vip_dropped",
  "source_refused_dropped",
  "congested",
  "not_stripped",
  "ipv4_in_ipv4",
  "ipv4_in_ipv6",
  "ipv6_in_ipv4",
  "ipv6_in_ipv6",
  "gue_ipv4_in_ipv4",
  "gue_ipv4_in_ipv6",
  "gue_ipv6_in_ipv4",
  "gue_ipv6_in_ipv6",
];

/** Maps whose values are structs, by name. */
export const maps: {
  readonly settings: MapLayout<Settings>;
  readonly vips: MapLayout<Traffic>;
  readonly reason_counters: MapLayout<ReasonBlock>;
} = {
  settings: { name: "settings", keySizeBytes: 4, value: settings, maxEntries: 1, isMapInMap: false },
  vips: { name: "vips", keySizeBytes: 20, value: traffic, maxEntries: 16384, isMapInMap: false },
  reason_counters: { name: "reason_counters", keySizeBytes: 4, value: reasonBlock, maxEntries: 2, isMapInMap: false },
};

/** Options: variables of .rodata, fixed when the program is loaded, with their defaults. */
export const options = {
} as const;

/** Variables of .data and .bss, with their initial values. */
export const variables = {
} as const;

/** Programs of the object, by section. */
export const programs: { readonly [name: string]: string } = {
  decap_xdp: "xdp",
  decap_tc: "tc",
};
