// SPDX-License-Identifier: Apache-2.0
/*
 * The heartbeat: every 100 ms one more tick in a map, one record in a ring, one line of trace.
 * Wiring: none.
 */
#include "axiom_hw.bpf.h"

struct beat {
	__u64 timestamp_ns; /* when the timer was due, CLOCK_MONOTONIC */
	__u64 count;        /* equals the map's after this tick */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} ticks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} beats SEC(".maps");

SEC("timer/100ms")
int heartbeat(struct TimerEvent *ctx)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&ticks, &key);
	struct beat *beat;
	__u64 now;

	if (!count)
		return 1;
	now = *count + 1; /* no atomic needed: one timer, one slot */
	*count = now;

	beat = bpf_ringbuf_reserve(&beats, sizeof(*beat), 0);
	if (!beat)
		return 1; /* the ring is full, and counts that itself */
	beat->timestamp_ns = ctx->timestamp_ns;
	beat->count = now;
	bpf_ringbuf_submit(beat, 0);

	bpf_printk("tick %d", now);
	return 0;
}

char LICENSE[] SEC("license") = "Apache-2.0";
