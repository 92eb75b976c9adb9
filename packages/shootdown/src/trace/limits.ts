// SPDX-License-Identifier: Apache-2.0
// How much the monitor remembers. What does not fit is dropped, counted and reported.

/** Tasks with a state of their own; beyond, idle ones are forgotten first. */
export const MAX_TASKS = 8192;

/** Watched address spaces. */
export const MAX_MMS = 4096;

/** Changes of one address space that wait for their invalidation. */
export const MAX_OPEN = 65_536;

/** Changes of one page that wait. */
export const MAX_STACKED = 64;

/** Changes that wait, in all address spaces. */
export const MAX_ALL_OPEN = 262_144;

/** Changes of an address space that are looked at for the advice on a call for very much. */
export const MAX_ADVISED = 1024;

/** Runs of pages of one address space that are known to be mapped, or not to be. */
export const MAX_KNOWN_RUNS = 65_536;

/** Nested calls of one kind in one task: faults, notifier ranges, gathers, entry functions. */
export const MAX_NESTED = 64;

/** Past calls of the secondary-TLB notifier that are kept for each task. */
export const MAX_CALLS = 32;

/** Changes past their deadline that a task keeps until its fault or system call ends. */
export const MAX_OVERDUE = 1024;

/** Verdicts that wait until the recording shows which contract the kernel follows. */
export const MAX_HELD = 16_384;

/** Pieces kept of the part of a range that was not invalidated; the rest is joined to the last. */
export const MAX_PIECES = 64;

/** Lines remembered for `explain`, lines shown of them, and findings that get some. */
export const MAX_RECENT_LINES = 4096;
export const MAX_CONTEXT_LINES = 12;
export const MAX_EXPLAINED = 1000;

/** Distinct reasons of each kind that the summary names. */
export const MAX_REASONS = 32;

/** Invalidations that wait for their completion: of an SMMU's queue, of one CPU. */
export const MAX_PENDING = 4096;

/** CPUs whose instructions are followed. */
export const MAX_CPUS = 4096;

/** Translations that a device's IOMMU is known to hold. */
export const MAX_IOTLB_ENTRIES = 65_536;

/** IOTLB invalidations of one queue that a device-TLB invalidation may look back at. */
export const MAX_QUEUE_HISTORY = 512;

/** Invalidation queues, and domains that a device may be in until it is known which. */
export const MAX_QUEUES = 256;
export const MAX_CANDIDATES = 32;

/** Devices and domain ids of one queue that are followed. */
export const MAX_QUEUE_DEVICES = 4096;

/** Domains of the DMA API, and of each the runs of pages that wait for their invalidation. */
export const MAX_DOMAINS = 4096;
export const MAX_WAITING = 65_536;

/** Distinct times that are counted one by one; beyond, they are rounded to three digits. */
export const MAX_TIMES = 65_536;

/** Findings on a device that wait until it is known which domain it is in. */
export const MAX_UNSETTLED = 4096;

/** Words and tables of page tables whose writes are logged. */
export const MAX_WORDS = 1_048_576;
export const MAX_TABLES = 65_536;
/** Entries of these that are invalid and not yet clean. */
export const MAX_UNCLEAN = 16_384;

/** Pages of devices that are unmapped and not yet invalidated. */
export const MAX_UNMAPPED = 262_144;

/** Marks by which two recordings of one run are lined up. */
export const MAX_MARKS = 65_536;
