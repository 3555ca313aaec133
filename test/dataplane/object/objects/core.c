// A CO-RE relocation: the offset of `pid` is to be that of the running kernel's own struct.
#include "bpf.h"

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

SEC("xdp") int program(struct task_struct *task)
{
	return task->pid;
}
