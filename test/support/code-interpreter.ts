// SPDX-License-Identifier: Apache-2.0
// The language of compiled code, run the plain way: what its targets must agree with.

import type { Ex, Fn, Module, St } from "../../packages/shootdown/src/engine/target/code.ts";
import { binary, PAGE_BYTES, unary } from "../../packages/shootdown/src/engine/target/code.ts";
import type { LinearMemory } from "../../packages/shootdown/src/engine/target/javascript.ts";
import type { Imports } from "../../packages/shootdown/src/engine/target/wasm.ts";

/** How a statement ended: on to the next, to a label, or out of the function. */
type End = { readonly to: "next" | "return" } | { readonly to: "label"; readonly label: number };
const NEXT: End = { to: "next" };
const RETURN: End = { to: "return" };

interface Frame {
  readonly locals: Int32Array;
  value: number;
}

export class Interpreter {
  private readonly functions: ReadonlyMap<string, Fn>;
  private readonly memory: LinearMemory;
  private readonly imports: Imports;

  constructor(module: Module, memory: LinearMemory, imports: Imports = {}) {
    this.functions = new Map(module.functions.map((f) => [f.name, f]));
    this.memory = memory;
    this.imports = imports;
  }

  call(name: string, ...args: readonly number[]): number {
    const fn = this.functions.get(name);
    if (!fn) return Number(this.imports[name]?.(...args)) | 0;
    const frame: Frame = { locals: new Int32Array(fn.locals), value: 0 };
    frame.locals.set(args);
    this.run(fn.body, frame);
    return frame.value;
  }

  private get words(): Int32Array {
    return new Int32Array(this.memory.buffer);
  }

  private run(body: readonly St[], frame: Frame): End {
    for (const st of body) {
      const end = this.step(st, frame);
      if (end.to !== "next") return end;
    }
    return NEXT;
  }

  private step(st: St, frame: Frame): End {
    const value = (ex: Ex) => this.value(ex, frame);
    switch (st.k) {
      case "set":
        frame.locals[st.n] = value(st.value);
        return NEXT;
      case "store": {
        const [at, v] = [value(st.addr) + st.offset, value(st.value)];
        this.words[at >>> 2] = v;
        return NEXT;
      }
      case "if":
        return this.run(value(st.c) !== 0 ? st.then : st.else, frame);
      case "block":
      case "loop":
        return this.scope(st, frame);
      case "br":
        return { to: "label", label: st.label };
      case "br_if":
        return value(st.c) !== 0 ? { to: "label", label: st.label } : NEXT;
      case "switch":
        return { to: "label", label: st.labels[value(st.on) >>> 0] ?? st.otherwise };
      case "return":
        frame.value = st.value ? value(st.value) : 0;
        return RETURN;
      case "do":
        value(st.value);
        return NEXT;
      case "copy": {
        const [to, from, n] = [value(st.to), value(st.from), value(st.bytes)];
        new Uint8Array(this.memory.buffer).copyWithin(to, from, from + n);
        return NEXT;
      }
      case "fill": {
        const [at, n] = [value(st.at), value(st.bytes)];
        new Uint8Array(this.memory.buffer).fill(st.byte, at, at + n);
        return NEXT;
      }
    }
  }

  private scope(st: Extract<St, { k: "block" | "loop" }>, frame: Frame): End {
    for (;;) {
      const end = this.run(st.body, frame);
      if (end.to !== "label" || end.label !== st.label) return end;
      if (st.k === "block") return NEXT;
    }
  }

  private value(ex: Ex, frame: Frame): number {
    const value = (part: Ex) => this.value(part, frame);
    switch (ex.k) {
      case "const":
        return ex.value | 0;
      case "local":
        return frame.locals[ex.n] as number;
      case "bin": {
        const [a, b] = [value(ex.a), value(ex.b)];
        return binary(ex.op, a, b);
      }
      case "un":
        return unary(ex.op, value(ex.a));
      case "select": {
        const [a, b, c] = [value(ex.a), value(ex.b), value(ex.c)];
        return c !== 0 ? a : b;
      }
      case "call":
        return this.call(ex.f, ...ex.args.map(value));
      case "memory_size":
        return this.memory.buffer.byteLength / PAGE_BYTES;
      case "memory_grow": {
        try {
          return this.memory.grow(value(ex.pages));
        } catch {
          return -1;
        }
      }
      default:
        return this.access(ex, frame);
    }
  }

  private access(ex: Extract<Ex, { readonly addr: Ex }>, frame: Frame): number {
    const value = (part: Ex) => this.value(part, frame);
    const at = value(ex.addr);
    switch (ex.k) {
      case "load":
        return this.words[(at + ex.offset) >>> 2] as number;
      case "rmw": {
        const a = value(ex.a);
        const { words } = this;
        const old = words[(at + ex.offset) >>> 2] as number;
        words[(at + ex.offset) >>> 2] = ex.op === "add" ? old + a : ex.op === "or" ? old | a : a;
        return old;
      }
      case "cas": {
        const [expect, to] = [value(ex.expect), value(ex.value)];
        const { words } = this;
        const old = words[(at + ex.offset) >>> 2] as number;
        if (old === expect) words[(at + ex.offset) >>> 2] = to;
        return old;
      }
      case "wait":
        throw new Error("the interpreter has one thread");
      case "notify":
        return 0;
    }
  }
}
