// SPDX-License-Identifier: Apache-2.0
// The body of a function as JavaScript text: labelled blocks and loops, every value an int32.
//
// Memory is an Int32Array `m`, a copy of the instance's `M` in each function so that the engine
// that runs it keeps it in a register. Growing memory makes another; after what may have grown it
// `m` is taken again, and a statement in which that happens goes by way of `M`.

import type { Binary, Ex, Fn, St } from "./code.ts";

export interface JsContext {
  /** Names of functions in the text. */
  readonly functions: ReadonlyMap<string, string>;
  /** Those that may have grown memory when they return. */
  readonly growing: ReadonlySet<string>;
}

/** What the text of functions uses beside functions. */
export const HELPERS = `
function take() { if (M.buffer !== memory.buffer) views(); }
function views() { M = new Int32Array(memory.buffer); B = new Uint8Array(memory.buffer); }
function grow(pages) {
  let old = -1;
  try { old = memory.grow(pages >>> 0); } catch (e) { if (!(e instanceof RangeError)) throw e; }
  take();
  return old;
}
function ld(a) { return M[a >>> 2]; }
function st(a, v) { M[a >>> 2] = v; }
function sel(a, b, c) { return c ? a : b; }
function add(a, v) { const old = M[a >>> 2]; M[a >>> 2] = old + v; return old; }
function or(a, v) { const old = M[a >>> 2]; M[a >>> 2] = old | v; return old; }
function xchg(a, v) { const old = M[a >>> 2]; M[a >>> 2] = v; return old; }
function cas(a, e, v) { const old = M[a >>> 2]; if (old === e) M[a >>> 2] = v; return old; }
function wait() { throw new Error("waits on a memory that is not shared"); }
function rotl(a, n) { return a << n | a >>> -n; }
function ctz(a) { return a === 0 ? 32 : 31 - Math.clz32(a & -a); }
function popcnt(a) {
  const b = a - (a >>> 1 & 0x55555555);
  const c = (b & 0x33333333) + (b >>> 2 & 0x33333333);
  return Math.imul(c + (c >>> 4) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
function mulhi(a, b) {
  const al = a & 0xffff, ah = a >>> 16, bl = b & 0xffff, bh = b >>> 16;
  const t = ah * bl + (Math.imul(al, bl) >>> 16);
  const u = al * bh + (t & 0xffff);
  return ah * bh + (t >>> 16) + (u >>> 16) | 0;
}
function copy(to, from, n) {
  if (((to | from | n) & 3) !== 0) { B.copyWithin(to >>> 0, from >>> 0, (from >>> 0) + n); return; }
  const t = to >>> 2, f = from >>> 2, w = n >>> 2;
  if (w > 16) { M.copyWithin(t, f, f + w); return; }
  if (t <= f) for (let i = 0; i < w; i++) M[t + i] = M[f + i];
  else for (let i = w - 1; i >= 0; i--) M[t + i] = M[f + i];
}
function fill(at, byte, n) { B.fill(byte, at >>> 0, (at >>> 0) + n); }
`;

/** Calls of these and of functions are not seen through. */
const IMPURE = new Set<Ex["k"]>(["call", "rmw", "cas", "wait", "notify", "memory_grow"]);

/** The text of one function, `function NAME(...) {...}`. */
export function functionText(fn: Fn, name: string, context: JsContext): string {
  const writer = new JsWriter(context);
  writer.statements(fn.body);
  const names = Array.from({ length: fn.locals }, (_, n) => `l${n}`);
  const own = names.slice(fn.params).map((n) => `${n} = 0`);
  return [
    `function ${name}(${names.slice(0, fn.params).join(", ")}) {`,
    "let m = M;",
    ...(own.length > 0 ? [`let ${own.join(", ")};`] : []),
    ...writer.lines,
    "}",
  ].join("\n");
}

/** Whether memory may be another once the function has returned, as far as its own code says. */
export function growsMemory(fn: Fn, growing: ReadonlySet<string>): boolean {
  return statementsHave(fn.body, (ex) => grows(ex, growing));
}

const grows = (ex: Ex, growing: ReadonlySet<string>): boolean =>
  ex.k === "memory_grow" || (ex.k === "call" && growing.has(ex.f));

class JsWriter {
  readonly lines: string[] = [];
  private readonly scopes: { readonly label: number; readonly loop: boolean }[] = [];
  private readonly context: JsContext;
  /** What the statement being written reads memory by. */
  private memory = "m";

  constructor(context: JsContext) {
    this.context = context;
  }

  statements(body: readonly St[]): void {
    for (const st of body) this.statement(st);
  }

  private statement(st: St): void {
    switch (st.k) {
      case "if":
        return this.branch(st.c, st.then, st.else);
      case "block":
      case "loop":
        return this.scope(st.label, st.k === "loop", st.body);
      case "br":
        return this.line(this.jump(st.label));
      case "switch":
        return this.choice(st.on, st.labels, st.otherwise);
      default:
        return this.simple(st);
    }
  }

