/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An interrupt to other CPUs until all have answered, against how many they are: threads of this
 * process spin on them, so that each has to flush.
 *
 * cc -O2 -o ipi_targets ipi_targets.c -lpthread && ./ipi_targets
 */
#include "calibrate.h"

static volatile int stop;

static void *spin(void *cpu)
{
	pin((int)(intptr_t)cpu);
	while (!stop)
		;
	return NULL;
}

static double with_targets(int targets, int rounds)
{
	pthread_t *threads = calloc(targets + 1, sizeof(*threads));
	double ns;

	stop = 0;
	for (int i = 0; i < targets; i++)
		pthread_create(&threads[i], NULL, spin, (void *)(intptr_t)(i + 1));
	usleep(10000);
	ns = protect_ns(rounds, 1);
	stop = 1;
	for (int i = 0; i < targets; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	return ns;
}

int main(void)
{
	const int rounds = 20000;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	double alone;

	pin(0);
	alone = with_targets(0, rounds);
	for (int targets = 1; targets < cpus; targets = targets < 4 ? targets + 1 : targets * 2) {
		double ns = with_targets(targets, rounds);

		printf("ipi_targets targets %d ipi_ns %.1f\n", targets, ns > alone ? ns - alone : 0.1);
		fflush(stdout);
	}
	return 0;
}
