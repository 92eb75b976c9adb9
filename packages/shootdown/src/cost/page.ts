// SPDX-License-Identifier: Apache-2.0
// The state of a page of an address space as one number: its descriptor but for the frame, its vma,
// and who else has the frame.
//
//   bit   0      1      2    3       4    5      6..8   9    10        11       12         13
//         valid  table  AF   RDONLY  DBM  DIRTY  kind   vma  VM_WRITE  VM_NONE  exclusive  zero
//         14      15      16
//         others  shared  file

/** The descriptor's own lowest fields, from bit 0 on, as vocabulary/descriptor.ts has them. */
export const KEPT = ["valid", "table", "AF", "RDONLY", "DBM", "DIRTY"] as const;
export const KIND_SHIFT = 6;

export const PAGE = {
  valid: 1 << KEPT.indexOf("valid"),
  AF: 1 << KEPT.indexOf("AF"),
  RDONLY: 1 << KEPT.indexOf("RDONLY"),
  DBM: 1 << KEPT.indexOf("DBM"),
  DIRTY: 1 << KEPT.indexOf("DIRTY"),
  kind: 7 << KIND_SHIFT,
  vma: 1 << 9,
  VM_WRITE: 1 << 10,
  VM_NONE: 1 << 11,
  /** PageAnonExclusive(). */
  exclusive: 1 << 12,
  /** The zero page, which nobody owns. */
  zero: 1 << 13,
  /** Somebody else has the frame too. */
  others: 1 << 14,
  /** MAP_SHARED; and a private mapping of a file, whose frames are the page cache's. */
  shared: 1 << 15,
  file: 1 << 16,
} as const;

/** Every code is less. */
export const CODES = 2 * PAGE.file;

/** What belongs to the vma and not to the entry. */
export const VMA_BITS = PAGE.vma | PAGE.VM_WRITE | PAGE.VM_NONE | PAGE.shared | PAGE.file;

/** Something is mapped: an entry that names a frame, or the zero page. */
export const isMapped = (code: number): boolean => (code & (PAGE.valid | PAGE.kind)) !== 0;

/** A CPU's or a device's access faults. */
export const faults = (code: number, write: boolean): boolean =>
  (code & PAGE.valid) === 0 || (code & PAGE.AF) === 0 || (write && (code & PAGE.RDONLY) !== 0);

/** The page's vma forbids the access: the program gets a signal. */
export const forbidden = (code: number, write: boolean): boolean =>
  (code & PAGE.vma) === 0 || (code & PAGE.VM_NONE) !== 0 || (write && (code & PAGE.VM_WRITE) === 0);
