// SPDX-License-Identifier: Apache-2.0
// The columns of a line as the kernel usually writes them; at any other line the code goes to
// `slow`.
//
//   task-pid     [cpu] flags   seconds.micros: name: text
//   ^16 bytes    └─ 64 bytes as two bit masks, of digits and of spaces ─┘
import type { Blocks, Code } from "./assembler.ts";
import * as wasm from "./assembler.ts";
import type { Local } from "./code.ts";
import {
  add,
  all,
  and,
  ascii,
  bitmask,
  columns,
  ctz,
  ctz64,
  digitsOf,
  eq,
  equalBytes,
  eqz,
  extend,
  gap,
  get,
  i32,
  i64,
  isByte,
  isNoByte,
  lessEqualBytes,
  littleEndian,
  load8,
  load128,
  maskOf,
  mul64,
  ne,
  number8,
  or,
  or64,
  plus,
  run,
  set,
  shr64,
  sub,
  upper,
  word,
  wrap,
} from "./code.ts";
import * as L from "./layout.ts";

/** 64 bytes behind the task's name; the times and all before them lie in the first 48. */
const COLUMNS = ["a", "b", "c", "d"] as const;
const LOOKED_AT = ["a", "b", "c"] as const;
/** 64 bytes from `nl` on: with them most lines are whole. */
const NEXT = [0, 16, 32, 48].map((offset) => load128(get("nl"), offset));

/** `nl` is the first byte of the line that is no text; the vectors are those of the columns. */
export function newline(b: Blocks, stop: (why: number, at: Code) => Code): Code {
  const controls = (v: Code) => bitmask(lessEqualBytes(v, all(10)));
  return b
    .block((found) => [
      ...COLUMNS.map((v, n) => set(v, load128(columns(16 * n)))),
      set("x", controls(load128(get("start")))),
      b.when(get("x"), () => [...set("nl", add(get("start"), ctz(get("x")))), ...b.to(found)]),
      set("control", maskOf(COLUMNS.map(get), controls)),
      b.when(
        wasm.ne64(get("control"), i64(0n)),
        () => set("nl", add(columns(0), wrap(ctz64(get("control"))))),
        () => b.to(found),
      ),
      set("nl", columns(64)),
      b.loop((further) => [
        set("control", maskOf(NEXT, controls)),
        b.when(
          wasm.ne64(get("control"), i64(0n)),
          () => set("nl", add(get("nl"), wrap(ctz64(get("control"))))),
          () => b.to(found),
        ),
        set("nl", plus("nl", 64)),
        b.toIf(further, wasm.ltU(get("nl"), get("end"))),
      ]),
    ])
    .concat(b.when(wasm.geU(get("nl"), get("end")), () => stop(L.STOP.end, get("start"))));
}

/** Task, PID, CPU and flags. */
export function head(b: Blocks, slow: number): Code {
  const unless = (condition: Code): Code => b.toIf(slow, eqz(condition));
  const spaces = (v: Code) => bitmask(equalBytes(v, all(32)));
  const size = sub(get("nl"), get("start"));
  const at = (local: Local, offset = 0): Code => add(get(local), columns(offset));
  return [
    b.toIf(slow, wasm.ltU(size, i32(40))),
    b.toIf(slow, wasm.gtU(size, i32(65_536))),
    b.toIf(slow, eq(load8(plus("nl", -1)), i32(13))),
    b.toIf(slow, isByte(get("start"), "#")),
    unless(isByte(columns(0), "-")),
    set("digits", maskOf(LOOKED_AT.map(get), digitsOf)),
    set("spaces", maskOf(LOOKED_AT.map(get), spaces)),
    set("pid_digits", run(get("digits"), i32(1))),
    b.toIf(slow, wasm.gtU(sub(get("pid_digits"), i32(1)), i32(7))),
    set("q", plus("pid_digits", 1)),
    set("q", add(get("q"), run(get("spaces"), get("q")))),
    // [007], a space, and flags that do not begin as a time would.
    b.toIf(slow, wasm.gtU(get("q"), i32(24))),
    unless(isByte(at("q"), "[")),
    unless(eq(and(wrap(shr64(get("digits"), extend(plus("q", 1)))), i32(7)), i32(7))),
    unless(eq(wasm.load16(at("q", 4)), i32(Number(littleEndian("] "))))),
    set("flags", plus("q", 6)),
    b.toIf(
      slow,
      and(wrap(shr64(or64(get("digits"), get("spaces")), extend(get("flags")))), i32(1)),
    ),
    set("x", at("q", 1)),
    set(
      "cpu",
      sub(
        add(
          add(wasm.mul(load8(get("x")), i32(100)), wasm.mul(load8(get("x"), 1), i32(10))),
          load8(get("x"), 2),
        ),
        i32(111 * ascii("0")),
      ),
    ),
    set("flags_end", add(get("flags"), gap(get("spaces"), get("flags")))),
    b.toIf(slow, wasm.gtU(get("flags_end"), i32(30))),
  ].flat();
}

