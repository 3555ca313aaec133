/* What the test objects use of the kernel's and libbpf's headers, so that they build without any. */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;

#define SEC(name) __attribute__((section(name), used))
#define EXTERN_IN(name) __attribute__((section(name)))
#define __noinline __attribute__((noinline))
#define __weak __attribute__((weak))
#define __uint(name, value) int(*name)[value]
#define __ulong(name, value) \
	enum { name##_value = value } name
#define __type(name, type) typeof(type) *name
#define __array(name, type) typeof(type) *name[]

enum { HASH = 1, ARRAY = 2, PROG_ARRAY = 3, PERF_EVENT_ARRAY = 4, ARRAY_OF_MAPS = 12, HASH_OF_MAPS = 13, QUEUE = 22 };

struct xdp_md {
	__u32 data;
	__u32 data_end;
};

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_trace_printk)(const char *format, __u32 size, ...) = (void *)6;
static long (*const bpf_loop)(__u32 count, void *callback, void *context, __u64 flags) = (void *)181;
