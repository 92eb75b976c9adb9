/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device's first touch of pages against its second, by SVA: an Intel DSA work queue (shared, user
 * type, block on fault) copies a buffer that nobody has touched, and copies it again. Half of the
 * buffer is the source, half the destination; each page is one I/O page fault.
 *
 *   accel-config config-wq dsa0/wq0.0 --mode=shared --type=user --block-on-fault=1 ...
 *   cc -O2 -o sva_touch sva_touch.c -lpthread && ./sva_touch /dev/dsa/wq0.0
 *
 * With another accelerator (uacce on Arm): any program that prints the same line will do.
 */
#include "calibrate.h"
#include <fcntl.h>
#include <string.h>

#if defined(__x86_64__)
struct descriptor {
	uint32_t pasid_priv;
	uint32_t flags_opcode;
	uint64_t completion;
	uint64_t source;
	uint64_t destination;
	uint32_t size;
	uint32_t rest[7];
} __attribute__((packed, aligned(64)));

struct completion {
	volatile uint8_t status;
	uint8_t rest[31];
} __attribute__((aligned(32)));

enum { MEMMOVE = 3, BLOCK_ON_FAULT = 1 << 1, COMPLETION_VALID = 1 << 2, REQUEST_COMPLETION = 1 << 3 };

/* ENQCMD: as bytes, for assemblers that do not know it. Zero if it was taken. */
static int enqcmd(volatile void *portal, const struct descriptor *d)
{
	uint8_t again;

	asm volatile(".byte 0xf2, 0x0f, 0x38, 0xf8, 0x02\n\tsetz %0"
		     : "=r"(again)
		     : "a"(portal), "d"(d)
		     : "memory", "cc");
	return again;
}

static uint64_t copy_ns(volatile void *portal, char *from, char *to, uint32_t size)
{
	static struct completion done;
	struct descriptor d = {
		.flags_opcode = (uint32_t)MEMMOVE << 24 | BLOCK_ON_FAULT | COMPLETION_VALID |
				REQUEST_COMPLETION,
		.completion = (uintptr_t)&done,
		.source = (uintptr_t)from,
		.destination = (uintptr_t)to,
		.size = size,
	};
	uint64_t start;

	done.status = 0;
	start = now_ns();
	/* The portal's register is taken from rax by the bytes above: ENQCMD rax, [rdx]. */
	while (enqcmd(portal, &d))
		;
	while (!done.status)
		;
	if (done.status != 1) {
		fprintf(stderr, "sva_touch: completion status %u\n", done.status);
		exit(1);
	}
	return now_ns() - start;
}

int main(int argc, char **argv)
{
	const uint32_t half = 1 << 20;
	long page = sysconf(_SC_PAGESIZE);
	volatile void *portal;
	int fd = argc == 2 ? open(argv[1], O_RDWR) : -1;

	if (fd < 0) {
		fprintf(stderr, "usage: sva_touch /dev/dsa/wqN.M\n");
		return 2;
	}
	portal = mmap(NULL, page, PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (portal == MAP_FAILED) {
		perror("mmap of the work queue");
		return 1;
	}
	for (int i = 0; i < 20; i++) {
		char *buffer = mmap(NULL, 2 * half, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		uint64_t first, warm;

		if (buffer == MAP_FAILED) {
			perror("mmap");
			return 1;
		}
		madvise(buffer, 2 * half, MADV_NOHUGEPAGE);
		first = copy_ns(portal, buffer, buffer + half, half);
		warm = copy_ns(portal, buffer, buffer + half, half);
		printf("sva_touch faults %ld first_ns %llu warm_ns %llu\n", 2 * half / page,
		       (unsigned long long)first, (unsigned long long)warm);
		munmap(buffer, 2 * half);
	}
	return 0;
}
#else
int main(void)
{
	fprintf(stderr, "sva_touch: written for DSA; print its line from your accelerator's program\n");
	return 2;
}
#endif
