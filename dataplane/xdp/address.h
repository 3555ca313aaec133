/* SPDX-License-Identifier: MIT
 *
 * Addresses of both families. Functions that take `family` are called with a constant, so that what is for the other
 * family is not compiled in.
 */
#ifndef LAMNA_ADDRESS_H
#define LAMNA_ADDRESS_H

#include "kernel.h"
#include "layout.h"

#define ADDRESS_WORDS(family) ((family) == FAMILY_IPV4 ? 1 : 4)

/* The last four bytes: all of an IPv4 address. */
static __always_inline __be32 last_word(const __be32 *address, const enum family family)
{
	return address[ADDRESS_WORDS(family) - 1];
}

static __always_inline bool same_address(const void *a, const void *b, const enum family family)
{
	const __u64 *a64 = a, *b64 = b;

	if (family == FAMILY_IPV4)
		return *(const __be32 *)a == *(const __be32 *)b;
	return a64[0] == b64[0] && a64[1] == b64[1];
}

static __always_inline void copy_address(__be32 *to, const __be32 *from, const enum family family)
{
	if (family == FAMILY_IPV4) {
		*to = *from;
	} else {
		((__u64 *)to)[0] = ((const __u64 *)from)[0];
		((__u64 *)to)[1] = ((const __u64 *)from)[1];
	}
}

/* Writes 16 bytes; those an IPv4 address does not have are zero. */
static __always_inline void store_address(void *to, const __be32 *address, const enum family family)
{
	__be32 *words = to;

	words[0] = address[0];
	words[1] = family == FAMILY_IPV4 ? 0 : address[1];
	words[2] = family == FAMILY_IPV4 ? 0 : address[2];
	words[3] = family == FAMILY_IPV4 ? 0 : address[3];
}

static __always_inline void swap_addresses(__be32 *a, __be32 *b, const enum family family)
{
	for (int i = 0; i < ADDRESS_WORDS(family); i++) {
		__be32 word = a[i];

		a[i] = b[i];
		b[i] = word;
	}
}

/* One host has it, as far as can be told: neither unspecified nor multicast nor loopback nor 255.255.255.255. No other address
 * may be answered, or answer (RFC 1122 sections 3.2.1.3 and 3.2.2, RFC 4291 section 2.5.3, RFC 4443 section 2.4 e). */
static __always_inline bool is_unicast(const __be32 *address, const enum family family)
{
	__u8 first = *(const __u8 *)address;

	if (family == FAMILY_IPV4)
		return address[0] != 0 && address[0] != 0xffffffff && (first & 0xf0) != 0xe0 && first != 127;
	if (first == 0xff)
		return false;
	return (address[0] | address[1] | address[2]) != 0 || (address[3] != 0 && address[3] != bpf_htonl(1));
}

#endif
