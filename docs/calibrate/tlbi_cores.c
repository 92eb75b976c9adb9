/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLBI and DSB against the CPUs that are online: one line for the machine as it is. Take CPUs off
 * line, run it again:
 *
 *   for n in $(seq 95 -8 8); do
 *     for c in $(seq $n 95); do echo 0 > /sys/devices/system/cpu/cpu$c/online; done
 *     ./tlbi_cores
 *   done
 *
 * cc -O2 -o tlbi_cores tlbi_cores.c -lpthread
 */
#include "calibrate.h"

int main(void)
{
	const int rounds = 100000;
	double flush, none;

	pin(sched_getcpu());
	none = protect_ns(rounds, 0);
	flush = protect_ns(rounds, 1);
	printf("tlbi_cores cpus %ld flush_ns %.1f\n", sysconf(_SC_NPROCESSORS_ONLN),
	       flush > none ? flush - none : 0.1);
	return 0;
}
