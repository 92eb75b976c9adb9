// SPDX-License-Identifier: Apache-2.0
// The scanner of ftrace text in WebAssembly: one function, which takes the lines of a text.
//
// It takes a line if all its columns are as the kernel usually writes them: an event that nobody
// wants is counted, one that somebody wants becomes a record, one that may wait goes onto the
// shelf. At any other line it stops (`slow`), and FtraceReader takes that one in JavaScript.
import type { Code } from "./assembler.ts";
import * as wasm from "./assembler.ts";
import type { Local } from "./code.ts";
import {
  add,
  all,
  and,
  ascii,
  bitmask,
  bytes16,
  columns,
  differ,
  digitsOf,
  eq,
  eqz,
  firstBytes,
  get,
  i32,
  i64,
  is32,
  is64,
  isByte,
  isDigit,
  isNoByte,
  keep,
  LOCALS,
  littleEndian,
  load32,
  load128,
  ne,
  number8,
  ones,
  plus,
  set,
  setVectors,
  shr64,
  sub,
  subBytes,
  upper,
  word,
  wrap,
} from "./code.ts";
import { head, name, newline, time } from "./columns.ts";
import * as L from "./layout.ts";

/** All that a slot has room for: cheaper than to stop where the line ends. */
const COPIED = Array.from({ length: L.MAX_HELD_TEXT / 16 }, (_, n) => 16 * n);

