/* A program with most of what compilers emit: loops, calls, maps, atomics, signed arithmetic, all access sizes.
 *
 * sample_llvm14_v2.txt: clang-14 -O2 -target bpf -mcpu=v2 -c sample.c && llvm-objdump-14 -d sample.o
 * sample_llvm14_v3.txt: the same with -mcpu=v3, and llvm-objdump-14 -d --mattr=+alu32
 * sample_llvm22_v4.txt: clang-22 -mcpu=v4 -DSIGNED_DIVISION=1, and llvm-objdump-22 -d --mcpu=v4 --no-print-imm-hex
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;

#define SEC(name) __attribute__((section(name), used))

struct {
	int (*type)[2];
	u32 *key;
	u64 *value;
	int (*max_entries)[4];
} counts SEC(".maps");

struct ctx {
	u64 timestamp_ns;
	u32 line;
	s32 value;
	u16 half;
	s16 signed_half;
	u8 byte;
	s8 signed_byte;
};

static void *(*map_lookup_elem)(void *map, const void *key) = (void *)1;
static u64 (*ktime_get_ns)(void) = (void *)5;

u64 total;
const volatile u32 limit = 40;

static __attribute__((noinline)) s64 mix(s64 a, s64 b)
{
	s64 sum = a;
	for (int i = 0; i < 10; i++) {
		sum = sum * 31 + (b >> i);
		if (sum < -1000 || (u64)sum > 1ull << 40)
			sum ^= 0x123456789abcdefll;
	}
	return sum;
}

SEC("gpio/sample")
u64 sample(struct ctx *ctx)
{
	u32 key = ctx->line & 3;
	u64 *count = map_lookup_elem(&counts, &key);

	if (!count)
		return 0;
	__sync_fetch_and_add(count, 1);
	if (ctx->value > (s32)limit && ctx->signed_byte < ctx->signed_half)
		total += ctx->byte + (u64)ctx->half;
	key = __builtin_bswap32(key) ^ ctx->half;
	count[0] -= key / 7;
	return mix(*count, ktime_get_ns()) + ctx->signed_half;
}

#if SIGNED_DIVISION
SEC("timer/sample")
s64 divided(struct ctx *ctx)
{
	s64 a = (s64)ctx->timestamp_ns, b = ctx->value;
	s32 c = ctx->value % (ctx->signed_byte | 1);
	u32 seen = __atomic_fetch_or(&total, 1, __ATOMIC_SEQ_CST);

	__atomic_exchange_n((u32 *)&total, seen, __ATOMIC_SEQ_CST);
	__sync_val_compare_and_swap(&total, 5, a);
	return a / (b | 1) + c;
}
#endif
