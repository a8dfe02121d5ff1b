/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a benchmark's program needs, in both of its lives: as a BPF program, and as plain C for gcc and clang.
 * The context is one number at offset 0. The Linux kernel's socket filters have the packet's length there, so the
 * same object runs on the kernel too.
 */
#ifndef BENCH_H
#define BENCH_H

#ifdef __bpf__
#include "axiom_hw.bpf.h"
#define PROGRAM(name) SEC("bench") int name(struct input *in)
#else
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed short __s16;
typedef signed int __s32;
typedef signed long long __s64;
#define SEC(name)
/* Not inlined, so that nothing of a run moves out of the loop around it. */
#define PROGRAM(name) __attribute__((noinline)) int program(const struct input *in)
#endif

struct input {
	__u32 seed;
	__u32 unused; /* contexts are multiples of 8 bytes, as those of all hooks */
};

/* Every run leaves its result here, so that no compiler finds that nobody needs it, and leaves the run out. */
__u64 result;

/* The next of a series of numbers that look random (Marsaglia's xorshift32). */
static inline __attribute__((always_inline)) __u32 next_number(__u32 x)
{
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

#endif
