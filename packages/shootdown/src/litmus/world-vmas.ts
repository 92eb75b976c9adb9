// SPDX-License-Identifier: Apache-2.0
// Whether one munmap is of several vmas: of such whose flags differ, or with a hole between them.

import type { Scenario } from "./ast.ts";
import type { InitialPlace } from "./places.ts";
import { countVerbs } from "./symbols.ts";
import type { Addresses } from "./world.ts";

/** As things are at the start. */
export function unmapsSeveral(
  scenario: Scenario,
  places: readonly InitialPlace[],
  addresses: Addresses,
): boolean {
  const several = (mm: string, from: string, to: string): boolean => {
    const [first, last] = [addresses.of.get(from)!, addresses.of.get(to)!];
    const vmas = new Set<string>();
    for (let va = first; va <= last; va++) {
      const place = places.find((p) => p.mm === mm && addresses.of.get(p.va) === va);
      vmas.add(place === undefined ? "none" : `${place.vma.writable}`);
    }
    return vmas.size > 1;
  };
  return scenario.bodies.some(
    ({ mm, statements }) =>
      mm !== undefined &&
      countVerbs(statements, ({ verb, args: [pages] }) => {
        if (verb.text !== "munmap" || pages?.kind !== "range") return false;
        return several(mm.text, pages.from.text, pages.to.text);
      }) > 0,
  );
}
