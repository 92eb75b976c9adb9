// SPDX-License-Identifier: Apache-2.0
// How the choices inside a step are made: by a script, one combination after another, or freely.

import { Chooser } from "./chooser.ts";

/** One of `count` >= 1 alternatives, 0..count-1. */
export type Decide = (count: number) => number;

interface Outer {
  readonly chooser: Chooser;
  readonly script: readonly number[] | undefined;
  readonly free: Decide | undefined;
  readonly at: number;
  readonly taken: number;
}

export class Choices {
  /** Choices of the run being made: alternatives by number, cell entries by value. */
  readonly taken: number[] = [];
  private chooser = new Chooser();
  private script: readonly number[] | undefined;
  private free: Decide | undefined;
  private at = 0;
  private lost = false;

  /** Runs follow exactly these choices. */
  follow(script: readonly number[]): void {
    this.script = script;
    this.free = undefined;
    this.begin();
  }

  /** Runs choose as `decide` says. */
  ask(decide: Decide): void {
    this.script = undefined;
    this.free = decide;
    this.begin();
  }

  /** The first run takes the first alternatives; `advance` moves on. */
  enumerate(): void {
    this.script = undefined;
    this.free = undefined;
    this.chooser.start();
    this.begin();
  }

  /** Moves to the next combination; false when all were tried, or none but one is asked for. */
  advance(): boolean {
    if (this.script || this.free || !this.chooser.advance()) return false;
    this.begin();
    return true;
  }

  /** Whether the run used up its script and found there what it needed. */
  get followed(): boolean {
    return !this.script || (!this.lost && this.at === this.script.length);
  }

  decide(count: number): number {
    const wanted = this.next();
    if (wanted !== undefined && wanted >= count) this.lost = true;
    const choice = wanted === undefined ? this.pick(count) : Math.min(wanted, count - 1);
    this.taken.push(choice);
    return choice;
  }

  /** Position of one of the values; -1 if the script asks for another. */
  decideValue(values: readonly number[]): number {
    const wanted = this.next();
    let at = 0;
    if (wanted !== undefined) at = values.indexOf(wanted);
    else if (values.length > 1) at = this.pick(values.length);
    if (at < 0) this.lost = true;
    else this.taken.push(values[at]!);
    return at;
  }

  /** Sets the choices aside for an enumeration inside a step; give the result to `unnest`. */
  nest(): Outer {
    const { chooser, script, free, at } = this;
    const outer = { chooser, script, free, at, taken: this.taken.length };
    this.chooser = new Chooser();
    this.script = undefined;
    this.free = undefined;
    this.chooser.start();
    return outer;
  }

  unnest(outer: Outer): void {
    this.chooser = outer.chooser;
    this.script = outer.script;
    this.free = outer.free;
    this.at = outer.at;
    this.taken.length = outer.taken;
  }

  /** Moves a nested enumeration to its next combination. */
  advanceNested(): boolean {
    return this.chooser.advance();
  }

  private begin(): void {
    this.taken.length = 0;
    this.at = 0;
    this.lost = false;
  }

  private next(): number | undefined {
    if (!this.script) return undefined;
    const wanted = this.script[this.at++];
    if (wanted === undefined) this.lost = true;
    return wanted ?? 0;
  }

  private pick(count: number): number {
    return this.free ? this.free(count) : this.chooser.choose(count);
  }
}
