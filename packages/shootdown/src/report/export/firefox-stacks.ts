// SPDX-License-Identifier: Apache-2.0
// The tables that the markers of one thread of a Gecko profile point into: strings, frames, stacks.

export const FRAME_SCHEMA = {
  ...{ location: 0, relevantForJS: 1, innerWindowID: 2, implementation: 3, optimizations: 4 },
  ...{ line: 5, column: 6, category: 7, subcategory: 8 },
};
export const STACK_SCHEMA = { prefix: 0, frame: 1 };

/** Entries of each table; names beyond are dots, stacks beyond are left out. */
const MAX_ENTRIES = 65_536;

export class FirefoxStacks {
  readonly strings: string[] = ["..."];
  readonly frames: (string | number | boolean | null)[][] = [];
  readonly stacks: (number | null)[][] = [];
  readonly #texts = new Map<string, number>([["...", 0]]);
  readonly #frames = new Map<string, number>();
  readonly #stacks = new Map<string, number>();

  text(text: string): number {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.strings.length >= MAX_ENTRIES) return 0;
    const index = this.strings.push(text) - 1;
    this.#texts.set(text, index);
    return index;
  }

  /** The innermost function comes first; undefined if there is no room for it. */
  stack(functions: readonly string[]): number | undefined {
    let prefix: number | null = null;
    for (const name of [...functions].reverse()) {
      const frame = this.#frame(name);
      const key: string = `${prefix} ${frame}`;
      let index = this.#stacks.get(key);
      if (index === undefined) {
        if (this.stacks.length >= MAX_ENTRIES) return undefined;
        index = this.stacks.push([prefix, frame]) - 1;
        this.#stacks.set(key, index);
      }
      prefix = index;
    }
    return prefix ?? undefined;
  }

  #frame(name: string): number {
    const known = this.#frames.get(name);
    if (known !== undefined) return known;
    if (this.frames.length >= MAX_ENTRIES) return 0;
    const index = this.frames.push([this.text(name), false, 0, null, null, null, null, 0, 0]) - 1;
    this.#frames.set(name, index);
    return index;
  }
}
