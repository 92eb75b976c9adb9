// SPDX-License-Identifier: Apache-2.0
// Break-before-make by several CPUs, and towards an SMMU that hears no broadcasts.

import { expect, test } from "vitest";
import { DICTIONARY } from "../litmus/dictionary.ts";
import { parseScenario } from "../litmus/parse.ts";
import { Checker } from "../study/check.ts";
import { configure } from "../study/configuration.ts";

interface Programs {
  readonly cpu0: string;
  readonly cpu1?: string;
  readonly device?: boolean;
}

/** What a search says of `break_before_make`, where x gets another page. */
function observed({ cpu0, cpu1, device = false }: Programs, machine: string): string {
  const text = [
    "MM break-before-make",
    "(* An entry in use gets another page. *)",
    "{ mm A; page P, Q; map A:x -> P;",
    device ? "device D in A; }" : "}",
    `CPU0(A) { ${cpu0} }`,
    cpu1 === undefined ? "" : `CPU1(A) { ${cpu1} }`,
    device ? "D { load x -> r0; }" : "",
    "exists (break_before_make)",
  ].join("\n");
  const parsed = parseScenario(text, { dictionary: DICTIONARY });
  const found = configure(machine, "linux-6.12", { hafdbs: "no" });
  if (!parsed.ok || !found.ok) throw new Error(JSON.stringify(parsed.ok ? found : parsed));
  const options = { limits: { states_max: 100_000, bytes_max: 2 ** 28 }, dependsOn: false };
  const checker = new Checker(parsed.scenario, new Map());
  return checker.check(found.configuration, { ...options, semantics: "window" }).observed;
}

const FLUSH = "dsb ISHST; tlbi VALE1IS x; dsb ISH;";

test("one CPU: invalid, ordered, flushed, complete", () => {
  expect(observed({ cpu0: `set_pte x none; ${FLUSH} set_pte x Q;` }, "arm64")).toBe("never");
  const unflushed = "set_pte x none; dsb ISH; set_pte x Q;";
  expect(observed({ cpu0: unflushed }, "arm64")).toBe("always");
});

test("another CPU goes on where its own store came after the first one", () => {
  const cpu0 = "set_pte x none; signal cleared;";
  const cpu1 = (seen: string) => `await cleared; ${seen} ${FLUSH} set_pte x Q;`;
  expect(observed({ cpu0, cpu1: cpu1("set_pte x none;") }, "arm64")).toBe("never");
  // Who has stored nothing there has ordered nothing.
  expect(observed({ cpu0, cpu1: cpu1("") }, "arm64")).toBe("always");
});

test("a DSB completes the TLBIs of its own CPU alone", () => {
  const cpu0 = "set_pte x none; dsb ISHST; tlbi VALE1IS x; signal sent;";
  const cpu1 = "await sent; dsb ISH; set_pte x Q;";
  expect(observed({ cpu0, cpu1 }, "arm64")).toBe("always");
});

test("an SMMU that hears no broadcasts is told by a command that is complete", () => {
  const cpu0 = (told: string) => `set_pte x none; ${FLUSH} ${told} set_pte x Q;`;
  const of = (told: string, machine: string) =>
    observed({ cpu0: cpu0(told), device: true }, machine);
  expect(of("", "arm64+smmuv3")).toBe("always");
  expect(of("CMD_TLBI_NH_VA x;", "arm64+smmuv3")).not.toBe("never");
  expect(of("CMD_TLBI_NH_VA x; CMD_SYNC;", "arm64+smmuv3")).toBe("never");
});
