// SPDX-License-Identifier: Apache-2.0
// The memory that the scanner in WebAssembly and its user share.
//
//   state, masks, vectors │ reasons │ CPUs │ slots, names │ records │ shelf │ margin, text

/** Words, and numbers of 64 bits, that both read and write. */
export const STATE = {
  /** Seconds: of the last event. */
  last: 0,
  /** Where the line begins at which the scanner stopped, and its end. */
  at: 8,
  line_end: 12,
  /** Lines and events taken since the call. */
  lines: 16,
  events: 20,
  records: 24,
  cpu: 28,
  /** Number of the last record, over all calls. */
  sequence: 32,
  /** Nonzero: a time before the last one is nothing new. */
  backwards: 36,
  /** Nonzero: lines may go onto the shelf; how many did; how many unmaps fell off. */
  shelf: 40,
  held: 44,
  fallen_unmaps: 48,
  reasons: 52,
  /** Lines before this call, modulo 2^32. */
  lines_before: 56,
  /** Multipliers of the hash: four of the first 16 bytes, of the length, and of the sum. */
  seeds: 64,
} as const;

/** 16 bytes of ones and 16 of zeros: loaded at 16 - n it is a mask of n bytes. */
export const MASKS = 128;

/** Vectors of 16 equal bytes: from memory they are in registers, and need not be made anew. */
export const VECTORS = 256;
export const VECTOR_BYTES = [10, 48, 9, 32, 58, 40, 97, 5] as const;

/** Reasons of flushes that are counted: length, flushes, of everything, and 32 bytes of text. */
export const REASONS = 384;
export const REASON_BYTES = 64;
export const MAX_REASONS = 8;
export const REASON = { length: 0, flushes: 4, all: 8, text: 16 } as const;

/** Of each CPU: the number of its last event's record, 0 if that was not wanted. */
export const CPUS = 1024;
export const MAX_CPUS = 1000;

/** Hash of a name to its number, as 16 bits; 0 is none. */
export const SLOTS = 8192;
export const SLOT_BITS = 15;

/** Names: length, kind, and the first and last 16 bytes, the first padded with zeros. */
export const NAMES = SLOTS + 2 * 2 ** SLOT_BITS;
export const NAME_BYTES = 64;
export const MAX_NAMES = 1023;
export const NAME = { length: 0, kind: 4, first: 16, last: 32 } as const;

/** What is done with a line of a name. */
export const KIND = { wanted: 0, flush: 1, map: 2, unmap: 3, opens: 4, slow: 5 } as const;

/** Events that somebody wants, to be handed on. */
export const RECORDS = NAMES + NAME_BYTES * (MAX_NAMES + 1);
export const RECORD_BYTES = 64;
export const MAX_RECORDS = 1024;
export const RECORD = {
  ...{ start: 0, end: 4, line: 8, name: 12, time: 16, cpu: 24, pid: 28 },
  ...{ flags_start: 32, flags_end: 36, text_start: 40, form: 44, sequence: 48, name_start: 52 },
} as const;
export const FORMS = ["event", "enter", "exit", "function"] as const;

/** Lines that wait: kind, length, line modulo 2^32, and the text. */
export const SHELF = RECORDS + RECORD_BYTES * MAX_RECORDS;
export const HELD_BYTES = 192;
/** A power of two. */
export const MAX_HELD = 4096;
export const HELD = { kind: 0, length: 4, line: 8, text: 16 } as const;
export const MAX_HELD_TEXT = HELD_BYTES - HELD.text;

/** Text: what was left of the piece before lies at the end of the margin. */
export const MARGIN_BYTES = 65_536 + 64;
export const TEXT = SHELF + HELD_BYTES * MAX_HELD + MARGIN_BYTES;
export const TEXT_BYTES = 256 * 1024;
/** The scanner looks so far beyond the end, and sees nothing there. */
export const PADDING_BYTES = 512;
export const PAGES = Math.ceil((TEXT + TEXT_BYTES + PADDING_BYTES) / 65_536);

/** Why the scanner stopped. */
export const STOP = { end: 0, slow: 1, full: 2, control: 3 } as const;