/** Seconds with a point and six digits, a colon and one space. */
export function time(b: Blocks, slow: number): Code {
  const unless = (condition: Code): Code => b.toIf(slow, eqz(condition));
  const count = sub(get("dot"), get("stamp"));
  return [
    set("stamp", add(get("flags_end"), run(get("spaces"), get("flags_end")))),
    b.toIf(slow, wasm.gtU(get("stamp"), i32(32))),
    set("dot", add(get("stamp"), run(get("digits"), get("stamp")))),
    b.toIf(slow, wasm.gtU(sub(count, i32(1)), i32(7))),
    set("x", add(get("dot"), columns(0))),
    unless(isByte(get("x"), ".")),
    unless(eq(and(wrap(shr64(get("digits"), extend(plus("dot", 1)))), i32(63)), i32(63))),
    unless(eq(wasm.load16(get("x"), 7), i32(Number(littleEndian(": "))))),
    set("name", plus("x", 9)),
    // Most lines are of the same second as the one before.
    set("big", upper(add(get("stamp"), columns(0)), count)),
    b.when(
      wasm.ne64(get("big"), get("seconds_text")),
      () => set("seconds_text", get("big")),
      () => set("seconds", mul64(number8(get("big")), i64(1_000_000n))),
    ),
    set("big", wasm.add64(get("seconds"), number8(upper(plus("x", 1), i32(6))))),
    // One division rounds once, as that in JavaScript.
    set("time", wasm.divFloat(wasm.floatOf64(get("big")), wasm.f64(1e6))),
    b.toIf(slow, and(wasm.ltFloat(get("time"), get("last")), eqz(word(L.STATE.backwards)))),
  ].flat();
}

/** The name up to a colon, a bracket or a space, and how the line goes on. */
export function name(b: Blocks, slow: number): Code {
  const ends = (v: Code): Code =>
    bitmask(
      ([58, 32, 40] as const)
        .map((byte) => equalBytes(v, all(byte)))
        .reduce((sum, one) => wasm.orVector(sum, one)),
    );
  const rest = wasm.load16(get("p"), 1);
  return [
    set("v", load128(get("name"))),
    b.toIf(slow, isByte(get("name"), "<")),
    set("p", get("name")),
    set("x", ends(get("v"))),
    b.block((found) => [
      b.loop((further) => [
        b.toIf(found, get("x")),
        set("p", plus("p", 16)),
        b.toIf(slow, wasm.geU(get("p"), get("nl"))),
        set("x", ends(load128(get("p")))),
        b.to(further),
      ]),
    ]),
    set("p", add(get("p"), ctz(get("x")))),
    b.toIf(slow, wasm.geU(get("p"), get("nl"))),
    set("length", sub(get("p"), get("name"))),
    b.toIf(slow, eqz(get("length"))),
    b.block((known) => [
      b.when(
        isByte(get("p"), ":"),
        () => b.toIf(slow, isNoByte(get("p"), " ", 1)),
        () => set("text", plus("p", 2)),
        // More spaces than one, or a tab.
        () => b.toIf(slow, or(isByte(get("text"), " "), isByte(get("text"), "\t"))),
        () => set("form", i32(0)),
        () => b.to(known),
      ),
      b.when(
        isByte(get("p"), "("),
        () => b.toIf(slow, isNoByte(plus("nl", -1), ")")),
        () => set("text", get("p")),
        () => set("form", i32(1)),
        () => b.to(known),
      ),
      set("text", plus("p", 1)),
      b.toIf(slow, wasm.geU(plus("text", 1), get("nl"))),
      set("form", i32(2)),
      b.toIf(known, eq(rest, i32(Number(littleEndian("->"))))),
      set("form", i32(3)),
      b.toIf(slow, ne(rest, i32(Number(littleEndian("<-"))))),
    ]),
  ].flat();
}
