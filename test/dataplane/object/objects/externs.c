// What is defined by the kernel: configuration, variables, functions.
#include "bpf.h"

extern unsigned CONFIG_HZ EXTERN_IN(".kconfig");
extern _Bool CONFIG_RARE __weak EXTERN_IN(".kconfig");
extern const int kernel_variable EXTERN_IN(".ksyms");
extern int kernel_function(int x) EXTERN_IN(".ksyms");

SEC("xdp") int program(struct xdp_md *ctx)
{
	return CONFIG_HZ + (CONFIG_RARE ? 1 : 0) + (int)(long)&kernel_variable + kernel_function(2);
}
