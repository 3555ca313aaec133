// Every kind of BTF type.
#include "bpf.h"

typedef __u64 cookie;
struct forward;
union forward_union;

enum small { SMALL_MINUS = -1, SMALL_ZERO, SMALL_ONE };
enum large { LARGE_ONE = 1, LARGE_HUGE = 0x8000000000000001ULL };
enum large_signed { LARGE_MINUS = -0x7000000000000000LL, LARGE_PLUS = 0x7000000000000000LL };

union either {
	__u32 number;
	char text[8];
};

struct everything {
	struct everything *next;
	struct forward *forward;
	union forward_union *forward_union;
	cookie cookie __attribute__((btf_decl_tag("a tag of a member")));
	volatile int *restrict pointer;
	int (*function)(struct everything *self, const char *name, ...);
	double fraction;
	float half;
	_Bool flag;
	signed char byte;
	enum small small;
	enum large large;
	enum large_signed large_signed;
	union either either;
	struct {
		int anonymous;
	};
	__u8 matrix[2][3];
	__u32 bits_low : 3;
	__u32 bits_high : 29;
	int __attribute__((btf_type_tag("user"))) *tagged;
} __attribute__((btf_decl_tag("a tag of a struct")));

struct everything everything;
const struct everything *constant;
extern int elsewhere __weak EXTERN_IN(".kconfig");

SEC("xdp") int program(struct xdp_md *ctx __attribute__((btf_decl_tag("a tag of a parameter"))))
{
	return everything.cookie + (&elsewhere ? elsewhere : 0);
}
