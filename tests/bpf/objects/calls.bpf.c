// SPDX-License-Identifier: Apache-2.0
/* Subprograms: static and global, in .text and beside the program, called twice, called through others, by address. */
#include "axiom_hw.bpf.h"

static long (*const bpf_loop)(__u32, void *, void *, __u64) __attribute__((unused)) = (void *)181;

static __noinline int twice(int x)
{
	asm volatile("" : "+r"(x));
	return 2 * x;
}

__noinline int thrice(int x)
{
	asm volatile("" : "+r"(x));
	return twice(x) + x;
}

static __noinline int alone(int x)
{
	asm volatile("" : "+r"(x));
	return x - 1;
}

static int step(__u32 index, void *data)
{
	*(int *)data += index;
	return 0;
}

SEC("timer/1s")
static __noinline int beside(int x)
{
	asm volatile("" : "+r"(x));
	return thrice(x) + 7;
}

SEC("timer/1s")
int first(struct TimerEvent *ctx)
{
	return twice(ctx->count) + beside(ctx->overruns) + thrice(5);
}

SEC("timer/2s")
int second(struct TimerEvent *ctx)
{
	return alone(ctx->count);
}

SEC("timer/2s")
int third(struct TimerEvent *ctx)
{
	int sum = twice(ctx->count);

	bpf_loop(4, step, &sum, 0);
	return sum;
}

char LICENSE[] SEC("license") = "Apache-2.0";
