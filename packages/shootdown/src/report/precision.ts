// SPDX-License-Identifier: Apache-2.0
// How precisely a kernel invalidates, as a table for a mail.
//
//   notifier                           calls    asked  dropped  all  for pages
//     ptep_clear_flush, page fault (write) ...
import { printable } from "../base/diagnostic.ts";
import type { PrecisionRow, PrecisionSide } from "../trace/precision-rows.ts";
import { columns, pad, wrapText } from "./columns.ts";
import { MAIL_WIDTH } from "./trace-finding.ts";

const TITLES: Readonly<Record<PrecisionSide, string>> = {
  notifier: "secondary TLBs, by mm notifiers",
  cpu: "CPUs",
  dma: "asked by the DMA API",
  smmu: "SMMU, by its commands",
  vtd: "Intel IOMMU, by its queue",
};
const LABEL = 32;
const WIDTHS = [7, 9, 9, 6, 11] as const;
const INDENT = 2;

/** Empty without any row. */
export function precisionLines(rows: readonly PrecisionRow[]): string[] {
  const sides = [...new Set(rows.map(({ side }) => side))];
  const lines = sides.flatMap((side) =>
    sideLines(
      side,
      rows.filter((row) => row.side === side),
    ),
  );
  if (lines.length === 0) return ["precision: nothing was invalidated in this recording"];
  return lines.map((line) => printable(line).trimEnd());
}

function sideLines(side: PrecisionSide, rows: readonly PrecisionRow[]): string[] {
  const all = rows.reduce(sum);
  const head = ["calls", "asked", "dropped", "all", "for pages"];
  return [
    line(TITLES[side], head),
    ...rows.flatMap((row) => rowLines(labelOf(row), row)),
    // On the other sides a call and what it makes are rows of their own.
    ...(side === "notifier" && rows.length > 1 ? rowLines("sum", all) : []),
    ...remarks(all),
    "",
  ];
}

const labelOf = ({ operation, during }: PrecisionRow): string =>
  during === null ? operation : `${operation}, ${during}`;

function rowLines(label: string, row: PrecisionRow): string[] {
  const known = row.pages_asked > 0 || row.unknown_pages === 0;
  const dropped = row.pages_invalidated + row.unknown_pages;
  const asks = row.side === "dma";
  const cells = [
    String(row.calls),
    known ? String(row.pages_asked) : "-",
    asks ? "-" : String(dropped),
    asks ? "" : String(row.whole),
    row.whole === 0 ? "" : row.whole_for_pages === 0 ? "-" : String(row.whole_pages_asked),
  ];
  const indented = " ".repeat(INDENT) + label;
  if (columns(indented) < LABEL) return [line(indented, cells)];
  const [first = "", ...rest] = wrapText(label, MAIL_WIDTH - INDENT);
  return [" ".repeat(INDENT) + first, ...rest.map((more) => `    ${more}`), line("", cells)];
}

function line(label: string, cells: readonly string[]): string {
  const right = cells.map((cell, at) => cell.padStart(WIDTHS[at]!)).join("");
  return pad(label, LABEL) + right;
}

/** What stands out, in sentences. */
function remarks(all: PrecisionRow): string[] {
  const { whole, whole_for_pages, whole_pages_asked, narrower, empty, idle, unknown } = all;
  const said = [
    ...some(
      whole_pages_asked === 0 ? 0 : whole_for_pages,
      `for everything, of ${whole}, for ${whole_pages_asked} pages that changed`,
    ),
    ...some(narrower, "for fewer pages than had changed: a block told as one page"),
    ...some(empty, "for an empty range, which an SMMU's driver takes for the whole ASID"),
    ...some(idle, "while no change that is recorded was waiting"),
    ...(all.side !== "notifier"
      ? []
      : some(
          unknown,
          `by address without a recorded reason: their ${all.unknown_pages} pages are in ` +
            "dropped, not in asked",
        )),
  ];
  return said.flatMap((text) =>
    wrapText(text, MAIL_WIDTH - INDENT).map((one) => " ".repeat(INDENT) + one),
  );
}

const some = (count: number, text: string): string[] =>
  count === 0 ? [] : [`${count} ${count === 1 ? "call" : "calls"} ${text}`];

function sum(a: PrecisionRow, b: PrecisionRow): PrecisionRow {
  const total: Record<string, unknown> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    if (typeof value === "number") total[key] = (a[key as keyof PrecisionRow] as number) + value;
  }
  return total as unknown as PrecisionRow;
}
