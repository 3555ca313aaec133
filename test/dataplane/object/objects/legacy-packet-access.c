// The loads from a packet that classic BPF had.
#include "bpf.h"

unsigned long long load_byte(void *skb, unsigned long long offset) asm("llvm.bpf.load.byte");

SEC("tc") int program(void *skb)
{
	return load_byte(skb, 12);
}
