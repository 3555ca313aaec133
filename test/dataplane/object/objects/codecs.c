// Values of maps in all shapes that codecs are made for.
#include "bpf.h"

char _license[] SEC("license") = "GPL";

enum colour { RED = 1, GREEN = 0x80000000, BLUE = 7 };
enum wide { NARROW = -1, WIDE = 0x4000000000000000LL };
enum reason { REASON_NONE, REASON_TOO_BIG, REASON_COUNT };

struct point {
	short x;
	__be16 y;
};

struct scalars {
	__u8 u8;
	__u16 u16;
	__u32 u32;
	__u64 u64;
	signed char i8;
	short i16;
	int i32;
	long long i64;
	__be16 be16;
	__be32 be32;
	__be64 be64;
	_Bool is_set;
	enum colour colour;
	__u8 reserved[6];
};

struct shapes {
	struct point corner;
	struct point path[3];
	__u8 mac_address[6];
	char name[10];
	__u8 grid[2][3];
	__be32 words[2];
	__u16 reserved;
	union {
		__u64 whole;
		__u32 halves[2];
		struct {
			__u32 low_part;
			__be16 high_part;
		} parts;
	};
	struct {
		__u32 inlined;
	};
	union {
		__u32 number;
		__u8 bytes[4];
	} named_union;
};

struct key {
	__u32 id;
};

struct {
	__uint(type, HASH);
	__uint(max_entries, 4);
	__type(key, struct key);
	__type(value, struct shapes);
} shapes SEC(".maps");

struct {
	__uint(type, ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct {
		__uint(type, ARRAY);
		__uint(max_entries, 6);
		__type(key, __u32);
		__type(value, struct scalars);
	});
} tables SEC(".maps");

const volatile _Bool option_on = 1;
const volatile enum colour option_colour = GREEN;
const volatile __u64 option_large = 0xfedcba9876543210;
int counter = -3;
__u16 pair[2];

union shared_types {
	struct shapes shapes;
	struct scalars scalars;
	enum wide wide;
	enum reason reason;
} shared_types SEC(".shared_types");

SEC("xdp") int program(struct xdp_md *ctx)
{
	__u32 key = 0;
	counter++;
	pair[1]++;
	return bpf_map_lookup_elem(&shapes, &key) != 0 && bpf_map_lookup_elem(&tables, &key) && option_on && option_large &&
	       option_colour == BLUE;
}
