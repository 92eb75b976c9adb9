// SPDX-License-Identifier: Apache-2.0
// BTF, written here by hand: a structure with what lies inside it, a bit field, a function.
import { expect, test } from "vitest";
import { readBtf } from "./btf.ts";

const INT = 1;
const PTR = 2;
const STRUCT = 4;
const UNION = 5;
const CONST = 10;
const FUNC = 12;
const PROTO = 13;

/** Types as words, names as text: what follows the header. */
class Writer {
  readonly #names = ["\0"];
  readonly #words: (number | string)[] = [];

  type(name: string, kind: number, vlen: number, last: number, flag = 0): this {
    this.#words.push(name, ((flag << 31) | (kind << 24) | vlen) >>> 0, last);
    return this;
  }

  words(...words: (number | string)[]): this {
    this.#words.push(...words);
    return this;
  }

  #place(name: string): number {
    if (name === "") return 0;
    const at = this.#names.join("").length;
    this.#names.push(`${name}\0`);
    return at;
  }

  bytes(): Uint8Array {
    const words = this.#words.map((word) => (typeof word === "string" ? this.#place(word) : word));
    const names = new TextEncoder().encode(this.#names.join(""));
    const bytes = new Uint8Array(24 + 4 * words.length + names.length);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, 0xeb9f, true);
    view.setUint8(2, 1);
    const header = [24, 0, 4 * words.length, 4 * words.length, names.length];
    for (const [n, word] of [...header, ...words].entries()) view.setUint32(4 + 4 * n, word, true);
    bytes.set(names, 24 + 4 * words.length);
    return bytes;
  }
}

const written = new Writer()
  .type("int", INT, 0, 4) // 1
  .words(32)
  .type("", PTR, 0, 3) // 2
  .type("vm_fault", STRUCT, 3, 32) // 3
  .words("vma", 2, 0)
  .words("", 5, 64)
  .words("flags", 1, 192)
  .type("", UNION, 2, 8) // 4
  .words("orig_pte", 1, 0)
  .words("orig_pmd", 1, 0)
  .type("", CONST, 0, 6) // 5
  .type("", STRUCT, 2, 16) // 6
  .words("address", 1, 0)
  .words("", 4, 64)
  .type("mmu_gather", STRUCT, 2, 8, 1) // 7
  .words("fullmm", 1, (1 << 24) | 0)
  .words("freed_tables", 1, (1 << 24) | 34)
  .type("", PROTO, 2, 1) // 8
  .words("vmf", 2)
  .words("nr", 1)
  .type("do_wp_page", FUNC, 1, 8) // 9
  .bytes();

test("members in anonymous parts and bit fields, parameters by name", () => {
  const types = readBtf(written);
  if (typeof types === "string") throw new Error(types);
  expect(types.offset("vm_fault", "vma")).toBe(0);
  expect(types.offset("vm_fault", "address")).toBe(8);
  expect(types.offset("vm_fault", "orig_pmd")).toBe(16);
  expect(types.offset("vm_fault", "flags")).toBe(24);
  expect(types.offset("vm_fault", "page")).toBeUndefined();
  expect(types.offset("mmu_gather", "fullmm")).toBe(0);
  expect(types.offset("mmu_gather", "freed_tables")).toBe(4);
  expect([types.has("vm_fault"), types.has("vm_area_struct")]).toEqual([true, false]);
  expect(types.parameters("do_wp_page")).toEqual(["vmf", "nr"]);
  expect(types.parameters("int")).toBeUndefined();
});

test("bytes that are no BTF, or not all of one, are said to be so", () => {
  expect(readBtf(new Uint8Array(64))).toMatch(/no BTF/);
  expect(readBtf(written.subarray(0, 10))).toMatch(/no BTF/);
  for (let length = 24; length < written.length; length += 7) {
    expect(readBtf(written.subarray(0, length))).toMatch(/ends early/);
  }
  const strange = written.slice();
  strange[24 + 7] = 31;
  expect(readBtf(strange)).toBe("a type of unknown kind 31");
});
