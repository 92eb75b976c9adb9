// SPDX-License-Identifier: Apache-2.0
// Fields of an event as numbers and as yes or no.
import type { RawEvent } from "./raw-event.ts";
import { toNumber } from "./word64.ts";

/** The value of `key` where it is an exact number. */
export function number(at: RawEvent, key: string): number | undefined {
  const word = at.word(key);
  return word === undefined ? undefined : toNumber(word);
}

/** Whether the value of `key` is not zero. */
export function flag(at: RawEvent, key: string): boolean | undefined {
  const value = number(at, key);
  return value === undefined ? undefined : value !== 0;
}
