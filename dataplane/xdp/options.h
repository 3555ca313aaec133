/* SPDX-License-Identifier: MIT
 *
 * Options: set once before load, in .rodata, which the kernel then freezes. The verifier reads them as constants
 * and drops the code that is off. What may change while the program runs is in `struct settings` (layout.h).
 */
#ifndef LAMNA_OPTIONS_H
#define LAMNA_OPTIONS_H

#include "kernel.h"

enum echo_mode {
	ECHO_OFF = 0,
	ECHO_VIP = 1, /* requests to a VIP's address are answered */
	ECHO_ANY = 2, /* and any other */
};

/* Policy. */
const volatile bool option_scope_all = false; /* drops reach what is not for a VIP, as in Katran */
const volatile bool option_fragments_balance = true;
const volatile bool option_ip_options_balance = false;
const volatile bool option_too_big_icmp = true;
const volatile __u8 option_echo = ECHO_VIP;

/* Features: on when some VIP needs them. */
const volatile bool option_any_port_vips = true; /* some VIP has port 0 */

/* Hashing. */
const volatile __u32 option_hash_seed = 33554944; /* of the flow hash */
const volatile __u32 option_hash_seed_ipv6 = 512; /* of the hash that folds an IPv6 source address to 32 bits */
const volatile __u64 option_flow_seed = 0; /* of the flow table's line index; secret, any value */

/* Capacities, as the maps were created: masks are a power of two less one. */
const volatile __u32 option_vip_bucket_mask = 511; /* of one copy */
const volatile __u32 option_flow_ipv4_line_mask = 65535;
const volatile __u32 option_flow_ipv6_line_mask = 131071;
const volatile __u32 option_fragment_mask = 1023;
const volatile __u32 option_vip_stride = 68; /* elements of vip_counters a CPU */
const volatile __u32 option_backend_stride = 4100; /* elements of backend_counters a CPU */

/* Time. One tick is one step of the clock that now_ticks() reads. */
const volatile bool option_external_clock = false; /* read clock_ticks, not the kernel's jiffies */
const volatile __u32 option_ticks_per_second = 250;
/* A TCP flow idle for longer may lose its entry to a new one; after FIN or RST sooner. */
const volatile __u32 option_established_idle_ticks = 250 * 3600;
const volatile __u32 option_closing_idle_ticks = 250 * 60;
const volatile __u32 option_fragment_ticks = 250 * 2; /* a datagram's fragments belong together this long */

/* The first 64 bits of the SHA-256 of the object's file, as its digest is written. Not read by the program: it tells which object runs. */
const volatile __u64 option_object_id = 0;

#endif
