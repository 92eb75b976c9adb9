// SPDX-License-Identifier: Apache-2.0
// What is offered where somebody types: what fits there, the model's and the scenario's own names.

import { listNames, listStatements } from "shootdown";
import { expect, test } from "vitest";
import { completionsAt } from "./complete.ts";

const words = {
  names: (["machines", "kernels", "knobs", "routines", "properties"] as const).flatMap(listNames),
  statements: listStatements(),
};

/** Labels at the mark `|`, and the word that they stand for. */
function at(marked: string): { readonly labels: string[]; readonly typed: string } {
  const place = marked.indexOf("|");
  const text = marked.replace("|", "");
  const found = completionsAt(text, place, words);
  const labels = found?.all.map((c) => c.label) ?? [];
  return { labels, typed: found ? text.slice(found.from, place) : "" };
}

const SCENARIO = `MM t
{
  mm A;
  page P;
  map A:x -> P;
  device D in A;
}
kernel mine since linux-6.6 {
}
`;

test("machines, kernels, knobs and their values, in a Result line", () => {
  expect(at(" * Result: N|")).toMatchObject({ typed: "N" });
  expect(at(" * Result: N|").labels).toEqual(expect.arrayContaining(["Never", "machine="]));
  const machine = at(" * Result: Never machine=arm|");
  expect(machine.typed).toBe("arm");
  expect(machine.labels).toContain("arm64+smmuv3");
  const part = at(" * Result: Never machine=arm64+smmuv3+b| kernel=linux-6.1");
  expect(part.typed).toBe("b");
  expect(part.labels).toEqual(expect.arrayContaining(["btm", "ats"]));
  expect(part.labels).not.toContain("smmuv3");
  expect(at(" * Result: Never kernel=linux|").labels).toContain("linux-6.1");
  const overlay = at(`${SCENARIO} Result: Never kernel=linux-6.12+|`);
  expect(overlay.labels).toEqual(expect.arrayContaining(["mine", "no-notifier", "btm-on"]));
  expect(at(" * Result: Never set=ha|").labels).toContain("hafdbs=");
  expect(at(" * Result: Never set=hafdbs=|").labels).toEqual(["no", "yes"]);
  expect(at(" * Result: Never set=atcSnoopOrder=b|")).toEqual({
    ...{ labels: ["after-tlb", "before-tlb"], typed: "b" },
  });
});

test("statements, routines and own names in a program; properties in a condition", () => {
  const body = at(`${SCENARIO}CPU0(A) { mprot| }`);
  expect(body.typed).toBe("mprot");
  expect(body.labels).toEqual(
    expect.arrayContaining(["mprotect", "store", "try_to_unmap_one", "x", "A", "P", "D"]),
  );
  const condition = at(`${SCENARIO}CPU0(A) { store x; }\nexists (stu|`);
  expect(condition.labels).toEqual(expect.arrayContaining(["stuck", "lost_write", "D", "CPU0"]));
  expect(condition.labels).not.toContain("mprotect");
  expect(completionsAt("MM t\n(* words of a com", 20, words)).toBeNull();
});
