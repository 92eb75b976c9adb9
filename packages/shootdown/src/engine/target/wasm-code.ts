// SPDX-License-Identifier: Apache-2.0
// The body of a function as WebAssembly's stack code.
//
// The engine that runs it optimises; what is left to do here is what it cannot know or what makes
// the code smaller: constant parts of addresses become offsets, conditions lose double negations,
// and a value that is used as soon as it is kept stays on the stack.

import type { Binary, Ex, Fn, St } from "./code.ts";
import { bin, num } from "./code.ts";
import { Bytes } from "./wasm-bytes.ts";
import { BINARY, I32, MOVE, OP, OPPOSITE, RMW, UNARY, VOID } from "./wasm-opcodes.ts";

/** Numbers of functions, and whether atomic operations are meant. */
export interface CodeContext {
  readonly functions: ReadonlyMap<string, { readonly index: number; readonly result: boolean }>;
  readonly shared: boolean;
}

/** Copies of so many bytes are written out: the instruction for any length is a call. */
const COPY_MAX = 256;
/** log2 of the alignment of every access. */
const ALIGN = 2;
/** A pseudo label of an `if`, which no `br` names. */
const NOBODY = -1;

export function functionBody(fn: Fn, context: CodeContext): Bytes {
  return new CodeWriter(fn, context).done();
}

class CodeWriter {
  private readonly out = new Bytes();
  private readonly labels: number[] = [];
  private readonly fn: Fn;
  private readonly context: CodeContext;
  /** Locals beside the function's, in use and ever. */
  private temps = 0;
  private tempsMax = 0;
  /** Where the last `local.set` ended, and of which local. */
  private keptAt = -1;
  private kept = -1;

  constructor(fn: Fn, context: CodeContext) {
    this.fn = fn;
    this.context = context;
  }

  done(): Bytes {
    const { fn, out } = this;
    this.statements(fn.body);
    if (fn.result) out.byte(OP.unreachable);
    out.byte(OP.end);
    const all = new Bytes();
    const own = fn.locals - fn.params + this.tempsMax;
    if (own > 0) {
      all.byte(1);
      all.unsigned(own);
      all.byte(I32);
    } else all.byte(0);
    all.append(out);
    return all;
  }

  private statements(body: readonly St[]): void {
    for (const st of body) this.statement(st);
  }

  private statement(st: St): void {
    const { out } = this;
    switch (st.k) {
      case "set":
        this.value(st.value);
        return this.setLocal(st.n);
      case "store":
        return this.store(st);
      case "if":
        return this.branch(st.c, st.then, st.else);
      case "block":
      case "loop":
        return this.scope(st.k === "block" ? OP.block : OP.loop, st.label, st.body);
      case "br":
        out.byte(OP.br);
        return out.unsigned(this.depth(st.label));
      case "br_if":
        if (!this.condition(st.c)) out.byte(OP.eqz);
        out.byte(OP.br_if);
        return out.unsigned(this.depth(st.label));
      case "switch":
        this.value(st.on);
        out.byte(OP.br_table);
        out.unsigned(st.labels.length);
        for (const label of st.labels) out.unsigned(this.depth(label));
        return out.unsigned(this.depth(st.otherwise));
      case "return":
        if (st.value) this.value(st.value);
        return out.byte(OP.return);
      case "do":
        this.value(st.value);
        if (this.yields(st.value)) out.byte(OP.drop);
        return;
      case "copy":
        return this.copy(st.to, st.from, st.bytes);
      case "fill":
        this.value(st.at);
        this.value(num(st.byte));
        this.value(st.bytes);
        return out.put(OP.bulk, 0x0b, 0);
    }
  }

  private value(ex: Ex): void {
    const { out } = this;
    switch (ex.k) {
      case "const":
        out.byte(OP.const);
        return out.signed(ex.value);
      case "local":
        return this.getLocal(ex.n);
      case "bin":
        return this.binary(ex.op, ex.a, ex.b);
      case "un":
        if (ex.op === "eqz" && this.opposite(ex.a)) return;
        this.value(ex.a);
        return out.byte(UNARY[ex.op]);
      case "select":
        return this.select(ex.c, ex.a, ex.b);
      case "load":
        return this.load(ex);
      case "call":
        for (const arg of ex.args) this.value(arg);
        out.byte(OP.call);
        return out.unsigned(this.functionOf(ex.f).index);
      case "rmw":
        return this.rmw(ex);
      case "cas":
        return this.cas(ex);
      case "wait":
        return this.wait(ex.addr, ex.expect);
      case "notify":
        this.value(ex.addr);
        this.value(num(-1));
        out.put(OP.atomic, 0x00, ALIGN, 0);
        return;
      case "memory_size":
        return out.put(OP.size, 0);
      case "memory_grow":
        this.value(ex.pages);
        return out.put(OP.grow, 0);
    }
  }

