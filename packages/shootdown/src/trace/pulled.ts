// SPDX-License-Identifier: Apache-2.0
// What a reader hands out, taken one by one by somebody who reads something else beside it.

/** A queue of one piece of the input; the reader waits until it is taken. */
export class Pulled<T> {
  #items: T[] = [];
  #at = 0;
  #ended = false;
  #failure: { readonly reason: unknown } | undefined;
  #filled: () => void = () => undefined;
  #taken: () => void = () => undefined;

  /** @param read runs the reader with `put` for each item and `chunk` after each piece. */
  constructor(read: (put: (item: T) => void, chunk: () => Promise<void>) => Promise<unknown>) {
    const put = (item: T) => void this.#items.push(item);
    void read(put, () => this.#pause()).then(
      () => this.#end(),
      (reason: unknown) => {
        this.#failure = { reason };
        this.#end();
      },
    );
  }

  /** The next item, left where it is; undefined at the end. */
  async peek(): Promise<T | undefined> {
    while (this.#at >= this.#items.length && !this.#ended) {
      this.#items = [];
      this.#at = 0;
      const filled = new Promise<void>((resolve) => {
        this.#filled = resolve;
      });
      this.#taken();
      await filled;
    }
    if (this.#failure !== undefined) throw this.#failure.reason;
    return this.#items[this.#at];
  }

  /** Takes what `peek` returned. */
  take(): void {
    this.#at++;
  }

  async #pause(): Promise<void> {
    if (this.#items.length === 0) return;
    const taken = new Promise<void>((resolve) => {
      this.#taken = resolve;
    });
    this.#filled();
    await taken;
  }

  #end(): void {
    this.#ended = true;
    this.#filled();
  }
}
