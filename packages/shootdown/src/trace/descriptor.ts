// SPDX-License-Identifier: Apache-2.0
// Recorded 64-bit descriptors as the model's words, and the class of a change from one to another.
//
// No rule of the hardware stands here: bit positions and classes come from src/vocabulary, and are
// evaluated once for each combination of attributes.
import { fold } from "../engine/fold.ts";
import type { Domain } from "../engine/program.ts";
import { wordLayout } from "../engine/word.ts";
import { constant, unsetKnob } from "../ir/expr.ts";
import { type ChangeName, change, changeOf } from "../vocabulary/change.ts";
import { ARM64_BITS, desc } from "../vocabulary/descriptor.ts";
import { bit, bits, type Word64, withBit, ZERO } from "./importers/word64.ts";

/** What an entry of the table at hand can be; only the level tells a page from a table. */
export type Level = "pte" | "pmd";

/** How descriptors are laid out; `other` is a layout that shootdown has no rules for. */
export type Layout = "arm64" | "x86" | "other";

/** Equal or different is all that counts of a frame, so two of them stand for all. */
const DOMAIN: Domain = { sizes: { pfn: 2, table: 2 }, names: {}, limits: {} };

const FLAGS = ["AF", "RDONLY", "DBM", "DIRTY"] as const;
const FRAME_LOW = 12;
const FRAME_BITS = 36;
/** Bit 1 is clear in a block descriptor, set in a page or table descriptor. */
const TABLE_BIT = 1;
/** Access permission and execute bits that the model's descriptor does not have. */
const UNMODELLED = [6, 53, 54] as const;

/** Pages of 4 KiB that a last-level table maps. */
export const PMD_PAGES = 512;

/** Whether the hardware can use the entry at all; the same bit on every layout known here. */
export const isValid = (word: Word64): boolean => bit(word, ARM64_BITS.valid);

/** Whether a valid entry of a last level, or of a PMD that is no table, maps a block. */
export const isBlock = (word: Word64): boolean => isValid(word) && !bit(word, TABLE_BIT);

/**
 * Whose layout a valid user entry has. arm64 makes all memory of processes inner shareable (bits 9
 * and 8 set); x86 sets bit 2 in an entry for user space, and bit 8 (global) in none.
 */
export function layoutOf(word: Word64): Layout | undefined {
  if (!isValid(word)) return undefined;
  if (bit(word, 8) && bit(word, 9)) return "arm64";
  return bit(word, 2) && !bit(word, 8) ? "x86" : undefined;
}

/** Bits of an x86 entry; the frame is where arm64 has it (SDM 4.5). */
const X86_BITS = { present: 0, RW: 1, A: 5, PS: 7 } as const;

/**
 * An entry as arm64 would have it, for the classes of change. The dirty bit of x86 is left out:
 * the CPU sets it by itself, and who caches a writable entry may write without it.
 */
export function asArm64(word: Word64, layout: Layout): Word64 {
  if (layout !== "x86") return word;
  const { valid, AF, RDONLY, DBM } = ARM64_BITS;
  const writable = bit(word, X86_BITS.RW);
  const frame = {
    hi: word.hi % 2 ** (FRAME_LOW + FRAME_BITS - 32),
    lo: word.lo - (word.lo % 4096),
  };
  let made: Word64 = frame;
  for (const [at, on] of [
    [valid, bit(word, X86_BITS.present)],
    [TABLE_BIT, !bit(word, X86_BITS.PS)],
    [AF, bit(word, X86_BITS.A)],
    [RDONLY, !writable],
    [DBM, writable],
  ] as const) {
    made = withBit(made, at, on);
  }
  return made;
}

/** Attributes as a number, to look up classes by; a frame's bits are not in it. */
function attributes(word: Word64, level: Level): number {
  let index = 0;
  for (const name of FLAGS) index = index * 2 + Number(bit(word, ARM64_BITS[name]));
  const table = level === "pmd" && !isBlock(word);
  return (index * 2 + Number(table)) * 2 + Number(isValid(word));
}

const ATTRIBUTES = 2 ** (FLAGS.length + 2);
const classes = new Map<number, ChangeName>();

/** The class of the change from one recorded arm64 entry to another. */
export function classify(old: Word64, now: Word64, level: Level = "pte"): ChangeName {
  const same =
    bits(old, FRAME_LOW + FRAME_BITS - 1, FRAME_LOW) ===
    bits(now, FRAME_LOW + FRAME_BITS - 1, FRAME_LOW);
  const [a, b] = [attributes(old, level), attributes(now, level)];
  const key = (a * ATTRIBUTES + b) * 2 + Number(same);
  let found = classes.get(key);
  if (found === undefined) {
    found = evaluate(modelWord(a, 0), modelWord(b, same ? 0 : 1));
    classes.set(key, found);
  }
  return found;
}

/** Whether bits differ that the model's descriptor lacks: who may execute, user or kernel. */
export const differsUnmodelled = (old: Word64, now: Word64): boolean =>
  UNMODELLED.some((at) => bit(old, at) !== bit(now, at));

function modelWord(index: number, frame: number): number {
  const layout = wordLayout(desc, DOMAIN);
  const isValidBit = index % 2;
  const table = Math.floor(index / 2) % 2;
  let word = layout.put(layout.put(0, "valid", isValidBit), "table", table);
  FLAGS.forEach((name, at) => {
    word = layout.put(word, name, Math.floor(index / 2 ** (FLAGS.length + 1 - at)) % 2);
  });
  return layout.put(word, "pfn", frame);
}

function evaluate(old: number, now: number): ChangeName {
  const expression = changeOf(constant(desc, old), constant(desc, now));
  const knob = (name: string): string => {
    const value = unsetKnob(name);
    if (value === undefined) throw new Error(`the class of a change asks for the knob ${name}`);
    return value;
  };
  const scope = { domain: DOMAIN, knob, constantField: () => undefined };
  const node = fold(expression.node, new Map(), scope);
  const name = node.k === "const" ? change.values[node.value] : undefined;
  if (name === undefined) throw new Error("the class of a change must fold to a constant");
  return name;
}

/**
 * What `ptep_set_access_flags` leaves behind: of the entry asked for it takes AF, DBM (PTE_WRITE)
 * and DIRTY in addition, and read-only only where both are (arch/arm64/mm/fault.c, 6.1 and 6.12).
 */
export function afterSetAccessFlags(old: Word64, entry: Word64, layout: Layout): Word64 {
  // x86 stores the entry asked for (arch/x86/mm/pgtable.c).
  if (layout === "x86") return entry;
  const { AF, DBM, DIRTY, RDONLY } = ARM64_BITS;
  let result = old;
  for (const at of [AF, DBM, DIRTY]) if (bit(entry, at)) result = withBit(result, at, true);
  return bit(entry, RDONLY) ? result : withBit(result, RDONLY, false);
}

/** No translation: what a cleared entry holds. */
export const NONE: Word64 = ZERO;
