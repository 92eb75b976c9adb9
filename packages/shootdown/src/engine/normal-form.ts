// SPDX-License-Identifier: Apache-2.0
// The normal form of a state: the least of its images under a group of symmetries, as code.
//
//   canon(addr):  best := state;  for each symmetry g:  if g(state) < best: best := g(state)
//
// Straight-line code: bits that go from one word to another over the same distance go together. An
// image is given up at the first word that is greater than that of the best so far.

import type { Bits, Layout } from "./layout.ts";
import type { Program } from "./program.ts";
import type { Action, Move, SortedMove } from "./symmetry/moves.ts";
import { actionOf } from "./symmetry/moves.ts";
import type { Symmetry } from "./symmetry.ts";
import type { Ex, Fn, St } from "./target/code.ts";
import { bin, brIf, FnBuilder, load, local, num, select, set, store, un } from "./target/code.ts";

/** A function `name(addr)` that brings the state there into normal form, in place. */
export function normalForm(
  program: Program,
  layout: Layout,
  symmetry: Symmetry,
  name = "canon",
): Fn | undefined {
  const actions: Action[] = [];
  for (const p of symmetry.elements.slice(1)) {
    const action = actionOf(program, layout, symmetry.points, p);
    // All or nothing: some of a group are no group.
    if (!action) return undefined;
    actions.push(action);
  }
  return actions.length === 0 ? undefined : new Canon(layout.words, actions, name).build();
}

class Canon {
  private readonly actions: readonly Action[];
  private readonly f: FnBuilder;
  private readonly source: readonly number[];

  constructor(words: number, actions: readonly Action[], name: string) {
    this.actions = actions;
    this.f = new FnBuilder(name, 1);
    this.source = Array.from({ length: words }, () => this.f.fresh());
  }

  build(): Fn {
    const { f } = this;
    const images = this.actions.map((a) => this.image(a));
    // Words that every symmetry leaves alone cannot differ.
    const moved = this.source.flatMap((_, w) => (images.some((i) => i.words[w]) ? [w] : []));
    const best = new Map(moved.map((w) => [w, f.fresh()]));
    const word = new Map(moved.map((w) => [w, f.fresh()]));
    const less = f.fresh();
    const body: St[] = this.source.map((n, w) => set(n, load(f.param(0), w * 4)));
    for (const w of moved) body.push(set(best.get(w)!, local(this.source[w]!)));
    for (const { before, words } of images) {
      const label = f.label();
      const steps: St[] = [...before, set(less, num(0))];
      for (const w of moved) {
        const [mine, least] = [local(word.get(w)!), local(best.get(w)!)];
        steps.push(set(word.get(w)!, words[w] ?? local(this.source[w]!)));
        const worse = bin("and", un("eqz", local(less)), bin("gt_u", mine, least));
        steps.push(brIf(worse, label));
        steps.push(set(less, bin("or", local(less), bin("lt_u", mine, least))));
      }
      steps.push(brIf(un("eqz", local(less)), label));
      for (const w of moved) steps.push(set(best.get(w)!, local(word.get(w)!)));
      body.push({ k: "block", label, body: steps });
    }
    for (const w of moved) body.push(store(f.param(0), w * 4, local(best.get(w)!)));
    return f.done(false, body, true);
  }