class Scan {
  private readonly b = new wasm.Blocks();
  body(): Code {
    const { b } = this;
    const stop = (why: number, at: Code) => this.#stop(why, at);
    return [
      ...setVectors(),
      ...set("last", wasm.loadFloat(i32(L.STATE.last))),
      ...set("records", word(L.STATE.records)),
      ...b.loop((next) => [
        b.when(wasm.geU(get("at"), get("end")), () => this.#stop(L.STOP.end, get("at"))),
        set("start", get("at")),
        newline(b, stop),
        b.when(isNoByte(get("nl"), "\n"), () => this.#stop(L.STOP.control, get("start"))),
        b.block((slow) => [head(b, slow), time(b, slow), name(b, slow), this.#take(next, slow)]),
        this.#stop(L.STOP.slow, get("start")),
      ]),
    ];
  }

  #stop(why: number, at: Code): Code {
    return [
      ...keep(L.STATE.at, at),
      ...keep(L.STATE.line_end, get("nl")),
      ...keep(L.STATE.lines, get("lines")),
      ...keep(L.STATE.events, get("events")),
      ...keep(L.STATE.records, get("records")),
      ...wasm.storeFloat(i32(L.STATE.last), get("last")),
      ...wasm.back(i32(why)),
    ];
  }

  /** The line is an event: counts it, and looks who wants it. */
  #take(next: number, slow: number): Code {
    const { b } = this;
    const cpuSlot = add(i32(L.CPUS), wasm.shl(get("cpu"), i32(2)));
    const onwards = (mark: Code): Code =>
      [
        keep(L.STATE.cpu, get("cpu")),
        wasm.store32(cpuSlot, mark),
        set("last", get("time")),
        set("lines", plus("lines", 1)),
        set("events", plus("events", 1)),
        set("at", plus("nl", 1)),
        b.to(next),
      ].flat();
    return [
      this.#find(),
      b.when(eqz(get("id")), () => onwards(i32(0))),
      set("kind", load32(get("entry"), L.NAME.kind)),
      b.toIf(slow, eq(get("kind"), i32(L.KIND.slow))),
      b.when(and(word(L.STATE.shelf), ne(get("kind"), i32(0))), () =>
        [
          b.toIf(slow, get("form")),
          b.toIf(slow, eq(get("kind"), i32(L.KIND.opens))),
          b.when(eq(get("kind"), i32(L.KIND.flush)), () => [
            ...this.#flush(slow),
            ...onwards(i32(0)),
          ]),
          this.#mapping(slow),
          this.#hold(),
          onwards(sub(i32(-1), get("slot"))),
        ].flat(),
      ),
      b.when(eq(get("records"), i32(L.MAX_RECORDS)), () => this.#stop(L.STOP.full, get("start"))),
      this.#record(),
      onwards(word(L.STATE.sequence)),
    ].flat();
  }

  /** `id` and `entry` of the name, or 0. */
  #find(): Code {
    const { b } = this;
    const seed = (n: number): Code => word(L.STATE.seeds + 4 * n);
    const lanes = wasm.mulWords(get("first"), load128(i32(L.STATE.seeds)));
    const both = wasm.xor64(wasm.lane64(0, get("second")), wasm.lane64(1, get("second")));
    const folded = wrap(wasm.xor64(get("big"), shr64(get("big"), i64(32n))));
    const sum = wasm.xor(folded, wasm.mul(get("length"), seed(4)));
    const mixed = wasm.mul(wasm.xor(get("x"), wasm.shr(get("x"), i32(15))), seed(5));
    return [
      set("id", i32(0)),
      b.block((none) => [
        b.block((short) => [
          set("first", get("v")),
          b.toIf(short, wasm.gtU(get("length"), i32(15))),
          set("first", firstBytes(get("v"), get("length"))),
        ]),
        set("second", lanes),
        set("big", both),
        set("x", sum),
        set("x", wasm.shr(mixed, i32(32 - L.SLOT_BITS))),
        set("x", wasm.load16(wasm.shl(get("x"), i32(1)), L.SLOTS)),
        b.toIf(none, eqz(get("x"))),
        set("entry", add(i32(L.NAMES), wasm.mul(get("x"), i32(L.NAME_BYTES)))),
        b.toIf(none, ne(load32(get("entry"), L.NAME.length), get("length"))),
        b.toIf(none, differ(load128(get("entry"), L.NAME.first), get("first"))),
        b.when(wasm.gtU(get("length"), i32(16)), () =>
          b.toIf(none, differ(load128(get("entry"), L.NAME.last), load128(plus("p", -16)))),
        ),
        set("id", get("x")),
      ]),
    ].flat();
  }

  /** Counts "pages:N reason:TEXT (N)" if that reason is known; else leaves `other`. */
  #flush(other: number): Code {
    const { b } = this;
    const unless = (condition: Code): Code => b.toIf(other, eqz(condition));
    const known = add(i32(L.REASONS), wasm.mul(get("y"), i32(L.REASON_BYTES)));
    const count = (at: number, by: Code): Code =>
      wasm.store32(get("entry"), add(load32(get("entry"), at), by), at);
    return [
      unless(is32(get("text"), "page")),
      unless(eq(wasm.load16(get("text"), 4), i32(Number(littleEndian("s:"))))),
      set("minus", isByte(get("text"), "-", 6)),
      set("p", add(plus("text", 6), get("minus"))),
      b.toIf(other, and(get("minus"), isByte(get("p"), "0"))),
      set("x", ones(digitsOf(load128(get("p"))))),
      b.toIf(other, wasm.gtU(sub(get("x"), i32(1)), i32(14))),
      set("p", add(get("p"), get("x"))),
      unless(is64(get("p"), " reason:")),
      set("p", plus("p", 8)),
      set("length", sub(get("nl"), get("p"))),
      b.toIf(other, wasm.gtU(sub(get("length"), i32(1)), i32(31))),
      set("first", load128(get("p"))),
      set("second", firstBytes(load128(get("p"), 16), i32(0))),
      b.when(wasm.ltU(get("length"), i32(16)), () =>
        set("first", firstBytes(get("first"), get("length"))),
      ),
      b.when(wasm.gtU(get("length"), i32(16)), () =>
        set("second", firstBytes(load128(get("p"), 16), sub(get("length"), i32(16)))),
      ),
      set("y", i32(0)),
      b.block((found) => [
        b.loop((further) => [
          b.toIf(other, wasm.geU(get("y"), word(L.STATE.reasons))),
          set("entry", known),
          set("y", plus("y", 1)),
          b.toIf(further, ne(load32(get("entry"), L.REASON.length), get("length"))),
          b.toIf(further, differ(load128(get("entry"), L.REASON.text), get("first"))),
          b.toIf(further, differ(load128(get("entry"), L.REASON.text + 16), get("second"))),
          b.to(found),
        ]),
      ]),
      count(L.REASON.flushes, i32(1)),
      count(L.REASON.all, get("minus")),
    ].flat();
  }

  /** Leaves `other` unless the text is that of the kernel's tracepoint, to the last byte. */
  #mapping(other: number): Code {
    const { b } = this;
    const unless = (condition: Code): Code => b.toIf(other, eqz(condition));
    const first = bytes16([..."IOMMU: iova=0x"].map(ascii).concat(0, 0));
    const hex = (offset: number): readonly Code[] => [
      set("v", load128(get("text"), offset)),
      b.toIf(
        other,
        ne(
          bitmask(
            wasm.orVector(
              isDigit(get("v")),
              wasm.lessEqualBytes(subBytes(get("v"), all(97)), all(5)),
            ),
          ),
          i32(0xffff),
        ),
      ),
    ];
    const decimal = (): readonly Code[] => [
      set("x", ones(digitsOf(load128(get("p"))))),
      b.toIf(other, wasm.gtU(sub(get("x"), i32(1)), i32(14))),
      set("p", add(get("p"), get("x"))),
    ];
    return [
      b.toIf(other, differ(firstBytes(load128(get("text")), i32(14)), first)),
      ...hex(14),
      unless(is32(get("text"), " - 0", 30)),
      unless(isByte(get("text"), "x", 34)),
      ...hex(35),
      set("p", plus("text", 51)),
      b.when(
        eq(get("kind"), i32(L.KIND.map)),
        () => unless(is64(get("p"), " paddr=0")),
        () => unless(isByte(get("p"), "x", 8)),
        () => hex(60).flat(),
        () => set("p", plus("p", 25)),
      ),
      unless(is32(get("p"), " siz")),
      unless(eq(wasm.load16(get("p"), 4), i32(Number(littleEndian("e="))))),
      set("p", plus("p", 6)),
      ...decimal(),
      b.when(
        eq(get("kind"), i32(L.KIND.unmap)),
        () => unless(is64(get("p"), " unmappe")),
        () => unless(is64(get("p"), "ed_size=", 7)),
        () => set("p", plus("p", 15)),
        () => decimal().flat(),
      ),
      b.toIf(other, ne(get("p"), get("nl"))),
      b.toIf(other, wasm.gtU(sub(get("nl"), get("start")), i32(L.MAX_HELD_TEXT))),
    ].flat();
  }

