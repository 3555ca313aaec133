// SPDX-License-Identifier: MIT
/*
 * Calls the helper that the frame asks for and returns what it returned, so that the machine's helpers can be compared with the
 * kernel's. Byte 14 of the frame is the operation, bytes 16 to 19 and 20 to 23 are two numbers in the host's order.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual MIT/GPL";

#define BUFFER_BYTES 64

SEC("xdp")
int edges(struct xdp_md *ctx)
{
	__u8 from[BUFFER_BYTES] = {}, to[BUFFER_BYTES] = {};
	__u8 operation;
	__s32 first, second;

	if (bpf_xdp_load_bytes(ctx, 14, &operation, 1) || bpf_xdp_load_bytes(ctx, 16, &first, 4) ||
	    bpf_xdp_load_bytes(ctx, 20, &second, 4))
		return 1000;

	switch (operation) {
	case 0:
		return bpf_xdp_adjust_head(ctx, first);
	case 1:
		return bpf_xdp_adjust_tail(ctx, first);
	case 2:
		return bpf_xdp_adjust_meta(ctx, first);
	case 3: /* metadata, then a header */
		if (bpf_xdp_adjust_meta(ctx, first))
			return 1001;
		return bpf_xdp_adjust_head(ctx, second);
	case 4: /* a header, then metadata */
		if (bpf_xdp_adjust_head(ctx, first))
			return 1001;
		return bpf_xdp_adjust_meta(ctx, second);
	case 5: /* cut, then grow */
		if (bpf_xdp_adjust_tail(ctx, first))
			return 1001;
		return bpf_xdp_adjust_tail(ctx, second);
	case 6: { /* checksum difference of `first` bytes from offset 24 and `second` bytes behind them */
		__u32 from_bytes = first & (BUFFER_BYTES - 1), to_bytes = second & (BUFFER_BYTES - 1);

		if (from_bytes && bpf_xdp_load_bytes(ctx, 24, from, from_bytes))
			return 1002;
		if (to_bytes && bpf_xdp_load_bytes(ctx, 24 + from_bytes, to, to_bytes))
			return 1003;
		return bpf_csum_diff((void *)from, from_bytes, (void *)to, to_bytes, ((__u32)first >> 16) | (second & 0xffff0000));
	}
	case 7: /* four bytes at an offset */
		return bpf_xdp_load_bytes(ctx, first, from, 4);
	case 8:
		return bpf_xdp_store_bytes(ctx, first, &second, 4);
	case 9:
		return bpf_xdp_get_buff_len(ctx);
	case 10:
		return bpf_redirect(first, second);
	}
	return 1004;
}
