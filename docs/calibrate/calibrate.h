/* SPDX-License-Identifier: Apache-2.0 */
/* What the calibration programs share: time, CPUs, and one flush as user space can cause it. */
#ifndef CALIBRATE_H
#define CALIBRATE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}

static inline void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("sched_setaffinity");
		exit(1);
	}
}

static inline int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/*
 * The median time of an mprotect() that takes the write permission of one page. With `touched` the
 * page is populated, so that the kernel has to flush it; without there is nothing to flush. The
 * difference is the flush, and the store of one descriptor.
 */
static inline double protect_ns(int rounds, int touched)
{
	long size = sysconf(_SC_PAGESIZE);
	volatile char *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* A neighbour keeps the tables, and so the walk, the same. */
	volatile char *other = mmap(NULL, size, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *times = calloc(rounds, sizeof(*times));
	double median;

	if (page == MAP_FAILED || other == MAP_FAILED || !times) {
		perror("mmap");
		exit(1);
	}
	*other = 1;
	for (int i = 0; i < rounds; i++) {
		uint64_t start;

		if (touched)
			*page = i;
		start = now_ns();
		if (mprotect((void *)page, size, PROT_READ)) {
			perror("mprotect");
			exit(1);
		}
		times[i] = now_ns() - start;
		mprotect((void *)page, size, PROT_READ | PROT_WRITE);
	}
	qsort(times, rounds, sizeof(*times), by_value);
	median = times[rounds / 2];
	free(times);
	munmap((void *)page, size);
	munmap((void *)other, size);
	return median;
}

#endif
