/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a C program for axiom_hw needs, and all of it: no kernel headers.
 * Printed by axiom_hw/bpf/cheader.py from the tables of helpers and contexts; don't edit it.
 */
#ifndef AXIOM_HW_BPF_H
#define AXIOM_HW_BPF_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;

#ifndef NULL
#define NULL ((void *)0)
#endif

/* A program's hook, or ".maps" for a map. */
#define SEC(name) __attribute__((section(name), used))
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))

/* The members of a map's declaration. */
#define __uint(name, value) int (*name)[value]
#define __type(name, ...) __typeof__(__VA_ARGS__) *name
#define __array(name, ...) __typeof__(__VA_ARGS__) *name[]

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LRU_PERCPU_HASH = 10,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_HASH_OF_MAPS = 13,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_MAP_TYPE_STACK = 23,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_BLOOM_FILTER = 30,
	BPF_MAP_TYPE_TIME_SERIES = 100,
};

enum bpf_map_flag {
	BPF_F_NO_PREALLOC = 1,
	BPF_F_NO_COMMON_LRU = 2,
	BPF_F_RDONLY = 8,
	BPF_F_WRONLY = 16,
	BPF_F_ZERO_SEED = 64,
	BPF_F_RDONLY_PROG = 128,
	BPF_F_WRONLY_PROG = 256,
	BPF_F_MMAPABLE = 1024,
};

/* Flags of bpf_map_update_elem. */
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2 };

/* Flags of bpf_ringbuf_output, _submit and _discard, and what bpf_ringbuf_query tells. */
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0, BPF_RB_RING_SIZE = 1, BPF_RB_CONS_POS = 2, BPF_RB_PROD_POS = 3 };

/* For `__uint(pinning, ...)`: processes that load the object share the map by its name. */
#define LIBBPF_PIN_BY_NAME 1

/* Members of a map value that only helpers touch. */
struct bpf_timer {
	__u64 opaque[2];
} __attribute__((aligned(8)));

struct bpf_wq {
	__u64 opaque[2];
} __attribute__((aligned(8)));

struct bpf_spin_lock {
	__u32 opaque;
};

enum edge {
	EDGE_RISING = 1,
	EDGE_FALLING = 2,
};

/* A line changed level. Hook: gpio/<line>. */
struct GpioEvent {
	__u64 timestamp_ns;
	__u32 chip_id;
	__u32 line;
	__u32 edge;
	__u32 value;
	__u32 seqno;
	__u32 lost;
};

/* A channel's state was written (not once a period). Hook: pwm/<output>. */
struct PwmEvent {
	__u64 timestamp_ns;
	__u32 chip_id;
	__u32 channel;
	__u32 period_ns;
	__u32 duty_ns;
	__u32 polarity;
	__u32 enabled;
};

/* A timer expired. Hook: timer/<period>. Programs that expect an empty context see none of it. */
struct TimerEvent {
	__u64 timestamp_ns;
	__u32 count;
	__u32 overruns;
};

/* A sample of one channel of a sensor in the kernel's IIO or hwmon. Hook: iio/<device>/<channel>. */
struct IioEvent {
	__u64 timestamp_ns;
	__u32 device_id;
	__u32 channel;
	__s32 value;
	__u32 scale;
	__s32 offset;
	__u32 reserved;
	__u32 seqno;
	__u32 lost;
	__s64 micro;
};

/* Samples of several channels of one sensor, taken at once. Hook: scan/<device>. */
struct ScanEvent {
	__u64 timestamp_ns;
	__u32 device_id;
	__u32 count;
	__u32 seqno;
	__u32 lost;
	__s32 value[8];
	__s64 micro[8];
};

/* A reading of one channel of a sensor on an I2C bus. Hook: i2c/<sensor>/<channel>. */
struct I2cEvent {
	__u64 timestamp_ns;
	__u32 sensor_id;
	__u32 channel;
	__s32 value;
	__u32 status;
	__u32 seqno;
	__u32 lost;
	__s64 micro;
	__u64 reserved;
};

/* A record came in on a serial port: a line, or a frame. Hook: serial/<port>. */
struct SerialEvent {
	__u64 timestamp_ns;
	__u32 port_id;
	__u32 length;
	__u32 seqno;
	__u32 lost;
	__u64 reserved;
	__u8 data[96];
};

