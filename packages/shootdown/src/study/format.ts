// SPDX-License-Identifier: Apache-2.0
// How values of the field are written in witnesses and runs: `P rw`, `none`, `table(A,0)`.

import type { Formatter } from "../engine/describe.ts";
import { nameOf } from "../engine/program.ts";
import { wordLayout } from "../engine/word.ts";
import { desc, entry_kind } from "../vocabulary/descriptor.ts";
import { pfn, table } from "../vocabulary/sorts.ts";

/** Descriptors as frame and permission; everything else by its name. */
export const formatValue: Formatter = (sort, value, domain) => {
  if (sort !== desc) return undefined;
  const layout = wordLayout(desc, domain);
  const bit = (name: string) => layout.get(value, name) === 1;
  const kind = entry_kind.values[layout.get(value, "kind")] ?? "none";
  if (!bit("valid") && kind === "none") return "none";
  if (bit("table")) return nameOf(table, layout.get(value, "next"), domain);
  const frame = nameOf(pfn, layout.get(value, "pfn"), domain);
  const permission = !bit("DBM") ? "ro" : bit("RDONLY") ? "rw-clean" : "rw";
  const marks = [bit("AF") ? "" : " old", bit("DIRTY") && permission === "ro" ? " dirty" : ""];
  const leaf = `${frame} ${permission}${marks.join("")}`;
  return bit("valid") ? leaf : `${kind}(${leaf})`;
};
