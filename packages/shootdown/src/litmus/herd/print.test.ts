// SPDX-License-Identifier: Apache-2.0
// Final states: how they are printed and what they say of the condition.

import { expect, test } from "vitest";
import { stateOf } from "../../../../../test/support/herd-states.ts";
import { DESCRIPTOR_DEFAULTS, type Fault, type HerdTest, type Value } from "./ast.ts";
import { holds, observationOf, verdictOf } from "./judge.ts";
import { printState, printStates, printValue } from "./print.ts";
import { readHerdTest } from "./read.ts";

function ask(question: string): HerdTest {
  const code = "P0 | P1 ; L0: LDR W0,[X1] | L1:L2: LDR W0,[X1] ;";
  const result = readHerdTest(`AArch64 T\nEL0=P1\n{ 0:X1=x; 1:X1=x; }\n${code}\n${question}`);
  if (!result.ok) throw new Error(result.diagnostics[0]!.message);
  return result.test;
}

const int = (value: number): Value => ({ k: "int", value: BigInt(value) });
const fault = (parts: Partial<Fault>): Fault => ({
  ...{ thread: 0, label: undefined, location: "x", pte: false, type: "Translation" },
  ...parts,
});

test("values", () => {
  const desc = { ...DESCRIPTOR_DEFAULTS, oa: "y" };
  const all = { ...desc, af: 0, db: 0, dbm: 1, valid: 0, el0: 0, attrs: ["Normal", "NC"] };
  expect(printValue({ k: "desc", desc })).toBe("(oa:PA(y))");
  expect(printValue({ k: "desc", desc: all })).toBe(
    "(oa:PA(y), af:0, db:0, dbm:1, valid:0, el0:0, attrs:(Normal, NC))",
  );
  expect(printValue({ k: "desc", desc: { ...all, oa: undefined, attrs: [] } })).toBe(
    "(af:0, db:0, dbm:1, valid:0, el0:0)",
  );
  expect(printValue(int(-1))).toBe("-1");
  expect(printValue({ k: "int", value: (1n << 64n) - 2n })).toBe("-2");
  expect(printValue({ k: "va", name: "x" })).toBe("x");
  expect(printValue({ k: "pa", name: "x" })).toBe("PA(x)");
  expect(printValue({ k: "pte", name: "x" })).toBe("PTE(x)");
  expect(printValue({ k: "label", thread: 1, label: "L0" })).toBe('label:"P1:L0"');
});

test("locations in herd's order, each once", () => {
  const herd = ask("locations [pte_x;y;1:X2;] exists (1:X10=1 /\\ [a]=0 /\\ 1:W2=1 /\\ 0:X9=x)");
  const state = stateOf({ registers: { "1:X10": int(7) }, data: { y: { k: "va", name: "x" } } });
  expect(printState(herd, state)).toBe(
    "0:X9=0; 1:X2=0; 1:X10=7; [a]=0; [y]=x; [PTE(x)]=(oa:PA(x));",
  );
});

test("faults: those taken forwards, the others backwards", () => {
  const herd = ask("exists (fault(P0,x) /\\ fault(P1:L1) /\\ ~fault(P1:L2,pte_x))");
  expect(printState(herd, stateOf({}))).toBe(
    "  ~Fault(P1:L2,PTE(x)); ~Fault(P1:L1); ~Fault(P0,x);",
  );
  const one = stateOf({ faults: [fault({ label: "L0" }), fault({ location: "y" })] });
  expect(printState(herd, one)).toBe(
    " Fault(P0:L0,x,D-MMU:Translation); ~Fault(P1:L2,PTE(x)); ~Fault(P1:L1);",
  );
  const two = [fault({ thread: 1, label: "L1", pte: true, type: "Permission" }), fault({})];
  expect(printState(herd, stateOf({ faults: two }))).toBe(
    " Fault(P0,x,D-MMU:Translation); Fault(P1:L1,PTE(x),D-MMU:Permission,EL0);",
  );
});

test("a fault asked for by type is printed so", () => {
  const herd = ask("exists fault(P0,x,MMU:Permission)");
  const faults = [fault({ type: "Permission" }), fault({})];
  expect(printState(herd, stateOf({ faults }))).toBe(" Fault(P0,x,MMU:Permission);");
  expect(printState(herd, stateOf({ faults: [fault({})] }))).toBe("  ~Fault(P0,x,MMU:Permission);");
});

test("states that print alike are one", () => {
  const state = (n: number) => stateOf({ registers: { "0:X0": int(n) } });
  expect(printStates(ask("exists 0:X0=1"), [state(2), state(1), state(2)])).toEqual([
    "0:X0=1;",
    "0:X0=2;",
  ]);
});

test("conditions", () => {
  const desc: Value = { k: "desc", desc: { ...DESCRIPTOR_DEFAULTS, oa: "x", af: 0 } };
  const registers = { "0:X0": int(1), "0:X1": int(2 ** 32 + 1), "1:X2": desc, "1:X3": int(1) };
  const state = stateOf({ registers, faults: [fault({ label: "L0" })] });
  const says = (text: string) =>
    holds(ask(`exists ${text}`), ask(`exists ${text}`).condition, state);
  expect(says("0:X0=1 /\\ ~0:X0=2 /\\ not (0:X0=x)")).toBe(true);
  expect(says("0:X0=2 \\/ 0:X0=1")).toBe(true);
  expect([says("0:W1=1"), says("0:X1=1")]).toEqual([true, false]);
  expect([says("0:X0=1:X3"), says("0:X0=[y]")]).toEqual([true, false]);
  expect([says("1:X2=(oa:PA(x),af:0)"), says("1:X2=(oa:PA(x))")]).toEqual([true, false]);
  expect([says("pte_x=(db:1)"), says("pte_x=(db:0)")]).toEqual([true, false]);
  expect([says("fault(P0:L0,x)"), says("fault(P1,x)"), says("fault(P0,y)")]).toEqual([
    ...[true, false, false],
  ]);
  expect([says("fault(P0,x,MMU)"), says("fault(P0,x,MMU:Permission)")]).toEqual([true, false]);
});

test("observations and verdicts", () => {
  const states = [0, 1].map((n) => stateOf({ registers: { "0:X0": int(n) } }));
  const of = (question: string) => {
    const herd = ask(question);
    const observation = observationOf(herd, states);
    return [observation, verdictOf(herd, observation)];
  };
  expect(of("exists 0:X0=2")).toEqual(["Never", "Forbidden"]);
  expect(of("exists 0:X0=1")).toEqual(["Sometimes", "Allowed"]);
  expect(of("exists 0:X1=0")).toEqual(["Always", "Allowed"]);
  expect(of("~exists 0:X0=2")).toEqual(["Never", "Forbidden"]);
  expect(of("~exists 0:X0=1")).toEqual(["Sometimes", "Allowed"]);
  expect(of("forall 0:X0=1")).toEqual(["Sometimes", "Allowed"]);
  expect(of("forall 0:X1=0")).toEqual(["Always", "Required"]);
  expect(of("forall 0:X1=1")).toEqual(["Never", "Forbidden"]);
});
