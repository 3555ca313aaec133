// As many instructions as clang makes, with -mcpu=v4.
#include "bpf.h"

long cell;
int cell32;

SEC("xdp") int arithmetic(struct xdp_md *ctx)
{
	long a = ctx->data, b = ctx->data_end;
	int c = (int)a, d = (int)b;
	cell = a / b;
	cell += a % (b + 1);
	cell ^= a * b - (a | 7) + (b & 9);
	cell32 = c / (d | 1) + c % 7 - (c >> 3) + ((unsigned)c >> 2) + (c << d);
	cell += (long)(signed char)a + (long)(short)b + (long)(int)(a >> 5);
	cell32 += (signed char)c + (short)d;
	cell += (unsigned long)a / 3 + (unsigned long)a % 5 - -b;
	return c;
}

SEC("xdp") int memory(struct xdp_md *ctx)
{
	volatile __u8 bytes[8];
	volatile __u16 *half = (void *)bytes;
	volatile __u32 *word = (void *)bytes;
	volatile __u64 *whole = (void *)bytes;
	volatile signed char *signed_byte = (void *)bytes;
	volatile short *signed_half = (void *)bytes;
	volatile int *signed_word = (void *)bytes;
	*whole = 1;
	*half = ctx->data;
	bytes[3] = ctx->data_end;
	*word += 5;
	cell = (long)*signed_byte + *signed_half + *signed_word + *half + bytes[5];
	return __builtin_bswap16(*half) + __builtin_bswap32(*word) + __builtin_bswap64(*whole);
}

SEC("xdp") int atomics(struct xdp_md *ctx)
{
	long value = ctx->data;
	__sync_fetch_and_add(&cell, value);
	__sync_fetch_and_or(&cell32, (int)value);
	value += __sync_fetch_and_add(&cell, 3);
	value += __sync_fetch_and_and(&cell, 5);
	value += __sync_fetch_and_xor(&cell32, 9);
	value += __sync_fetch_and_or(&cell32, 1);
	value += __sync_lock_test_and_set(&cell, 7);
	value += __sync_val_compare_and_swap(&cell32, 1, 2);
	value += __sync_val_compare_and_swap(&cell, 4, value);
	return value;
}

SEC("xdp") int jumps(struct xdp_md *ctx)
{
	long a = ctx->data, b = ctx->data_end;
	int c = (int)a;
	unsigned d = (unsigned)b;
	if (a > b)
		cell++;
	if ((unsigned long)a < (unsigned long)(b + 5))
		cell += 2;
	if (c <= -3)
		cell += 3;
	if (d >= 100)
		cell *= 5;
	if (a & 16)
		cell ^= 8;
	if (c == (int)d)
		return 1;
	switch (c) {
	case 1:
		return 5;
	case 77:
		return cell32;
	case 500:
		return cell32 - 1;
	}
	asm volatile goto("gotol %l[far]" : : : : far);
	return cell;
far:
	return 0x1122334455667788L * a;
}

SEC("xdp") int indirect(struct xdp_md *ctx)
{
	int (*function)(long) = *(void **)(long)ctx->data;
	return function(3);
}
