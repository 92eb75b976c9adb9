// SPDX-License-Identifier: Apache-2.0
// Hashes: of packed state words (fast, 32 bits) and of text (64 bits as 16 hex digits).

/** Mixes `count` words of `words` from `offset` into one 32-bit hash. */
export function hashWords(words: Int32Array, offset: number, count: number): number {
  let h = 0x9e3779b9 | 0;
  for (let i = 0; i < count; i++) {
    h = Math.imul(h ^ words[offset + i]!, 0x85ebca6b);
    h ^= h >>> 13;
  }
  h = Math.imul(h ^ (h >>> 16), 0xc2b2ae35);
  return h ^ (h >>> 15);
}

/** A 64-bit content hash of `text` as 16 hex digits (two independent FNV-1a lanes, mixed). */
export function hashText(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 0x01000193);
    b = Math.imul(b ^ c, 0x85ebca6b);
    b ^= b >>> 13;
  }
  const hex = (x: number) => (x >>> 0).toString(16).padStart(8, "0");
  return hex(Math.imul(a ^ (a >>> 16), 0x85ebca6b)) + hex(Math.imul(b ^ (b >>> 16), 0xc2b2ae35));
}
