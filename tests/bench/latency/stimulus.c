// SPDX-License-Identifier: Apache-2.0
/*
 * The outside world: changes the level of a line of gpio-sim, and sees when an output follows.
 *
 *     stimulus PULL INTERRUPT SET EDGES WARM_UP PAUSE_US SEED
 *
 * PULL is gpio-sim's attribute of the line; INTERRUPT and SET are the numbers of the kernel's trace events
 * irq:irq_handler_entry and gpio:gpio_value, which tell when an edge comes in and when a line is set. Writes the ns of
 * each edge to standard output, as s64: from the first interrupt after the pull to the first set of an output to the new
 * level; MISSED where one of them didn't come before the next pull. Pauses between pulls are PAUSE_US to 3 * PAUSE_US
 * long, by chance, so that nobody who looks from time to time is met in step.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MISSED -1
#define MAX_CPUS 64
#define RING_PAGES 8 /* a power of two; a pause brings one event */

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* A sample, as PERF_SAMPLE_TIME and PERF_SAMPLE_RAW lay it out; raw is events/gpio/gpio_value/format. */
struct sample {
	struct perf_event_header header;
	uint64_t time_ns;
	uint32_t raw_size;
	uint8_t common[8];
	uint32_t gpio;
	int32_t get, value;
} __attribute__((packed));

#define ANY_LEVEL -1

/* What one CPU's kernel tells of one trace event. */
struct eye {
	struct perf_event_mmap_page *page;
	uint8_t *data;
	uint64_t size;
};

static struct eye open_eye(int event, const char *filter, int cpu)
{
	struct perf_event_attr wanted = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(wanted),
		.config = event,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_TIME | (filter ? PERF_SAMPLE_RAW : 0),
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.watermark = 1, /* nobody is woken up: we look when the pause is over */
	};
	size_t page = sysconf(_SC_PAGESIZE);
	struct eye eye = {.size = RING_PAGES * page};
	int fd;

	wanted.wakeup_watermark = eye.size / 2;
	fd = syscall(SYS_perf_event_open, &wanted, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		fail("perf_event_open");
	if (filter && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter))
		fail("the filter of the trace event");
	eye.page = mmap(NULL, page + eye.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (eye.page == MAP_FAILED)
		fail("the ring of the trace event");
	eye.data = (uint8_t *)eye.page + page;
	return eye;
}

static void copy(const struct eye *eye, uint64_t at, void *to, size_t count)
{
	for (size_t i = 0; i < count; i++)
		((uint8_t *)to)[i] = eye->data[(at + i) & (eye->size - 1)];
}

/* When the first event after `since_ns` was, of a set to `level` or any; 0 if there was none. Takes all that there is. */
static uint64_t look(const struct eye *eye, uint64_t since_ns, int level)
{
	uint64_t head = __atomic_load_n(&eye->page->data_head, __ATOMIC_ACQUIRE), at = eye->page->data_tail, found = 0;

	while (at < head) {
		struct sample sample = {};

		copy(eye, at, &sample.header, sizeof(sample.header));
		if (sample.header.type == PERF_RECORD_SAMPLE) {
			copy(eye, at, &sample, sample.header.size < sizeof(sample) ? sample.header.size : sizeof(sample));
			if (!found && sample.time_ns > since_ns && (level == ANY_LEVEL || !!sample.value == level))
				found = sample.time_ns;
		}
		at += sample.header.size;
	}
	__atomic_store_n(&eye->page->data_tail, at, __ATOMIC_RELEASE);
	return found;
}

/* The same, on any CPU. */
static uint64_t look_all(const struct eye *eyes, int cpus, uint64_t since_ns, int level)
{
	uint64_t first = 0;

	for (int cpu = 0; cpu < cpus; cpu++) {
		uint64_t seen_ns = look(&eyes[cpu], since_ns, level);

		if (seen_ns && (!first || seen_ns < first))
			first = seen_ns;
	}
	return first;
}

int main(int argc, char **argv)
{
	static const char *const PULLS[] = {"pull-down", "pull-up"};
	static struct eye interrupts[MAX_CPUS], sets[MAX_CPUS];
	char text[16] = "";
	int pull, level, edges, warm_up, cpus;
	long pause_us;
	uint64_t chance;
	int64_t *took;

	if (argc != 8) {
		fprintf(stderr, "usage: stimulus PULL INTERRUPT SET EDGES WARM_UP PAUSE_US SEED\n");
		return 2;
	}
	pull = open(argv[1], O_RDWR | O_CLOEXEC);
	if (pull < 0 || read(pull, text, sizeof(text) - 1) <= 0)
		fail(argv[1]);
	level = strncmp(text, PULLS[1], strlen(PULLS[1])) == 0;
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (cpus > MAX_CPUS) {
		fprintf(stderr, "%d CPUs are more than the %d that this was made for\n", cpus, MAX_CPUS);
		return 1;
	}
	for (int cpu = 0; cpu < cpus; cpu++) {
		interrupts[cpu] = open_eye(atoi(argv[2]), NULL, cpu);
		sets[cpu] = open_eye(atoi(argv[3]), "get==0", cpu);
	}
	edges = atoi(argv[4]);
	warm_up = atoi(argv[5]);
	pause_us = atol(argv[6]);
	chance = strtoull(argv[7], NULL, 10);
	took = calloc(edges + 1, sizeof(*took));
	if (!took || mlockall(MCL_CURRENT))
		fail("memory");
	for (int edge = -warm_up; edge < edges; edge++) {
		struct timespec pause = {};
		uint64_t pull_ns, edge_ns, set_ns;

		level = !level;
		pull_ns = now_ns();
		if (pwrite(pull, PULLS[level], strlen(PULLS[level]), 0) < 0)
			fail(argv[1]);
		chance = chance * 6364136223846793005ull + 1442695040888963407ull;
		pause.tv_nsec = (pause_us + (chance >> 33) % (2 * pause_us + 1)) * 1000;
		pause.tv_sec = pause.tv_nsec / 1000000000;
		pause.tv_nsec %= 1000000000;
		nanosleep(&pause, NULL);
		edge_ns = look_all(interrupts, cpus, pull_ns, ANY_LEVEL);
		set_ns = look_all(sets, cpus, pull_ns, level);
		if (edge >= 0)
			took[edge] = edge_ns && set_ns ? (int64_t)(set_ns - edge_ns) : MISSED;
	}
	return fwrite(took, sizeof(*took), edges, stdout) != (size_t)edges;
}
