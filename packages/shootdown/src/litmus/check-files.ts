// SPDX-License-Identifier: Apache-2.0
// What declarations of files' pages cannot say: an entry that is absent, a page of two kinds.

import { quote } from "../base/diagnostic.ts";
import type { MapItem } from "./ast.ts";
import type { Diagnostics } from "./codes.ts";
import type { InitialPlace } from "./places.ts";

/** Words about an entry; one that is absent has none. */
const OF_ENTRIES = ["dirtiness", "age", "ownership", "scope", "group", "size"] as const;

/** Each place with the `map` that it was declared by. */
export function checkFiles(
  places: readonly { readonly place: InitialPlace; readonly map: MapItem }[],
  zero: ReadonlySet<string>,
  out: Diagnostics,
): void {
  const first = new Map<string, { readonly isFile: boolean; readonly map: MapItem }>();
  for (const { place, map } of places) {
    if (out.full) return;
    const { presence } = map.attributes;
    const wrong = (at: { readonly span: MapItem["span"] }, message: string, why: string) =>
      out.report("L019", at.span, message, why);
    if (presence && place.vma.backing !== "file") {
      wrong(presence, "'absent' where no file has the page", "add 'file'");
    }
    const said = OF_ENTRIES.map((group) => map.attributes[group]).find((word) => word);
    if (presence && said) wrong(said, `${quote(said.text)} of an absent entry`, "leave it out");
    const name = map.page.text;
    const isFile = place.cached !== undefined;
    if (isFile && zero.has(name)) {
      wrong(map.page, `${quote(name)} is the zero page, and of no file`, "map another page");
    }
    const other = first.get(name);
    if (other && other.isFile !== isFile) {
      const note = { message: "of the other kind here", span: other.map.page.span };
      out.report("L019", map.page.span, `${quote(name)} is a page of a file, and anonymous`, note);
    }
    first.set(name, other ?? { isFile, map });
  }
}