  /** The words of an image; none where the word stays what it is. */
  private image(action: Action): { before: St[]; words: (Ex | undefined)[] } {
    const before: St[] = [];
    const parts: Ex[][] = this.source.map(() => []);
    const plain = new Map<string, { from: number; to: number; by: number; mask: number }>();
    for (const m of action.moves) {
      if (m.map) {
        parts[m.to.word]!.push(bin("shl", this.mapped(m, before), num(m.to.shift)));
        continue;
      }
      const by = m.to.shift - m.from.shift;
      const name = `${m.from.word} ${m.to.word} ${by}`;
      const known = plain.get(name) ?? { from: m.from.word, to: m.to.word, by, mask: 0 };
      known.mask |= m.from.mask << m.from.shift;
      plain.set(name, known);
    }
    const stays = this.source.map((_, w) => parts[w]!.length === 0);
    for (const { from, to, by, mask } of plain.values()) {
      if (from !== to || by !== 0) stays[to] = false;
      const bits = bin("and", local(this.source[from]!), num(mask));
      parts[to]!.push(by >= 0 ? bin("shl", bits, num(by)) : bin("shr_u", bits, num(-by)));
    }
    for (const s of action.sorted) {
      for (const [at, entry] of this.sortedEntries(s, before).entries()) {
        const { word, shift } = s.to[at]!;
        stays[word] = false;
        parts[word]!.push(bin("shl", entry, num(shift)));
      }
    }
    const words = parts.map((own, w) =>
      stays[w] ? undefined : own.reduce((a, b) => bin("or", a, b)),
    );
    return { before, words };
  }

  private read({ word, shift, mask }: Bits): Ex {
    return bin("and", bin("shr_u", local(this.source[word]!), num(shift)), num(mask));
  }

  /** The image of a value, where it counts as one. */
  private mapped({ from, map, when }: Move, before: St[]): Ex {
    const value = this.f.fresh();
    before.push(set(value, this.read(from)));
    const image = lookup(map!, from.mask, local(value));
    if (!when || (when.elseZero && map![0] === 0)) return image;
    const there = this.f.fresh();
    before.push(set(there, this.read(when.bits)));
    return select(among(when.values, local(there)), image, local(value));
  }

  /** Entries in ascending order, empty ones last: a network of exchanges. */
  private sortedEntries({ entries, to }: SortedMove, before: St[]): Ex[] {
    const { f } = this;
    const locals = entries.map((moves, at) => {
      const parts = moves.map((m) => {
        const bits = m.map ? this.mapped(m, before) : this.read(m.from);
        return bin("shl", bits, num(m.to.shift - to[at]!.shift));
      });
      const entry = f.fresh();
      before.push(
        set(
          entry,
          parts.reduce((a, b) => bin("or", a, b)),
        ),
      );
      return entry;
    });
    const swap = f.fresh();
    const low = f.fresh();
    for (let end = locals.length - 1; end > 0; end--) {
      for (let at = 0; at < end; at++) {
        const [a, b] = [local(locals[at]!), local(locals[at + 1]!)];
        // Empty is 0: one less is the greatest of all.
        before.push(set(swap, bin("lt_u", bin("sub", b, num(1)), bin("sub", a, num(1)))));
        before.push(set(low, select(local(swap), b, a)));
        before.push(set(locals[at + 1]!, select(local(swap), a, b)));
        before.push(set(locals[at]!, local(low)));
      }
    }
    return locals.map((n) => local(n));
  }
}

/** The image of a value: a table in a word where it fits, else one comparison a value. */
function lookup(map: readonly number[], mask: number, value: Ex): Ex {
  const width = 32 - Math.clz32(mask);
  if (width * map.length <= 32) {
    const table = map.reduce((bits, to, v) => bits | (to << (v * width)), 0);
    const shift = bin("mul", value, num(width));
    return bin("and", bin("shr_u", num(table), shift), num(mask));
  }
  return map.reduce<Ex>(
    (rest, to, v) => (to === v ? rest : select(bin("eq", value, num(v)), num(to), rest)),
    value,
  );
}

/** Whether a number is one of these. */
function among(values: readonly number[], n: Ex): Ex {
  const words: number[] = [];
  for (const v of values) words[v >>> 5] = (words[v >>> 5] ?? 0) | (1 << (v & 31));
  const bit = (w: number): Ex => bin("and", bin("shr_u", num(words[w] ?? 0), n), num(1));
  let found: Ex = bit(words.length - 1);
  for (let w = words.length - 2; w >= 0; w--) {
    found = select(bin("lt_u", n, num((w + 1) * 32)), bit(w), found);
  }
  // Beyond the last word is none of them.
  return bin("and", found, bin("lt_u", n, num(words.length * 32)));
}
