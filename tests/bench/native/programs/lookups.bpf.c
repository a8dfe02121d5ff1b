// SPDX-License-Identifier: Apache-2.0
/* 1000 lookups of 1024 keys in an array and in a hash map, each value added up. */
#include "bench.h"

#define ENTRIES 1024
#define ODD 389 /* with no divisor in common with ENTRIES: all keys come up */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ENTRIES);
	__type(key, __u32);
	__type(value, __u64);
} numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ENTRIES);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

#define SUM(map) ({ \
	__u64 sum = 0; \
	__u32 key = in->seed; \
	for (__u32 i = 0; i < 1000; i++) { \
		__u64 *value; \
		key = (key + ODD) & (ENTRIES - 1); \
		value = bpf_map_lookup_elem(&map, &key); \
		if (value) \
			sum += *value; \
	} \
	result = sum; \
	(int)sum; \
})

SEC("bench")
int array_lookups(struct input *in)
{
	return SUM(numbers);
}

SEC("bench")
int hash_lookups(struct input *in)
{
	return SUM(counts);
}
