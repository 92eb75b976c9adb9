// SPDX-License-Identifier: Apache-2.0
// Spans that overlap, each in the first row that is free.
import { MAX_NESTED } from "../../trace/limits.ts";
import type { Details, Lane, Timeline } from "./timeline.ts";

/** Spans that are open at one time. */
const MAX_OPEN = 8192;

type Place = Omit<Lane, "key">;

interface Open {
  readonly lane: Lane;
  readonly slot: number;
  readonly name: string;
  readonly from_ns: number;
  readonly details: Details;
}

export class Slots {
  readonly #out: Timeline;
  readonly #open = new Map<string, Open[]>();
  readonly #taken = new Map<string, Set<number>>();

  constructor(out: Timeline) {
    this.#out = out;
  }

  begin(place: Place, key: string, name: string, from_ns: number, details: Details): void {
    const path = `${place.group}/${place.name}/${place.row}`;
    const taken = this.#taken.get(path) ?? new Set();
    if (this.#open.size >= MAX_OPEN || taken.size >= MAX_NESTED) return;
    let slot = 1;
    while (taken.has(slot)) slot++;
    taken.add(slot);
    this.#taken.set(path, taken);
    const lane = { ...place, key: `${path} ${slot}`, row: `${place.row} ${slot}` };
    const list = this.#open.get(key) ?? [];
    list.push({ lane, slot, name, from_ns, details });
    this.#open.set(key, list);
  }

  /** The end of the last one of that key. */
  end(key: string, to_ns: number): void {
    const list = this.#open.get(key);
    const open = list?.pop();
    if (list?.length === 0) this.#open.delete(key);
    if (open !== undefined) this.#write(open, to_ns, true);
  }

  finish(to_ns: number): void {
    for (const list of this.#open.values()) for (const one of list) this.#write(one, to_ns, false);
    this.#open.clear();
  }

  #write({ lane, slot, name, from_ns, details }: Open, to_ns: number, ended: boolean): void {
    const path = lane.key.replace(/ \d+$/, "");
    const taken = this.#taken.get(path);
    taken?.delete(slot);
    if (taken?.size === 0) this.#taken.delete(path);
    const more = ended ? details : { ...details, unfinished: "its end is not recorded" };
    this.#out.span(lane, { name, from_ns, to_ns: Math.max(from_ns, to_ns), details: more });
  }
}
