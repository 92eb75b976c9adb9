// SPDX-License-Identifier: Apache-2.0
// A Module as plain C: what a compiler of the machine makes of the very code that WebAssembly runs.
//
// One file: `memory`, a reserved range of addresses of which `memory_pages` are in use; a function
// `f_NAME` for each function, static; functions that are imported are `host_NAME`, defined by what
// is put after it. One thread: atomic operations are plain and nobody waits.

import type {
  Atomic,
  Binary,
  Ex,
  Fn,
  Module,
  St,
} from "../packages/shootdown/src/engine/target/code.ts";

const PRELUDE = `
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
typedef uint32_t u32;
typedef int32_t i32;
static uint8_t *memory;
static u32 memory_pages;
static u32 memory_grow(u32 pages) {
  u32 old = memory_pages;
  if (pages > MEMORY_MAXIMUM - old) return -1;
  memory_pages += pages;
  return old;
}
static void memory_init(void) {
  memory = mmap(0, (size_t)MEMORY_MAXIMUM << 16, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) abort();
  memory_pages = MEMORY_INITIAL;
}
static inline u32 rotl(u32 a, u32 n) { return a << (n & 31u) | a >> (-n & 31u); }
#define AT(a) (*(u32 *)(m + (u32)(a)))
`;

const NAMES = /[^A-Za-z0-9_]/g;
const INFIX: Readonly<Partial<Record<Binary, string>>> = {
  add: "+",
  sub: "-",
  mul: "*",
  div_u: "/",
  rem_u: "%",
  and: "&",
  or: "|",
  xor: "^",
  eq: "==",
  ne: "!=",
  lt_u: "<",
  le_u: "<=",
  gt_u: ">",
  ge_u: ">=",
};
const SIGNED: Readonly<Partial<Record<Binary, string>>> = { div_s: "/", lt_s: "<", le_s: "<=" };
const SHIFT: Readonly<Partial<Record<Binary, string>>> = { shl: "<<", shr_u: ">>" };
const RMW: Readonly<Record<Atomic, string>> = { add: "old + a", or: "old | a", xchg: "a" };

/** The text of a module, without a `main`. */
export function writeC(module: Module): string {
  const { memory, imports, functions } = module;
  const hosts = new Set(imports.map((f) => f.name));
  const nameOf = (name: string) =>
    `${hosts.has(name) ? "host" : "f"}_${name.replaceAll(NAMES, "_")}`;
  const head = (f: Pick<Fn, "name" | "params" | "result">) => {
    const params = Array.from({ length: f.params }, (_, n) => `u32 l${n}`).join(", ");
    return `${f.result ? "u32" : "void"} ${nameOf(f.name)}(${params || "void"})`;
  };
  return [
    `#define MEMORY_INITIAL ${memory.initial}u`,
    `#define MEMORY_MAXIMUM ${memory.maximum}u`,
    PRELUDE,
    ...imports.map((f) => `extern ${head(f)};`),
    ...functions.map((f) => `static ${head(f)};`),
    ...functions.map((f) => functionText(f, head(f), nameOf)),
    "",
  ].join("\n");
}

function functionText(fn: Fn, head: string, nameOf: (name: string) => string): string {
  const writer = new CWriter(nameOf);
  writer.statements(fn.body);
  const own = Array.from({ length: fn.locals - fn.params }, (_, n) => `l${n + fn.params} = 0`);
  return [
    `static ${head} {`,
    "uint8_t *const m = memory;",
    ...(own.length > 0 ? [`u32 ${own.join(", ")};`] : []),
    ...writer.lines,
    ...(fn.result ? ["__builtin_unreachable();"] : []),
    "}",
  ].join("\n");
}

class CWriter {
  readonly lines: string[] = [];
  private readonly scopes: { readonly label: number; readonly name: string }[] = [];
  private readonly nameOf: (name: string) => string;
  private fresh = 0;

  constructor(nameOf: (name: string) => string) {
    this.nameOf = nameOf;
  }

  statements(body: readonly St[]): void {
    for (const st of body) this.statement(st);
  }

  private statement(st: St): void {
    switch (st.k) {
      case "set":
        return this.line(`l${st.n} = ${this.value(st.value)};`);
      case "store":
        return this.line(
          this.ordered([st.addr, st.value], ([at, v]) => `AT(${plus(at, st.offset)}) = ${v};`, ""),
        );
      case "if":
        this.line(`if (${this.value(st.c)}) {`);
        this.statements(st.then);
        this.line("} else {");
        this.statements(st.else);
        return this.line("}");
      case "block":
      case "loop":
        return this.scope(st);
      case "br":
        return this.line(this.jump(st.label));
      case "br_if":
        return this.line(`if (${this.value(st.c)}) ${this.jump(st.label)}`);
      case "switch":
        this.line(`switch (${this.value(st.on)}) {`);
        for (const [n, label] of st.labels.entries()) this.line(`case ${n}: ${this.jump(label)}`);
        return this.line(`default: ${this.jump(st.otherwise)} }`);
      case "return":
        return this.line(st.value ? `return ${this.value(st.value)};` : "return;");
      case "do":
        return this.line(`(void)(${this.value(st.value)});`);
      case "copy":
        return this.line(
          this.ordered([st.to, st.from, st.bytes], ([to, from, n]) => {
            return `memmove(m + ${to}, m + ${from}, ${n});`;
          }),
        );
      case "fill":
        return this.line(
          this.ordered([st.at, st.bytes], ([at, n]) => `memset(m + ${at}, ${st.byte}, ${n});`),
        );
    }
  }