  private binary(op: Binary, a: Ex, b: Ex): void {
    const { out } = this;
    if (op === "mulhi_u") {
      this.value(a);
      out.byte(OP.extend_u);
      this.value(b);
      out.put(OP.extend_u, OP.mul64, OP.const64, 32, OP.shr64_u, OP.wrap);
      return;
    }
    this.value(a);
    if (op === "eq" && isZero(b)) return out.byte(OP.eqz);
    this.value(b);
    out.byte(BINARY[op]);
  }

  /** Writes `a` negated, if that is one comparison. */
  private opposite(a: Ex): boolean {
    const op = a.k === "bin" ? OPPOSITE[a.op] : undefined;
    if (a.k !== "bin" || op === undefined) return false;
    this.value(a.a);
    if (a.op === "ne" && isZero(a.b)) this.out.byte(OP.eqz);
    else {
      this.value(a.b);
      this.out.byte(op);
    }
    return true;
  }

  /** Writes a value that is zero as `c` is (true), or as `c` is not (false). */
  private condition(c: Ex): boolean {
    let straight = true;
    let at = c;
    for (;;) {
      if (at.k === "un" && at.op === "eqz") {
        straight = !straight;
        at = at.a;
      } else if (at.k === "bin" && (at.op === "ne" || at.op === "eq") && isZero(at.b)) {
        if (at.op === "eq") straight = !straight;
        at = at.a;
      } else break;
    }
    if (!straight && this.opposite(at)) return true;
    this.value(at);
    return straight;
  }

  private branch(c: Ex, then: readonly St[], otherwise: readonly St[]): void {
    const { out } = this;
    const only = then[0];
    if (then.length === 1 && only?.k === "br" && otherwise.length === 0) {
      return this.statement({ k: "br_if", c, label: only.label });
    }
    const straight = this.condition(c);
    const [first, second] = straight ? [then, otherwise] : [otherwise, then];
    if (first.length === 0) out.byte(OP.eqz);
    out.put(OP.if, VOID);
    this.labels.push(NOBODY);
    this.statements(first.length === 0 ? second : first);
    if (first.length > 0 && second.length > 0) {
      out.byte(OP.else);
      this.statements(second);
    }
    this.labels.pop();
    out.byte(OP.end);
  }

  private select(c: Ex, a: Ex, b: Ex): void {
    // Both are evaluated before the condition, whichever of them stands first.
    this.value(a);
    this.value(b);
    if (!this.condition(c)) this.out.byte(OP.eqz);
    this.out.byte(OP.select);
  }

  private scope(op: number, label: number, body: readonly St[]): void {
    this.out.put(op, VOID);
    this.labels.push(label);
    this.statements(body);
    this.labels.pop();
    this.out.byte(OP.end);
  }

  private depth(label: number): number {
    return this.labels.length - 1 - this.labels.lastIndexOf(label);
  }

  /** Writes the variable part of an address; yields the constant one. */
  private address(addr: Ex, offset: number): number {
    let at = addr;
    let constant = offset;
    while (at.k === "bin" && at.op === "add" && at.b.k === "const" && at.b.value > 0) {
      // Less a constant plus another: the variable part may be below zero.
      if (at.a.k === "bin" && at.a.op === "sub") break;
      constant += at.b.value;
      at = at.a;
    }
    if (constant < 0) {
      this.value(bin("add", at, num(constant)));
      return 0;
    }
    this.value(at);
    return constant;
  }

  private access(op: number, offset: number): void {
    this.out.put(op, ALIGN);
    this.out.unsigned(offset);
  }

  private atomicAccess(op: number, offset: number): void {
    this.out.byte(OP.atomic);
    this.access(op, offset);
  }

  private load(ex: Extract<Ex, { k: "load" }>): void {
    const offset = this.address(ex.addr, ex.offset);
    if (ex.atomic && this.context.shared) this.atomicAccess(0x10, offset);
    else this.access(OP.load, offset);
  }

  private store(st: Extract<St, { k: "store" }>): void {
    const offset = this.address(st.addr, st.offset);
    this.value(st.value);
    if (st.atomic && this.context.shared) this.atomicAccess(0x17, offset);
    else this.access(OP.store, offset);
  }

