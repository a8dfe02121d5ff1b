// SPDX-License-Identifier: Apache-2.0
/* What a program does with an event: count it, and send a record. With `stream`, the record says when it was made. */
#include "bench.h"

struct event {
	__u64 timestamp_ns;
	__u64 value;
};

struct record {
	__u64 timestamp_ns;
	__u64 value;
	__u64 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} records SEC(".maps");

SEC("event")
int count_event(struct event *in)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&seen, &key);
	struct record record;

	if (!count)
		return 1;
	record.timestamp_ns = in->timestamp_ns;
	record.value = in->value;
	record.count = ++*count;
	return bpf_ringbuf_output(&records, &record, sizeof(record), 0);
}

SEC("event")
int stream(struct event *in)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&seen, &key);
	struct record *record;

	if (!count)
		return 1;
	record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
	if (!record)
		return 1;
	record->timestamp_ns = bpf_ktime_get_ns();
	record->value = in->value;
	record->count = ++*count;
	bpf_ringbuf_submit(record, 0);
	return 0;
}