  private scope({ k, label, body }: Extract<St, { k: "block" | "loop" }>): void {
    const name = `b${this.fresh++}`;
    if (k === "loop") this.line(`${name}:;`);
    this.scopes.push({ label, name });
    this.statements(body);
    this.scopes.pop();
    if (k === "block") this.line(`${name}:;`);
  }

  private jump(label: number): string {
    return `goto ${this.scopes.findLast((scope) => scope.label === label)?.name};`;
  }

  private line(text: string): void {
    this.lines.push(text);
  }

  /** C leaves the order of operands open: where it matters they are named one after the other. */
  private ordered(
    parts: readonly Ex[],
    text: (values: readonly string[]) => string,
    end = "",
  ): string {
    const values = parts.map((ex) => this.value(ex));
    if (!parts.some(acts)) return text(values);
    const names = values.map(() => `t${this.fresh++}`);
    const set = names.map((name, n) => `u32 ${name} = ${values[n]};`).join(" ");
    return `({ ${set} ${text(names)}${end} })${end === "" ? ";" : ""}`;
  }

  private value(ex: Ex): string {
    switch (ex.k) {
      case "const":
        return `${ex.value >>> 0}u`;
      case "local":
        return `l${ex.n}`;
      case "bin":
        return this.ordered([ex.a, ex.b], ([a, b]) => operation(ex.op, `${a}`, `${b}`), ";");
      case "un":
        return this.unary(ex);
      case "select":
        return this.ordered([ex.a, ex.b, ex.c], ([a, b, c]) => `(${c} ? ${a} : ${b})`, ";");
      case "load":
        return `AT(${plus(this.value(ex.addr), ex.offset)})`;
      case "call":
        return this.ordered(ex.args, (args) => `${this.nameOf(ex.f)}(${args.join(", ")})`, ";");
      case "rmw": {
        const [at, a] = [plus(this.value(ex.addr), ex.offset), this.value(ex.a)];
        const next = RMW[ex.op];
        return this.hidden(
          `u32 t = ${at}, a = ${a}, old = AT(t); AT(t) = ${next}; old;`,
          "t, a, old",
        );
      }
      case "cas": {
        const at = plus(this.value(ex.addr), ex.offset);
        const [expect, to] = [this.value(ex.expect), this.value(ex.value)];
        const named = `u32 t = ${at}, a = ${expect}, v = ${to}, old = AT(t);`;
        return this.hidden(`${named} if (old == a) AT(t) = v; old;`, "t, a, v, old");
      }
      case "wait":
        throw new Error("C runs one thread");
      case "notify":
        return `((void)(${this.value(ex.addr)}), 0u)`;
      case "memory_size":
        return "memory_pages";
      case "memory_grow":
        return `memory_grow(${this.value(ex.pages)})`;
    }
  }

  private unary({ op, a }: Extract<Ex, { k: "un" }>): string {
    const value = this.value(a);
    if (op === "eqz") return `(${value} == 0)`;
    if (op === "popcnt") return `(u32)__builtin_popcount(${value})`;
    return this.hidden(`u32 a = ${value}; a ? (u32)__builtin_${op}(a) : 32u;`, "a");
  }

  /** A statement expression whose own names no expression within it can mean. */
  private hidden(text: string, names: string): string {
    const n = this.fresh++;
    const own = new RegExp(`\\b(${names.replaceAll(", ", "|")})\\b`, "g");
    return `({ ${text.replaceAll(own, `$1${n}`)} })`;
  }
}

const plus = (at: string | undefined, offset: number): string =>
  offset === 0 ? `${at}` : `${at} + ${offset >>> 0}u`;

function operation(op: Binary, a: string, b: string): string {
  const infix = INFIX[op];
  if (infix) return `(${a} ${infix} ${b})`;
  const signed = SIGNED[op];
  if (signed) return `(u32)((i32)${a} ${signed} (i32)${b})`;
  const shift = SHIFT[op];
  if (shift) return `(${a} ${shift} (${b} & 31u))`;
  if (op === "shr_s") return `(u32)((i32)${a} >> (${b} & 31u))`;
  if (op === "rotl") return `rotl(${a}, ${b})`;
  return `(u32)((uint64_t)${a} * ${b} >> 32)`;
}

/** Whether the order in which it is evaluated can be told. */
function acts(ex: Ex): boolean {
  switch (ex.k) {
    case "const":
    case "local":
      return false;
    case "bin":
      return acts(ex.a) || acts(ex.b);
    case "un":
      return acts(ex.a);
    case "select":
      return acts(ex.a) || acts(ex.b) || acts(ex.c);
    case "load":
      return acts(ex.addr);
    default:
      return true;
  }
}
