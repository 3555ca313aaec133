/**
 * Ethernet headers (IEEE 802.3) with any number of VLAN tags (IEEE 802.1Q, 802.1ad).
 *
 *   destination 6 | source 6 | { tag protocol 2 | control 2 }* | ether type 2
 */
export const ETH_P_IPV4 = 0x0800;
export const ETH_P_ARP = 0x0806;
export const ETH_P_8021Q = 0x8100;
export const ETH_P_IPV6 = 0x86dd;
export const ETH_P_8021AD = 0x88a8;
export const ETH_P_LLDP = 0x88cc;

export const ETHERNET_HEADER_SIZE_BYTES = 14;
export const VLAN_TAG_SIZE_BYTES = 4;

export interface VlanTag {
  /** 0x8100 or 0x88a8. */
  readonly protocol: number;
  /** Priority, drop eligibility and VLAN id, as the 16-bit word on the wire. */
  readonly control: number;
}

export interface EthernetHeader {
  readonly destination: Uint8Array;
  readonly source: Uint8Array;
  readonly tags: readonly VlanTag[];
  /** Of what follows the last tag. */
  readonly etherType: number;
}

export function ethernetSizeBytes(header: EthernetHeader): number {
  return ETHERNET_HEADER_SIZE_BYTES + header.tags.length * VLAN_TAG_SIZE_BYTES;
}

/** Follows at most `tagsMax` tags; the protocol of one more is then the ether type. */
export function parseEthernet(view: DataView, offset: number, tagsMax = 2): EthernetHeader | undefined {
  if (view.byteLength - offset < ETHERNET_HEADER_SIZE_BYTES) return undefined;

  const tags: VlanTag[] = [];
  let typeOffset = offset + 12;
  let etherType = view.getUint16(typeOffset);
  while ((etherType === ETH_P_8021Q || etherType === ETH_P_8021AD) && tags.length < tagsMax) {
    if (view.byteLength < typeOffset + 6) return undefined;
    tags.push({ protocol: etherType, control: view.getUint16(typeOffset + 2) });
    typeOffset += VLAN_TAG_SIZE_BYTES;
    etherType = view.getUint16(typeOffset);
  }
  return { destination: bytesAt(view, offset, 6), source: bytesAt(view, offset + 6, 6), tags, etherType };
}

/** Returns the offset behind the header. */
export function emitEthernet(view: DataView, offset: number, header: EthernetHeader): number {
  setBytes(view, offset, header.destination);
  setBytes(view, offset + 6, header.source);
  let next = offset + 12;
  for (const tag of header.tags) {
    view.setUint16(next, tag.protocol);
    view.setUint16(next + 2, tag.control);
    next += VLAN_TAG_SIZE_BYTES;
  }
  view.setUint16(next, header.etherType);
  return next + 2;
}

/** A copy of part of a view. */
export function bytesAt(view: DataView, offset: number, sizeBytes: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, sizeBytes).slice();
}

export function setBytes(view: DataView, offset: number, bytes: Uint8Array): void {
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(bytes, offset);
}
