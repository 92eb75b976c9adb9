// SPDX-License-Identifier: Apache-2.0
// Arithmetic on sweeps: many repetitions of a loop body computed at once, as far as they agree.
//
//   span [0, keys)   distances from the first element for which everything computed so far holds
//
// An operation whose result is no sweep over the whole span cuts the span to the part where it is;
// one element is always left, so every operation succeeds.

import type { Sweep } from "./open-value.ts";

export const ONE_KEY = 1;

/** A number that is the same in every repetition. */
export const still = (base: number): Sweep => ({ base, slope: 0, phase: 0, every: 1 });

const sweep = (base: number, slope: number, phase: number, every: number): Sweep => {
  return { base, slope, phase, every };
};

/** The sweep that begins `by` keys further on. */
export function shifted(s: Sweep, by: number): Sweep {
  if (s.slope === 0) return s;
  const phase = s.phase + by;
  const steps = Math.floor(phase / s.every);
  return sweep(s.base + s.slope * steps, s.slope, phase % s.every, s.every);
}

export class Span {
  /** Exclusive bound of the distances, >= 1. */
  keys = ONE_KEY;

  cut(keys: number): void {
    if (keys < this.keys) this.keys = Math.max(ONE_KEY, keys);
  }

  /** Cuts the span to where the sweep has its first value, and gives that. */
  hold(s: Sweep): number {
    if (s.slope !== 0) this.cut(s.every - s.phase);
    return s.base;
  }

  /** Cuts the span to where a condition that holds or fails for the first value stays so. */
  truth(s: Sweep): boolean {
    return this.hold(s) !== 0;
  }

  /** Cuts the span to the first `steps` values of a sweep with a slope. */
  private steps(s: Sweep, steps: number): void {
    this.cut(steps * s.every - s.phase);
  }

  /** Cuts the span to where the sweep stays within 0..max; whether its first value is. */
  within(s: Sweep, max: number): boolean {
    if (s.base < 0 || s.base > max) return false;
    if (s.slope > 0) this.steps(s, Math.floor((max - s.base) / s.slope) + 1);
    else if (s.slope < 0) this.steps(s, Math.floor(s.base / -s.slope) + 1);
    return true;
  }

  add(a: Sweep, b: Sweep): Sweep {
    const base = a.base + b.base;
    if (b.slope === 0) return sweep(base, a.slope, a.phase, a.every);
    if (a.slope === 0) return sweep(base, b.slope, b.phase, b.every);
    if (a.phase === b.phase && a.every === b.every) {
      return sweep(base, a.slope + b.slope, a.phase, a.every);
    }
    return still(this.hold(a) + this.hold(b));
  }

  times(a: Sweep, by: number): Sweep {
    return by === 0 ? still(0) : sweep(a.base * by, a.slope * by, a.phase, a.every);
  }

  sub(a: Sweep, b: Sweep): Sweep {
    return this.add(a, this.times(b, -1));
  }

  mul(a: Sweep, b: Sweep): Sweep {
    if (b.slope === 0) return this.times(a, b.base);
    if (a.slope === 0) return this.times(b, a.base);
    return still(this.hold(a) * this.hold(b));
  }

  div(a: Sweep, b: Sweep): Sweep {
    const by = this.hold(b);
    if (a.slope === 0) return still(Math.trunc(a.base / by));
    if (a.slope === 1 && a.base >= 0 && by >= 1) {
      const phase = (a.base % by) * a.every + a.phase;
      return { base: Math.floor(a.base / by), slope: 1, phase, every: a.every * by };
    }
    return still(Math.trunc(this.hold(a) / by));
  }

  /** a === b */
  same(a: Sweep, b: Sweep): boolean {
    if (a.slope === 0 && b.slope === 0) return a.base === b.base;
    const d = this.sub(a, b);
    if (d.slope === 0) return d.base === 0;
    if (d.base === 0) {
      this.steps(d, 1);
      return true;
    }
    const meets = -d.base / d.slope;
    if (meets > 0 && Number.isInteger(meets)) this.steps(d, meets);
    return false;
  }

  /** a < b */
  less(a: Sweep, b: Sweep): boolean {
    if (a.slope === 0 && b.slope === 0) return a.base < b.base;
    const d = this.sub(a, b);
    const holds = d.base < 0;
    if (holds && d.slope > 0) this.steps(d, Math.ceil(-d.base / d.slope));
    if (!holds && d.slope < 0) this.steps(d, Math.floor(d.base / -d.slope) + 1);
    return holds;
  }

  /** The bits [offset, offset + width) of a number. */
  bits(s: Sweep, offset: number, width: number): Sweep {
    const unit = 2 ** offset;
    const size = 2 ** width;
    const first = still(Math.floor(s.base / unit) % size);
    if (s.slope === 0 || s.slope % (unit * size) === 0) return first;
    if (s.slope > 0 && s.slope % unit === 0) {
      const field = sweep(first.base, s.slope / unit, s.phase, s.every);
      this.within(field, size - 1);
      return field;
    }
    // Something below the field advances: up to where it carries into the field.
    if (s.slope > 0 && s.slope < unit) {
      this.within(sweep(s.base % unit, s.slope, s.phase, s.every), unit - 1);
      return first;
    }
    this.hold(s);
    return first;
  }
}

/** The sum of `count` values, `stride` keys apart, of a sweep that changes with every key. */
export function total(s: Sweep, count: number, stride: number): number {
  return s.base * count + (s.slope * stride * count * (count - 1)) / 2;
}
