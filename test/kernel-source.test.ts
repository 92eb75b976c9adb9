// SPDX-License-Identifier: Apache-2.0
// Routines and the kernel functions that they were read from, where the source is installed.

import { describe, expect, test } from "vitest";
import { inVersions } from "../packages/shootdown/src/ir/kernel.ts";
import { DEFINITIONS, READ } from "../packages/shootdown/src/kernel/kernels.ts";
import { definitionsIn, hashOf, hasKernelTree, isKernelFile } from "./support/kernel-source.ts";

const present = READ.filter(hasKernelTree);
const absent = READ.filter((v) => !hasKernelTree(v));
const title =
  absent.length === 0 ? "source" : `source (${absent.join(", ")} skipped: no linux-source)`;

/** What is read of a kernel, once for each place that says so. */
const routines = DEFINITIONS.filter((d) => isKernelFile(d.source.file));

describe(title, () => {
  test.each(present)("of %s: every routine has the hash of the functions it names", (version) => {
    const wrong = routines.flatMap((d) => {
      if (!inVersions(d.kernels, version)) return [];
      const hash = hashOf(d.name, d.source, version);
      if (typeof hash !== "string") {
        return [`${d.name}: no ${hash.join(", ")} in ${d.source.file} of ${version}`];
      }
      const recorded = d.source.sha?.[version];
      return recorded === hash
        ? []
        : [`${d.name}: ${version} has "${hash}", recorded ${recorded ?? "nothing"}`];
    });
    expect(wrong).toEqual([]);
  });

  test("no hash is of a version that a routine does not have, or that was not read", () => {
    const wrong = DEFINITIONS.flatMap((d) =>
      Object.keys(d.source.sha ?? {})
        .filter(
          (v) => !READ.includes(v) || !inVersions(d.kernels, v) || !isKernelFile(d.source.file),
        )
        .map((v) => `${d.name}: ${v}`),
    );
    expect(wrong).toEqual([]);
  });
});

test("what no version that was read has names the commits that it is made after", () => {
  const unread = routines.filter((d) => !READ.some((v) => inVersions(d.kernels, v)));
  const silent = unread.filter((d) => d.source.commits === undefined).map((d) => d.name);
  expect(unread.length).toBeGreaterThan(0);
  expect(silent).toEqual([]);
});

test("definitions are found behind return types, annotations and macros, calls are not", () => {
  const text = `
int f(int a);
static vm_fault_t f(struct vm_fault *vmf)
	__releases(vmf->ptl)
{
	return g(1);
}

static void
g(int (*h)(int))
{
	f(2);
}

#define h(x) \\
	f(x)
`;
  const firstLines = (name: string) => definitionsIn(text, name).map((d) => d.split("\n")[0]);
  expect(firstLines("f")).toEqual(["static vm_fault_t f(struct vm_fault *vmf)"]);
  expect(firstLines("g")).toEqual(["g(int (*h)(int))"]);
  expect(definitionsIn(text, "h")).toEqual(["#define h(x) \\\n\tf(x)"]);
  expect(definitionsIn(text, "vmf")).toEqual([]);
});
