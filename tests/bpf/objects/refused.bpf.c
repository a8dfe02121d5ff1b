// SPDX-License-Identifier: Apache-2.0
/* One program for each thing that the loader refuses; -D says which. */
#include "axiom_hw.bpf.h"

#if defined(LEGACY)
struct bpf_map_def {
	__u32 type, key_size, value_size, max_entries, map_flags;
};
struct bpf_map_def old SEC("maps") = {2, 4, 8, 1, 0};
#define USE bpf_map_lookup_elem(&old, ctx) ? 1 : 0
#elif defined(KCONFIG)
extern int CONFIG_HZ __attribute__((section(".kconfig")));
#define USE CONFIG_HZ
#elif defined(KSYM)
extern int bpf_cpumask_create(void) __attribute__((section(".ksyms")));
#define USE bpf_cpumask_create()
#elif defined(WEAK)
extern int maybe(int) __attribute__((weak));
#define USE maybe(1)
#elif defined(UNDEFINED)
extern int missing;
#define USE missing
#elif defined(ADDRESS)
static int target[2];
int *volatile where = &target[1];
#define USE (where != NULL)
#elif defined(VALUES)
struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} inner SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = {.values = {[1] = &inner}};
#define USE bpf_map_lookup_elem(&outer, ctx) ? 1 : 0
#elif defined(SECTION)
int wandering SEC("stray");
#define USE wandering
#elif defined(PERF) || defined(UNSIZED) || defined(MEMBER)
struct {
#ifdef PERF
	__uint(type, 4);
#else
	__uint(type, BPF_MAP_TYPE_HASH);
#endif
#ifdef MEMBER
	__uint(colour, 5);
#endif
#ifndef UNSIZED
	__uint(max_entries, 8);
#endif
	__type(key, __u32);
	__type(value, __u32);
} odd SEC(".maps");
#define USE bpf_map_lookup_elem(&odd, ctx) ? 1 : 0
#elif defined(TYPELESS)
struct {
	__uint(max_entries, 8);
} odd SEC(".maps");
#define USE bpf_map_lookup_elem(&odd, ctx) ? 1 : 0
#elif defined(SIZES)
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__uint(key_size, 8);
	__type(key, __u32);
	__type(value, __u32);
} odd SEC(".maps");
#define USE bpf_map_lookup_elem(&odd, ctx) ? 1 : 0
#endif

#ifdef USE
SEC("timer/1s")
int program(void *ctx)
{
	return USE;
}
#endif

char LICENSE[] SEC("license") = "Apache-2.0";