  private simple(st: Exclude<St, { k: "if" | "block" | "loop" | "br" | "switch" }>): void {
    const operands = operandsOf(st);
    const again = this.begin(operands);
    switch (st.k) {
      case "set":
        this.line(`l${st.n} = ${this.value(st.value)};`);
        break;
      case "store": {
        const [at, value] = [this.sum(st.addr, st.offset), this.value(st.value)];
        this.line(again ? `st(${at}, ${value});` : `m[${at} >>> 2] = ${value};`);
        break;
      }
      case "br_if":
        this.line(`if (${this.condition(st.c)}) { ${again}${this.jump(st.label)} }`);
        break;
      case "return":
        this.line(st.value ? `return ${this.value(st.value)};` : "return;");
        return;
      case "do":
        this.line(`${this.value(st.value)};`);
        break;
      case "copy":
        this.line(`copy(${operands.map((ex) => this.value(ex)).join(", ")});`);
        break;
      case "fill":
        this.line(`fill(${this.value(st.at)}, ${st.byte}, ${this.value(st.bytes)});`);
        break;
    }
    if (again) this.line(again);
  }

  private branch(c: Ex, then: readonly St[], otherwise: readonly St[]): void {
    const again = this.begin([c]);
    const [first, second] = then.length > 0 ? [then, otherwise] : [otherwise, then];
    const test = this.condition(c);
    this.line(then.length > 0 ? `if (${test}) {${again}` : `if (!(${test})) {${again}`);
    this.statements(first);
    if (second.length > 0 || again) {
      this.line(`} else {${again}`);
      this.statements(second);
    }
    this.line("}");
  }

  private scope(label: number, loop: boolean, body: readonly St[]): void {
    const name = `b${this.scopes.length}`;
    this.line(loop ? `${name}: for (;;) {` : `${name}: {`);
    this.scopes.push({ label, loop });
    this.statements(body);
    this.scopes.pop();
    this.line(loop ? "break; }" : "}");
  }

  private choice(on: Ex, labels: readonly number[], otherwise: number): void {
    const again = this.begin([on]);
    // Written so that the selector is there when `m` is taken again.
    this.line(again ? `{ const on = ${this.value(on)}; ${again}` : "{");
    this.line(`switch (${again ? "on" : this.value(on)}) {`);
    const places = new Map<number, number[]>();
    for (const [n, label] of labels.entries()) {
      const known = places.get(label);
      if (known) known.push(n);
      else places.set(label, [n]);
    }
    for (const [label, numbers] of places) {
      if (label === otherwise) continue;
      this.line(`${numbers.map((n) => `case ${n}:`).join(" ")} ${this.jump(label)}`);
    }
    this.line(`default: ${this.jump(otherwise)} } }`);
  }

  private jump(label: number): string {
    const at = this.scopes.findLastIndex((scope) => scope.label === label);
    return `${this.scopes[at]?.loop ? "continue" : "break"} b${at};`;
  }

  /** Begins a statement of these operands; yields what must be done once they are known. */
  private begin(operands: readonly Ex[]): string {
    const growing = operands.some((ex) => has(ex, (e) => grows(e, this.context.growing)));
    this.memory = growing ? "M" : "m";
    return growing ? "m = M;" : "";
  }

  private line(text: string): void {
    this.lines.push(text);
  }

  private value(ex: Ex): string {
    switch (ex.k) {
      case "const":
        return ex.value < 0 ? `(${ex.value | 0})` : `${ex.value | 0}`;
      case "local":
        return `l${ex.n}`;
      case "bin":
        return this.binary(ex.op, ex.a, ex.b);
      case "un":
        if (ex.op === "eqz") return `(${this.condition(ex)} ? 1 : 0)`;
        return `${ex.op === "clz" ? "Math.clz32" : ex.op}(${this.value(ex.a)})`;
      case "select":
        return this.select(ex.c, ex.a, ex.b);
      case "load": {
        const at = this.sum(ex.addr, ex.offset);
        // An array that is named before its index is known is the one before that.
        return this.memory === "M" ? `ld(${at})` : `m[${at} >>> 2]`;
      }
      case "call": {
        const name = this.context.functions.get(ex.f);
        if (!name) throw new Error(`no function ${ex.f}`);
        return `${name}(${ex.args.map((arg) => this.value(arg)).join(", ")})`;
      }
      case "rmw":
        return `${ex.op}(${this.sum(ex.addr, ex.offset)}, ${this.value(ex.a)})`;
      case "cas":
        return this.compareAndSwap(ex);
      case "wait":
        return "wait()";
      case "notify":
        return `(${this.value(ex.addr)}, 0)`;
      case "memory_size":
        return "(M.byteLength >>> 16)";
      case "memory_grow":
        return `grow(${this.value(ex.pages)})`;
    }
  }

