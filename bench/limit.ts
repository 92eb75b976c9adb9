// SPDX-License-Identifier: Apache-2.0
// The module that a search runs in WebAssembly as C, with what limit.c must know of it.
//
// Steps and storing are the same code for both; what the host does between calls is written a
// second time in limit.c. So the difference is what WebAssembly and its compiler cost.

import type { StepUnit } from "../packages/shootdown/src/engine/compiled/unit.ts";
import { PAGE_BYTES } from "../packages/shootdown/src/engine/target/code.ts";
import type { FastOptions } from "../packages/shootdown/src/explore/fast/explore.ts";
import { moduleOf } from "../packages/shootdown/src/explore/fast/module.ts";
import {
  ALL,
  CHUNK,
  CODE,
  chunkBytes,
  LIST,
  OWN,
  ownOf,
  planOf,
  tableStart,
} from "../packages/shootdown/src/explore/fast/plan.ts";
import { writeC } from "./c.ts";

/** Everything but limit.c itself. */
export function writeLimit(unit: StepUnit, initial: Int32Array, options: FastOptions): string {
  if (unit.free !== undefined) throw new Error("limit.c knows no free steps");
  const plan = planOf(unit, {
    ...{ latches: options.latches ?? [], ends: false, canon: [], origins: false },
    ...{ threads: 1, shared: false },
  });
  const module = moduleOf(unit, plan, [], options.bytes_max);
  const own = ownOf(plan, 0);
  const defines = {
    ...prefixed("ALL", plan.all, ALL),
    ...prefixed("OWN", own, OWN),
    ...prefixed("LIST", 0, LIST),
    ...prefixed("CHUNK", 0, CHUNK),
    ...prefixed("CODE", 0, CODE),
    ...{ ME: own, BUFFER: own + plan.buffer, WORDS: plan.words, SLOT: plan.slot },
    ...{ CHUNK_BYTES: chunkBytes(plan), TABLE_START: tableStart(plan), DATA_AT: unit.base },
    PAGE_BYTES,
  };
  const numbers = (values: Int32Array) => (values.length > 0 ? values.join(", ") : "0");
  return [
    writeC(module),
    ...Object.entries(defines).map(([name, value]) => `#define ${name} ${value}u`),
    `static const int32_t initial[] = { ${numbers(initial)} };`,
    `static const int32_t data[] = { ${numbers(unit.data)} };`,
    `#define DATA_WORDS ${unit.data.length}u`,
    "",
  ].join("\n");
}

function prefixed(prefix: string, base: number, places: Readonly<Record<string, number>>) {
  return Object.fromEntries(
    Object.entries(places).map(([name, at]) => [`${prefix}_${name.toUpperCase()}`, base + at]),
  );
}