  /** Puts the line onto the shelf, in the place of the oldest if that is full. */
  #hold(): Code {
    const { b } = this;
    const fallen = word(L.STATE.fallen_unmaps);
    return [
      set("slot", and(word(L.STATE.held), i32(L.MAX_HELD - 1))),
      set("p", add(i32(L.SHELF), wasm.mul(get("slot"), i32(L.HELD_BYTES)))),
      // Kinds are 0 where nothing has been put yet.
      b.when(eq(load32(get("p"), L.HELD.kind), i32(L.KIND.unmap)), () =>
        keep(L.STATE.fallen_unmaps, add(fallen, i32(1))),
      ),
      keep(L.STATE.held, add(word(L.STATE.held), i32(1))),
      wasm.store32(get("p"), get("kind"), L.HELD.kind),
      wasm.store32(get("p"), sub(get("nl"), get("start")), L.HELD.length),
      wasm.store32(get("p"), add(plus("lines", 1), word(L.STATE.lines_before)), L.HELD.line),
      ...COPIED.map((n) => wasm.store128(get("p"), load128(get("start"), n), L.HELD.text + n)),
    ].flat();
  }

  #record(): Code {
    const here = (local: Local): Code => add(get(local), columns(0));
    const put = (at: number, value: Code): Code => wasm.store32(get("record"), value, at);
    const { RECORD } = L;
    return [
      set("record", add(i32(L.RECORDS), wasm.mul(get("records"), i32(L.RECORD_BYTES)))),
      set("records", plus("records", 1)),
      keep(L.STATE.sequence, add(word(L.STATE.sequence), i32(1))),
      put(RECORD.start, get("start")),
      put(RECORD.end, get("nl")),
      put(RECORD.line, plus("lines", 1)),
      put(RECORD.name, get("id")),
      wasm.storeFloat(get("record"), get("time"), RECORD.time),
      put(RECORD.cpu, get("cpu")),
      put(RECORD.pid, wrap(number8(upper(columns(1), get("pid_digits"))))),
      put(RECORD.flags_start, here("flags")),
      put(RECORD.flags_end, here("flags_end")),
      put(RECORD.text_start, get("text")),
      put(RECORD.form, get("form")),
      put(RECORD.sequence, word(L.STATE.sequence)),
      put(RECORD.name_start, get("name")),
    ].flat();
  }
}

/** The module's bytes. It exports `memory` and `scan(at, end)`. */
export function scannerModule(): Uint8Array<ArrayBuffer> {
  return wasm.moduleOf("scan", LOCALS, new Scan().body(), L.PAGES);
}
