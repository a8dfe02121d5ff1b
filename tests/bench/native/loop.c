// SPDX-License-Identifier: Apache-2.0
/* The loop around a program that is built as plain C, and threads that each go through it. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <time.h>
#include SOURCE

#define MOST_THREADS 16

unsigned run_many(const struct input *inputs, unsigned count)
{
	unsigned result = 0;

	for (unsigned i = 0; i < count; i++)
		result = program(inputs + i);
	return result;
}

struct job {
	const struct input *inputs;
	unsigned count, result;
};

static void *work(void *argument)
{
	struct job *job = argument;

	job->result = run_many(job->inputs, job->count);
	return 0;
}

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

/* ns until all threads are done, or a negative error number. */
long long run_threads(const struct input *inputs, unsigned count, unsigned threads)
{
	pthread_t ids[MOST_THREADS];
	struct job jobs[MOST_THREADS];
	long long start = now_ns();
	unsigned n, failed = 0;

	for (n = 0; n < threads && n < MOST_THREADS && !failed; n++) {
		jobs[n] = (struct job){inputs, count, 0};
		failed = pthread_create(&ids[n], 0, work, &jobs[n]);
	}
	for (unsigned i = 0; i < n - !!failed; i++)
		pthread_join(ids[i], 0);
	return failed ? -(long long)failed : now_ns() - start;
}
