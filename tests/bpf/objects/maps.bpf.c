// SPDX-License-Identifier: Apache-2.0
/* Every way to declare a map. */
#include "axiom_hw.bpf.h"

struct place {
	__u32 chip_id;
	__u16 line;
	__s16 trim;
};

typedef const volatile struct place place_t;

enum mode { OFF, ON = 3 };

struct job {
	__u64 due;
	struct {
		struct bpf_timer timer;
		__u32 tries;
	} again[2];
	struct bpf_spin_lock lock;
	struct bpf_wq later;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 300);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, place_t);
	__type(value, __s64);
} levels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, enum mode);
	__type(value, struct job);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} jobs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 24);
	__uint(max_entries, 1);
} sums SEC(".maps");

static struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} hidden SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u8[12]);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 3);
	__uint(key_size, 4);
	__array(values, int(void *));
} stages SEC(".maps");

SEC("gpio/button")
int use(struct GpioEvent *ctx)
{
	struct place key = {ctx->chip_id, ctx->line, -1};
	__s64 *level = bpf_map_lookup_elem(&levels, &key);

	bpf_ringbuf_output(&hidden, &key, sizeof(key), 0);
	return level ? *level : bpf_map_delete_elem(&jobs, &key);
}

char LICENSE[] SEC("license") = "GPL";
