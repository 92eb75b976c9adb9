// SPDX-License-Identifier: Apache-2.0
// 64-bit words of a trace (page-table entries, addresses) without BigInt, and page numbers.
//
//    63                    32 31                     0
//   +------------------------+------------------------+
//   |           hi           |           lo           |    both 0 .. 2^32 - 1
//   +------------------------+------------------------+
//
// An address is used as a page number, va >> 12, an exact JavaScript number below 2^52. Kernel
// addresses that only name an object (mm, vma, tlb) stay the text of the trace.

/** One 64-bit word; `hi` and `lo` are 0 .. 2^32 - 1. */
export interface Word64 {
  readonly hi: number;
  readonly lo: number;
}

export const PAGE_BITS = 12;

/** Exclusive end of the page numbers, the page after that of address 2^64 - 1. */
export const PAGE_LIMIT = 2 ** (64 - PAGE_BITS);

export const ZERO: Word64 = { hi: 0, lo: 0 };

/** A word from "0x1f", or from an unsigned or negative (two's complement) decimal number. */
export function parseWord(text: string): Word64 | undefined {
  if (isHexText(text)) {
    const cut = Math.max(2, text.length - 8);
    return {
      hi: cut > 2 ? parseInt(text.slice(2, cut), 16) : 0,
      lo: parseInt(text.slice(cut), 16),
    };
  }
  if (!/^-?\d{1,20}$/.test(text)) return undefined;
  const value = BigInt(text);
  if (value >= 1n << 64n || value < -(1n << 63n)) return undefined;
  const bits = BigInt.asUintN(64, value);
  return { hi: Number(bits >> 32n), lo: Number(bits & 0xffffffffn) };
}

/** "0x" and 1 to 16 hexadecimal digits; by hand, for this is asked of every value of a trace. */
function isHexText(text: string): boolean {
  const length = text.length;
  if (length < 3 || length > 18 || text.charCodeAt(0) !== 48 || text.charCodeAt(1) !== 120) {
    return false;
  }
  for (let i = 2; i < length; i++) {
    const code = text.charCodeAt(i);
    const lower = code | 0x20;
    if (!((code >= 48 && code <= 57) || (lower >= 97 && lower <= 102))) return false;
  }
  return true;
}

/** The word as the kernel's %#llx prints it: "0x60000041863fc3". */
export function formatWord(word: Word64): string {
  if (word.hi === 0) return `0x${word.lo.toString(16)}`;
  return `0x${word.hi.toString(16)}${word.lo.toString(16).padStart(8, "0")}`;
}

export function sameWord(a: Word64, b: Word64): boolean {
  return a.lo === b.lo && a.hi === b.hi;
}

/** Bit `position` (0 .. 63) of a word. */
export function bit(word: Word64, position: number): boolean {
  return ((position < 32 ? word.lo >>> position : word.hi >>> (position - 32)) & 1) === 1;
}

/** The word with that bit set or cleared. */
export function withBit(word: Word64, at: number, on: boolean): Word64 {
  const low = at < 32;
  const mask = 2 ** (low ? at : at - 32);
  const part = low ? word.lo : word.hi;
  const has = Math.floor(part / mask) % 2 === 1;
  const made = has === on ? part : on ? part + mask : part - mask;
  return low ? { hi: word.hi, lo: made } : { hi: made, lo: word.lo };
}

/** Bits high:low (both inclusive, 0 .. 63, at most 52 of them) as a number. */
export function bits(word: Word64, high: number, low: number): number {
  const width = high - low + 1;
  if (low >= 32) return Math.floor(word.hi / 2 ** (low - 32)) % 2 ** width;
  const lower = Math.floor(word.lo / 2 ** low);
  // The part of hi above bit `high` is cut off first, so that the sum stays exact.
  const upper = high < 32 ? 0 : word.hi % 2 ** (high - 31);
  return (upper * 2 ** (32 - low) + lower) % 2 ** width;
}

/** As a signed or unsigned number; undefined where it is no exact JavaScript number. */
export function toNumber(word: Word64): number | undefined {
  const value = word.hi * 2 ** 32 + word.lo;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The page of an address: va >> 12. */
export function pageOf(word: Word64): number {
  return word.hi * 2 ** (32 - PAGE_BITS) + (word.lo >>> PAGE_BITS);
}

/** The first page not before an exclusive end: rounds up, so that -1UL ends at PAGE_LIMIT. */
export function pageEnd(word: Word64): number {
  return pageOf(word) + ((word.lo & ((1 << PAGE_BITS) - 1)) === 0 ? 0 : 1);
}

/** The address of a page (0 .. PAGE_LIMIT), as "0xffff8cab1000". */
export function formatPage(page: number): string {
  // A multiple of 4096 up to 2^64 is an exact double.
  return `0x${(page * 2 ** PAGE_BITS).toString(16)}`;
}

/** The pages of so many bytes from an address on; what goes beyond the last one ends there. */
export function spanOf(first: Word64, size: Word64): { start: number; end: number } {
  const low = first.lo + size.lo;
  const high = first.hi + size.hi + Math.floor(low / 2 ** 32);
  const end = high >= 2 ** 32 ? PAGE_LIMIT : pageEnd({ hi: high, lo: low % 2 ** 32 });
  return { start: pageOf(first), end };
}