  private compareAndSwap(ex: Extract<Ex, { k: "cas" }>): string {
    const at = this.sum(ex.addr, ex.offset);
    return `cas(${at}, ${this.value(ex.expect)}, ${this.value(ex.value)})`;
  }

  private sum(addr: Ex, offset: number): string {
    return offset === 0 ? this.value(addr) : `(${this.value(addr)} + ${offset})`;
  }

  private select(c: Ex, a: Ex, b: Ex): string {
    const [whenTrue, whenFalse] = [this.value(a), this.value(b)];
    const test = this.condition(c);
    if ([a, b, c].some((ex) => has(ex, (e) => IMPURE.has(e.k)))) {
      return `sel(${whenTrue}, ${whenFalse}, ${test})`;
    }
    return `(${test} ? ${whenTrue} : ${whenFalse})`;
  }

  private binary(op: Binary, a: Ex, b: Ex): string {
    const [x, y] = [this.value(a), this.value(b)];
    switch (op) {
      case "mul":
        return `Math.imul(${x}, ${y})`;
      case "rotl":
        return `rotl(${x}, ${y})`;
      case "mulhi_u":
        return `mulhi(${x}, ${y})`;
      case "div_u":
      case "rem_u":
        return `((${x} >>> 0) ${op === "div_u" ? "/" : "%"} (${y} >>> 0) | 0)`;
      case "add":
      case "sub":
      case "div_s":
      case "shr_u":
        return `(${x} ${PLAIN[op]} ${y} | 0)`;
      case "and":
      case "or":
      case "xor":
      case "shl":
      case "shr_s":
        return `(${x} ${PLAIN[op]} ${y})`;
      default:
        return `(${comparison(op, x, y)} ? 1 : 0)`;
    }
  }

  /** A truth value of JavaScript. */
  private condition(c: Ex): string {
    if (c.k === "un" && c.op === "eqz") return `!(${this.condition(c.a)})`;
    if (c.k === "bin" && c.op in COMPARE) {
      return comparison(c.op as Comparison, this.value(c.a), this.value(c.b));
    }
    return `${this.value(c)} !== 0`;
  }
}

const PLAIN = {
  add: "+",
  sub: "-",
  div_s: "/",
  shr_u: ">>>",
  and: "&",
  or: "|",
  xor: "^",
  shl: "<<",
  shr_s: ">>",
} as const;
const COMPARE = {
  eq: "===",
  ne: "!==",
  lt_s: "<",
  le_s: "<=",
  lt_u: "<",
  le_u: "<=",
  gt_u: ">",
  ge_u: ">=",
} as const;
type Comparison = keyof typeof COMPARE;

function comparison(op: Comparison, x: string, y: string): string {
  if (op.endsWith("_u")) return `(${x} >>> 0) ${COMPARE[op]} (${y} >>> 0)`;
  return `${x} ${COMPARE[op]} ${y}`;
}

/** The operands of a statement in the order in which they are evaluated. */
function operandsOf(st: St): readonly Ex[] {
  switch (st.k) {
    case "set":
    case "do":
      return [st.value];
    case "store":
      return [st.addr, st.value];
    case "if":
    case "br_if":
      return [st.c];
    case "switch":
      return [st.on];
    case "return":
      return st.value ? [st.value] : [];
    case "copy":
      return [st.to, st.from, st.bytes];
    case "fill":
      return [st.at, st.bytes];
    case "block":
    case "loop":
    case "br":
      return [];
  }
}

function operandsIn(ex: Ex): readonly Ex[] {
  switch (ex.k) {
    case "bin":
      return [ex.a, ex.b];
    case "un":
      return [ex.a];
    case "select":
      return [ex.a, ex.b, ex.c];
    case "load":
    case "notify":
      return [ex.addr];
    case "call":
      return ex.args;
    case "rmw":
      return [ex.addr, ex.a];
    case "cas":
      return [ex.addr, ex.expect, ex.value];
    case "wait":
      return [ex.addr, ex.expect];
    case "memory_grow":
      return [ex.pages];
    case "const":
    case "local":
    case "memory_size":
      return [];
  }
}

const has = (ex: Ex, test: (ex: Ex) => boolean): boolean =>
  test(ex) || operandsIn(ex).some((part) => has(part, test));

function statementsHave(body: readonly St[], test: (ex: Ex) => boolean): boolean {
  return body.some((st) => {
    if (operandsOf(st).some((ex) => has(ex, test))) return true;
    if (st.k === "if") return statementsHave(st.then, test) || statementsHave(st.else, test);
    return (st.k === "block" || st.k === "loop") && statementsHave(st.body, test);
  });
}
