// SPDX-License-Identifier: Apache-2.0
/*
 * The consumer of a ring in a shared file, written from docs/map-format.md alone: it waits by looking, takes records
 * that begin with the time they were made at, and notes how old each was when it came to it.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <string.h>
#include <time.h>

#define CONSUMER 128
#define PRODUCER 256
#define DATA 512
#define BUSY (1u << 31)
#define DISCARD (1u << 30)
#define LENGTH (DISCARD - 1)
#define AT_ONCE 64 /* records that are freed together */

struct record {
	uint64_t timestamp_ns, value, count;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/*
 * Take records until one whose value is `last`. How many there were without it, or -1 after `patience_ns` with none.
 * The ages of the first `room` records go to `ages_ns`, the time from the first record to the last one to `took_ns`.
 */
int64_t consume(uint8_t *map, uint64_t size, uint64_t last, uint64_t patience_ns, uint32_t *ages_ns, int64_t room,
		uint64_t *took_ns)
{
	uint64_t *consumer = (uint64_t *)(map + CONSUMER), *producer = (uint64_t *)(map + PRODUCER);
	uint64_t position = __atomic_load_n(consumer, __ATOMIC_RELAXED), freed = position, idle = now_ns(), first = 0;
	int64_t taken = 0, held = 0;

	for (;;) {
		uint8_t *at = map + DATA + (position & (size - 1));
		uint64_t header = 0, bytes, now, value = 0;

		if (__atomic_load_n(producer, __ATOMIC_ACQUIRE) != position)
			header = __atomic_load_n((uint64_t *)at, __ATOMIC_ACQUIRE);
		if (!header || header & BUSY) {
			if (freed != position) {
				__atomic_store_n(consumer, freed = position, __ATOMIC_RELEASE);
				held = 0;
			}
			if (now_ns() - idle > patience_ns)
				return -1;
			continue;
		}
		now = idle = now_ns();
		if (!(header & DISCARD)) {
			const struct record *record = (const struct record *)(at + 8);

			value = record->value;
			if (!first)
				first = now;
			if (value != last) {
				if (taken < room)
					ages_ns[taken] = now - record->timestamp_ns;
				taken++;
			}
		}
		bytes = ((header & LENGTH) + 8 + 7) & ~7ull;
		memset(at, 0, bytes);
		position += bytes;
		if (++held == AT_ONCE || value == last) {
			__atomic_store_n(consumer, freed = position, __ATOMIC_RELEASE);
			held = 0;
		}
		if (value == last) {
			*took_ns = now - first;
			return taken;
		}
	}
}