  private rmw(ex: Extract<Ex, { k: "rmw" }>): void {
    const { out } = this;
    const offset = this.address(ex.addr, ex.offset);
    if (this.context.shared) {
      this.value(ex.a);
      return this.atomicAccess(RMW[ex.op], offset);
    }
    const [addr, a, old] = this.claim(3);
    this.setLocal(addr);
    this.value(ex.a);
    this.setLocal(a);
    this.getLocal(addr);
    this.getLocal(addr);
    this.access(OP.load, offset);
    out.byte(OP.tee);
    out.unsigned(old);
    if (ex.op === "xchg") out.byte(OP.drop);
    this.getLocal(a);
    if (ex.op !== "xchg") out.byte(BINARY[ex.op]);
    this.access(OP.store, offset);
    this.getLocal(old);
    this.temps -= 3;
  }

  private cas(ex: Extract<Ex, { k: "cas" }>): void {
    const { out } = this;
    const offset = this.address(ex.addr, ex.offset);
    if (this.context.shared) {
      this.value(ex.expect);
      this.value(ex.value);
      return this.atomicAccess(0x48, offset);
    }
    const [addr, expect, value, old] = this.claim(4);
    this.setLocal(addr);
    this.value(ex.expect);
    this.setLocal(expect);
    this.value(ex.value);
    this.setLocal(value);
    this.getLocal(addr);
    this.access(OP.load, offset);
    out.byte(OP.tee);
    out.unsigned(old);
    this.getLocal(expect);
    out.put(BINARY.eq, OP.if, VOID);
    this.getLocal(addr);
    this.getLocal(value);
    this.access(OP.store, offset);
    out.byte(OP.end);
    this.getLocal(old);
    this.temps -= 4;
  }

  private wait(addr: Ex, expect: Ex): void {
    const { out } = this;
    // Nobody could ever wake one who waits on a memory of its own.
    if (!this.context.shared) return out.byte(OP.unreachable);
    this.value(addr);
    this.value(expect);
    out.put(OP.const64, 0x7f, OP.atomic, 0x01, ALIGN, 0);
  }

  private part(op: number | readonly [number, number], at: number): void {
    if (typeof op === "number") return this.access(op, at);
    this.out.byte(op[0]);
    this.access(op[1], at);
  }

  private copy(to: Ex, from: Ex, bytes: Ex): void {
    const { out } = this;
    const n = bytes.k === "const" ? bytes.value : -1;
    if (n < 0 || n > COPY_MAX || n % 4 !== 0) {
      this.value(to);
      this.value(from);
      this.value(bytes);
      return out.put(OP.bulk, 0x0a, 0, 0);
    }
    const [target, origin] = this.claim(2);
    this.value(to);
    this.setLocal(target);
    this.value(from);
    this.setLocal(origin);
    // All loads come before all stores: the regions may overlap.
    const parts: { readonly at: number; readonly size: 4 | 8 | 16 }[] = [];
    for (let at = 0; at < n; ) {
      const size = n - at >= 16 ? 16 : n - at >= 8 ? 8 : 4;
      parts.push({ at, size });
      at += size;
    }
    for (const { at, size } of parts) {
      this.getLocal(target);
      this.getLocal(origin);
      this.part(MOVE[size].load, at);
    }
    for (const { at, size } of parts.reverse()) this.part(MOVE[size].store, at);
    this.temps -= 2;
  }

  /** So many more locals, until `temps` is set back. */
  private claim(count: 2): [number, number];
  private claim(count: 3): [number, number, number];
  private claim(count: 4): [number, number, number, number];
  private claim(count: number): number[] {
    const first = this.fn.locals + this.temps;
    this.temps += count;
    this.tempsMax = Math.max(this.tempsMax, this.temps);
    return Array.from({ length: count }, (_, i) => first + i);
  }

  private getLocal(n: number): void {
    const { out } = this;
    if (this.keptAt === out.length && this.kept === n) {
      out.cut(out.length - lengthOf(n) - 1);
      out.byte(OP.tee);
    } else out.byte(OP.get);
    out.unsigned(n);
    this.keptAt = -1;
  }

  private setLocal(n: number): void {
    this.out.byte(OP.set);
    this.out.unsigned(n);
    this.keptAt = this.out.length;
    this.kept = n;
  }

  private yields(ex: Ex): boolean {
    if (ex.k !== "call") return true;
    return this.functionOf(ex.f).result;
  }

  private functionOf(name: string): { readonly index: number; readonly result: boolean } {
    const found = this.context.functions.get(name);
    if (!found) throw new Error(`no function ${name}`);
    return found;
  }
}

const isZero = (ex: Ex): boolean => ex.k === "const" && ex.value === 0;

/** Bytes of a number in LEB128. */
const lengthOf = (n: number): number => (n < 0x80 ? 1 : n < 0x4000 ? 2 : n < 0x200000 ? 3 : 5);
