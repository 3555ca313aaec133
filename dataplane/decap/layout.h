/* SPDX-License-Identifier: MIT
 *
 * What the decapsulation program and the control plane share: map keys and values. TypeScript reads and writes them through
 * codecs generated from the object's BTF (`npm run gen:codecs`). A `__be16` field is in network order and a codec gives it
 * in host order; everything else is in the host's order, which is little-endian.
 */
#ifndef LAMNA_DECAP_LAYOUT_H
#define LAMNA_DECAP_LAYOUT_H

#include "../xdp/kernel.h"

enum family {
	FAMILY_IPV4 = 4,
	FAMILY_IPV6 = 6,
};

enum layout {
	REASON_BLOCK = 32,
};

/* May change while the program runs: each field is one store. One element. */
struct settings {
	__be16 gue_port; /* UDP destination port; 0: GUE is left to the stack */
	bool vips_only; /* only what is inside for an address in `vips` is accepted */
	bool sources_only; /* only what comes from an outer source in `sources` is accepted */
	bool drop_others; /* what is not accepted is dropped, not left to the stack */
	__u8 reserved[3];
};

/* Key of `vips`: the destination inside. */
struct vip_key {
	__u8 address[16]; /* IPv4: the first four bytes, the rest zero */
	__u32 family; /* enum family */
};

/* Value of `vips`, one for each CPU. */
struct traffic {
	__u64 packets; /* decapsulated; tc sees several as one where the NIC or GRO has merged them */
	__u64 bytes; /* of the IP packets inside */
};

/* Key of `sources`, a longest-prefix trie, which compares from the first byte of the family on. */
struct source_prefix {
	__u32 length_bits; /* of the prefix, and 32 for the family */
	__u32 family;
	__u8 address[16]; /* IPv4: the first four bytes, the rest zero */
};

#define SOURCE_BITS (32 + 128)

struct reason_block {
	__u64 packets[REASON_BLOCK]; /* by enum reason */
};

_Static_assert(sizeof(struct settings) == 8, "settings are one word");
_Static_assert(sizeof(struct reason_block) % 64 == 0, "a block is whole cache lines");

#endif
