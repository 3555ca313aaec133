/* SPDX-License-Identifier: MIT
 *
 * Bob Jenkins' lookup3 (public domain, 2006), as far as the flow hash needs it, with the kernel's way of seeding
 * (include/linux/jhash.h): the hash that Katran uses, so that both choose the same backend.
 */
#ifndef LAMNA_JHASH_H
#define LAMNA_JHASH_H

#include "kernel.h"

#define JHASH_START 0xdeadbeef

static __always_inline __u32 rotate_left(__u32 word, int bits)
{
	return word << bits | word >> (32 - bits);
}

static __always_inline __u32 jhash_finish(__u32 a, __u32 b, __u32 c)
{
	c = (c ^ b) - rotate_left(b, 14);
	a = (a ^ c) - rotate_left(c, 11);
	b = (b ^ a) - rotate_left(a, 25);
	c = (c ^ b) - rotate_left(b, 16);
	a = (a ^ c) - rotate_left(c, 4);
	b = (b ^ a) - rotate_left(a, 14);
	return (c ^ b) - rotate_left(b, 24);
}

static __always_inline __u32 jhash_two_words(__u32 first, __u32 second, __u32 seed)
{
	__u32 start = JHASH_START + 2 * 4 + seed;

	return jhash_finish(first + start, second + start, start);
}

/* Of 16 bytes: one round of mixing for the first three words, then the last. */
static __always_inline __u32 jhash_four_words(const __u32 *words, __u32 seed)
{
	__u32 start = JHASH_START + 4 * 4 + seed;
	__u32 a = start + words[0], b = start + words[1], c = start + words[2];

	a = (a - c) ^ rotate_left(c, 4);
	c += b;
	b = (b - a) ^ rotate_left(a, 6);
	a += c;
	c = (c - b) ^ rotate_left(b, 8);
	b += a;
	a = (a - c) ^ rotate_left(c, 16);
	c += b;
	b = (b - a) ^ rotate_left(a, 19);
	a += c;
	c = (c - b) ^ rotate_left(b, 4);
	b += a;
	return jhash_finish(a + words[3], b, c);
}

#endif
