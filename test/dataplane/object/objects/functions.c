// Functions, and no program: what one gets who forgets SEC().
#include "bpf.h"

int first(struct xdp_md *context)
{
	return context->data != context->data_end;
}

__attribute__((used)) static int second(struct xdp_md *context)
{
	return first(context);
}
