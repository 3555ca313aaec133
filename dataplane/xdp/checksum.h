/* SPDX-License-Identifier: MIT
 *
 * The Internet checksum (RFC 1071): a ones' complement sum of 16-bit words as loaded, so that byte order does not matter.
 */
#ifndef LAMNA_CHECKSUM_H
#define LAMNA_CHECKSUM_H

#include "kernel.h"

/* Folds the carries back in and complements: what goes into the header. */
static __always_inline __u16 fold_checksum(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* The checksum after one word changed: RFC 1624, equation 3. Not for a message that may consist of zeros from then on: its
 * checksum is ffff, and this gives 0. IP headers and what has a pseudo-header cannot. */
static __always_inline __u16 update_checksum(__u16 checksum, __u16 from, __u16 to)
{
	return fold_checksum((__u16)~checksum + (__u32)(__u16)~from + to);
}

/* The checksum after one word became smaller by `difference`. Never 0: ffff says the same, and is right for a message of zeros. */
static __always_inline __u16 shrink_checksum(__u16 checksum, __u16 difference)
{
	__u32 sum = (__u32)checksum + difference;

	return sum + (sum >> 16);
}

/* Adds up `count` words. The sum of at most 2^16 of them does not overflow. */
static __always_inline __u32 add_words(__u32 sum, const void *from, int count)
{
	const __u16 *words = from;

	for (int i = 0; i < count; i++)
		sum += words[i];
	return sum;
}

#endif
