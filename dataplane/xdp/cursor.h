/* SPDX-License-Identifier: MIT
 *
 * The cursor that reads a packet, header by header.
 */
#ifndef LAMNA_CURSOR_H
#define LAMNA_CURSOR_H

#include "kernel.h"

/* Headers are taken from the front, each within the frame and within the length that the IP header gives. A frame
 * may be longer than its packet (Ethernet padding) and shorter (captures are cut by a snap length). */
struct cursor {
	void *at;
	void *end; /* of the frame */
	__u32 left; /* bytes from `at` to the end of the packet as its IP header says; above IP without limit */
};

#define UNLIMITED 0xffffffff

/* The next `bytes` bytes, or NULL when there are not as many. */
static __always_inline void *take(struct cursor *cursor, __u32 bytes)
{
	void *start = cursor->at;

	if (bytes > cursor->left || start + bytes > cursor->end)
		return NULL;
	cursor->at = start + bytes;
	cursor->left -= bytes;
	return start;
}

#endif
