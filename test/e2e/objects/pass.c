// SPDX-License-Identifier: MIT
/*
 * Lets every frame through. A veth interface takes frames that its peer transmits by XDP_TX only if it has a program of its own: see
 * veth_xdp_xmit in drivers/net/veth.c, which needs the receiver's NAPI.
 */
#define XDP_PASS 2

struct xdp_md;

__attribute__((section("xdp"), used)) int pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char _license[] __attribute__((section("license"), used)) = "Dual MIT/GPL";