/* The value of a key. */
static void *(*const bpf_map_lookup_elem)(void *map, const void *key) __attribute__((unused)) = (void *)1;

/* Set a key's value; flags: 0 any, 1 only if absent, 2 only if present. 0 or -errno. */
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value, __u64) __attribute__((unused)) = (void *)2;

/* Remove a key. 0 or -errno. */
static long (*const bpf_map_delete_elem)(void *map, const void *key) __attribute__((unused)) = (void *)3;

/* CLOCK_MONOTONIC in ns. */
static __u64 (*const bpf_ktime_get_ns)(void) __attribute__((unused)) = (void *)5;

/* Print a format with up to three numbers to the trace pipe; the bytes printed, or -errno. */
static long (*const bpf_trace_printk)(const void *data, __u32 size, __u64, __u64, __u64) __attribute__((unused)) = (void *)6;

/* A pseudo-random 32-bit number. */
static __u32 (*const bpf_get_prandom_u32)(void) __attribute__((unused)) = (void *)7;

/* The slot that runs the program. */
static __u32 (*const bpf_get_smp_processor_id)(void) __attribute__((unused)) = (void *)8;

/* Append a record; 0, or -EAGAIN where the ring is full. */
static long (*const bpf_ringbuf_output)(void *map, const void *data, __u64 size, __u64) __attribute__((unused)) = (void *)130;

/* Room for a record, to be submitted or discarded on each path. */
static void *(*const bpf_ringbuf_reserve)(void *map, __u64 size, __u64) __attribute__((unused)) = (void *)131;

/* Publish a record. */
static void (*const bpf_ringbuf_submit)(void *record, __u64) __attribute__((unused)) = (void *)132;

/* Give a record up. */
static void (*const bpf_ringbuf_discard)(void *record, __u64) __attribute__((unused)) = (void *)133;

/* 0 unread bytes, 1 size, 2 consumer position, 3 producer position. */
static __u64 (*const bpf_ringbuf_query)(void *map, __u64) __attribute__((unused)) = (void *)134;

/* Bring every output to its safe state and latch it there; the argument is the reason's number. */
static long (*const emergency_stop)(__u64) __attribute__((unused)) = (void *)1000;

/* Drive a line of the header chip: line, value 0 or 1. 0 or -errno. */
static long (*const gpio_set)(__u64, __u64) __attribute__((unused)) = (void *)1003;

/* The level of a line of the header chip, or -errno. */
static long (*const gpio_get)(__u64) __attribute__((unused)) = (void *)1004;

/* Set a channel's duty: chip, channel, percent. 0 or -errno. */
static long (*const pwm_write)(__u64, __u64, __u64) __attribute__((unused)) = (void *)1005;

/* The last value of a sensor's channel, in millionths of its unit: device, channel. -2^63 before it. */
static long (*const iio_read)(__u64, __u64) __attribute__((unused)) = (void *)1006;

/* Set a channel's duty: chip, channel, ns. 0 or -errno. */
static long (*const pwm_write_ns)(__u64, __u64, __u64) __attribute__((unused)) = (void *)1007;

/* 1 while the emergency stop is latched, else 0. */
static long (*const emergency_stopped)(void) __attribute__((unused)) = (void *)1008;

/* Turn a servo: chip, channel, thousandths of a degree. 0 or -errno. */
static long (*const servo_set)(__u64, __u64, __u64) __attribute__((unused)) = (void *)1009;

/* Drive a motor: chip, channel, -1000 to 1000 thousandths. 0 or -errno. */
static long (*const motor_set)(__u64, __u64, __u64) __attribute__((unused)) = (void *)1010;

/* Print a format with up to three numbers: bpf_printk("line %d is %d", line, value). */
#define bpf_printk(format, ...) __axiom_printk(format, ##__VA_ARGS__, 0, 0, 0, 0)
#define __axiom_printk(format, a, b, c, ...) ({ \
	static const char text[] = format; \
	bpf_trace_printk(text, sizeof(text), (__u64)(a), (__u64)(b), (__u64)(c)); \
})

#endif
