// SPDX-License-Identifier: Apache-2.0
// The canonical text: printing and reading again gives the same scenario, for any scenario.

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatDiagnostic } from "../base/diagnostic.ts";
import type { Span } from "../base/span.ts";
import type { Arg, Expr, Item, Labels, Name, Scenario, Statement } from "./ast.ts";
import { looksLikeKey } from "./head.ts";
import { parseScenario } from "./parse.ts";
import { printScenario } from "./print.ts";
import {
  DEVICE_ATTRIBUTES,
  LABEL_KEYS,
  MAP_ATTRIBUTES,
  OBSERVATIONS,
  QUANTIFIERS,
  VMA_ATTRIBUTES,
} from "./words.ts";

const span: Span = { file: "f", line: 1, col: 1, offset: 0, end: 0 };
const MMS = ["A", "B", "mm-2"];
const PAGES = ["P", "Q", "zero", "writable"];
const ADDRESSES = ["x", "y", "z", "cached", "x_1"];
const DEVICES = ["D", "E", "map"];

const name = <T extends string>(text: T): Name<T> => ({ text, span });
const nameOf = <T extends string>(...texts: readonly T[]) => fc.constantFrom(...texts).map(name);
const mm = nameOf(...MMS);
const va = nameOf(...ADDRESSES);
const freeName = fc.stringMatching(/^[a-z_][A-Za-z0-9_]{0,6}(-[a-z0-9]{1,4})?$/).map((text) => {
  return name(["exists", "forall", "loop"].includes(text) ? "other" : text);
});

/** A range in the declared order. */
const vaRange = fc.tuple(fc.nat(4), fc.nat(4), fc.boolean()).map(([a, b, single]) => {
  const from = name(ADDRESSES[Math.min(a, b)]!);
  return single ? { from, span } : { from, to: name(ADDRESSES[Math.max(a, b)]!), span };
});
const place = fc.record({ kind: fc.constant("place" as const), mm, va, span: fc.constant(span) });

function attributes<G extends Record<string, readonly string[]>>(groups: G) {
  const fields = Object.entries(groups).map(([key, words]) => [key, nameOf(...words)]);
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] }) as fc.Arbitrary<object>;
}

const args: fc.Arbitrary<Arg> = fc.oneof(
  nameOf(...MMS, ...PAGES, ...ADDRESSES).map((n): Arg => ({ kind: "name", name: n, span })),
  place,
  fc.nat(65535).map((value): Arg => ({ kind: "number", value, span })),
  fc.tuple(vaRange, fc.option(mm)).map(([{ from, ...rest }, of]): Arg => {
    const to = "to" in rest ? rest.to : from;
    return { kind: "range", ...(of === null ? {} : { mm: of }), from, to, span };
  }),
);

const statement: fc.Arbitrary<Statement> = fc.letrec<{ one: Statement; many: Statement[] }>(
  (tie) => ({
    one: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constantFrom("load", "store").chain((verb) =>
        va.map((at): Statement => {
          const arg: Arg = { kind: "name", name: at, span };
          return { kind: "verb", verb: name(verb), args: [arg], span };
        }),
      ),
      fc.tuple(va, nameOf("r0", "r1")).map(([at, into]): Statement => {
        const arg: Arg = { kind: "name", name: at, span };
        return { kind: "verb", verb: name("load"), args: [arg], into, span };
      }),
      fc.tuple(place, nameOf(...PAGES, "none"), fc.boolean()).map(([at, page, old]): Statement => {
        const value: Arg = { kind: "name", name: page, span };
        const age: Arg = { kind: "name", name: name("old"), span };
        const words = old && page.text !== "none" ? [age] : [];
        return { kind: "verb", verb: name("set_pte"), args: [at, value, ...words], span };
      }),
      nameOf("VAE1IS", "VALE1").chain((op) =>
        fc.tuple(vaRange, mm).map(([{ from, ...rest }, of]): Statement => {
          const to = "to" in rest ? rest.to : from;
          const range: Arg = { kind: "range", mm: of, from, to, span };
          const args: Arg[] = [{ kind: "name", name: op, span }, range];
          return { kind: "verb", verb: name("tlbi"), args, span };
        }),
      ),
      fc.constantFrom("isb", "CMD_SYNC").map((verb): Statement => {
        return { kind: "verb", verb: name(verb), args: [], span };
      }),
      fc.option(mm).map((into): Statement => {
        const base = { kind: "verb" as const, verb: name("fork"), args: [], span };
        return into === null ? base : { ...base, into };
      }),
      fc.tuple(freeName, fc.array(args, { maxLength: 4 })).map(([routine, list]): Statement => {
        return { kind: "call", routine, args: list, span };
      }),
      tie("many").map((body): Statement => ({ kind: "loop", body, span })),
    ),
    many: fc.array(tie("one"), { maxLength: 4 }),
  }),
).one;

const expr: fc.Arbitrary<Expr> = fc.letrec<{ expr: Expr }>((tie) => ({
  expr: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.tuple(freeName, fc.array(args, { maxLength: 3 })).map(([property, list]): Expr => {
      return { kind: "atom", property, args: list, span };
    }),
    fc.tuple(place, fc.oneof(place, nameOf(...PAGES, "none"))).map(([left, right]): Expr => {
      const named = "text" in right;
      const value = named ? { kind: "name" as const, name: right, span } : right;
      return { kind: "equal", left, right: value, span };
    }),
    tie("expr").map((of): Expr => ({ kind: "not", of, span })),
    fc
      .tuple(
        fc.constantFrom("and" as const, "or" as const),
        fc.array(tie("expr"), { minLength: 2, maxLength: 4 }),
      )
      .map(([kind, parts]): Expr => {
        const flat = parts.flatMap((part) => (part.kind === kind ? part.parts : [part]));
        return { kind, parts: flat, span };
      }),
  ),
})).expr;

/** Declarations of every name, and then some that do not contradict each other. */
const items: fc.Arbitrary<Item[]> = fc
  .record({
    maps: fc.array(fc.tuple(mm, va, nameOf(...PAGES), attributes(MAP_ATTRIBUTES)), {
      maxLength: 6,
    }),
    vma: attributes(VMA_ATTRIBUTES),
    devices: fc.tuple(mm, attributes(DEVICE_ATTRIBUTES)),
    none: vaRange,
    count: fc.nat(65535),
  })
  .map(({ maps, vma, devices, none, count }) => {
    const declared: Item[] = [
      { kind: "va", names: ADDRESSES.map(name), span },
      { kind: "mm", names: MMS.map(name), span },
      { kind: "page", names: PAGES.slice(1).map(name), attributes: {}, span },
      { kind: "page", names: [name("P")], attributes: { content: name("zero") }, span },
      { kind: "free-frames", count: { kind: "number", value: count, span }, span },
    ];
    for (const device of DEVICES) {
      const [of, all] = devices;
      // Tables of its own exclude what is of an IOMMU.
      const words = "tables" in all ? { tables: all.tables } : all;
      declared.push({
        kind: "device",
        name: name(device),
        mm: of,
        attributes: words,
        cached: [],
        span,
      });
    }
    declared.push({ kind: "vma", pages: { mm: name("B"), ...none }, attributes: vma, span });
    for (const [of, at, page, words] of maps) {
      const to: Item = {
        kind: "map",
        place: { kind: "place", mm: of, va: at, span },
        page,
        attributes: words,
        span,
      };
      declared.push(to);
    }
    return declared;
  });

const value = fc.stringMatching(/^[A-Za-z0-9_.+-]{1,12}$/).map(name);
const expectations = fc.uniqueArray(
  fc
    .record({
      observation: nameOf(...OBSERVATIONS),
      machine: value,
      kernel: value,
      set: fc.uniqueArray(fc.record({ knob: value, value, span: fc.constant(span) }), {
        maxLength: 3,
        selector: (setting) => setting.knob.text,
      }),
    })
    .map((expectation) => ({ ...expectation, span })),
  { maxLength: 3, selector: (e) => JSON.stringify([e.machine, e.kernel, e.set]) },
);

const ids = fc.uniqueArray(fc.stringMatching(/^[A-Z][0-9]{1,2}$/), { minLength: 1, maxLength: 4 });
const labels = fc.record(
  Object.fromEntries(LABEL_KEYS.map((key) => [key, ids.map((list) => list.map((id) => name(id)))])),
  { requiredKeys: [] },
) as fc.Arbitrary<Labels>;

/** Words with `Result:` among them, but not where a paragraph begins. */
const paragraph = fc
  .array(
    fc.oneof(
      fc.stringMatching(/^[a-zA-Z,.;:*=<>-]{1,14}$/),
      fc.constantFrom("Result:", "machine=x", "(*x*)", "Results:", "Rules:", "bugs:", "silent"),
    ),
    { minLength: 1, maxLength: 40 },
  )
  .map((words) => ["This shows that", ...words.filter((word) => !/^\*+$/.test(word))].join(" "));

const scenario: fc.Arbitrary<Scenario> = fc
  .record({
    name: value,
    intent: fc
      .array(paragraph, { minLength: 1, maxLength: 3 })
      .map((paragraphs) => ({ paragraphs, span })),
    expectations,
    labels,
    kernels: fc.constant([]),
    items,
    bodies: fc
      .tuple(fc.array(statement, { maxLength: 5 }), fc.array(statement, { maxLength: 5 }))
      .map(([cpu, other]) => [
        { agent: name("CPU0"), mm: name("A"), statements: cpu, span },
        { agent: name("CPU11"), mm: name("B"), statements: other, span },
      ]),
    condition: fc
      .record({ quantifier: fc.constantFrom(...QUANTIFIERS), expr })
      .map((condition) => ({ ...condition, span })),
  })
  .map((parts) => ({ ...parts, span }));

/** The data without spans. */
function bare(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(bare);
  if (typeof node !== "object" || node === null) return node;
  const kept = Object.entries(node).filter(([key]) => key !== "span");
  return Object.fromEntries(kept.map(([key, child]) => [key, bare(child)]));
}

test("printing, then reading, gives the same scenario", () => {
  let read = 0;
  fc.assert(
    fc.property(scenario, (before) => {
      const text = printScenario(before);
      const result = parseScenario(text);
      if (!result.ok) {
        // Random attributes contradict each other; anything else is a fault of printer or reader.
        const allowed = ["L019"];
        const others = result.diagnostics.filter((d) => !allowed.includes(d.code));
        expect(others.map((d) => formatDiagnostic(d, text))).toEqual([]);
        return;
      }
      read++;
      expect(bare(result.scenario)).toEqual(bare(before));
      expect(printScenario(result.scenario)).toBe(text);
    }),
    { numRuns: 400, seed: 1 },
  );
  expect(read).toBeGreaterThan(40);
});

test("the text is the same for files that say the same", () => {
  const read = (text: string) => {
    const result = parseScenario(text);
    if (!result.ok) throw new Error(result.diagnostics.map((d) => d.message).join());
    return printScenario(result.scenario);
  };
  const one = read(`MM a (* One two three. *) { mm A;frame P; map A:x->P exclusive read-only ; }
    CPU0(A){loop{store x;load x;}}  exists((stuck(CPU0)/\\(a /\\ b))\\/~(~c))`);
  const other = read(`(* SPDX-License-Identifier: Apache-2.0 *)
    MM a
    (* One two
     * three.
     *)
    { mm A; page P; map A:x -> P read-only exclusive; }
    CPU0(A) { loop { store x; load x; } }  (* for ever *)
    exists (stuck(CPU0) /\\ a /\\ b \\/ ~~c)`);
  expect(one).toBe(other);
  expect(one).toBe(`MM a

(*
 * One two three.
 *)

{
  mm A;
  page P;
  map A:x -> P read-only exclusive;
}

CPU0(A) {
  loop {
    store x;
    load x;
  }
}

exists (stuck(CPU0) /\\ a /\\ b \\/ ~~c)
`);
});

test("without the head, what is run is printed", () => {
  const result = parseScenario("MM a (* One two three. *) { } CPU0 { } forall (a)");
  expect(result.ok && printScenario(result.scenario, { head: false })).toBe(
    "{\n}\n\nCPU0 {\n}\n\nforall (a)\n",
  );
});

test("a long paragraph never grows a Result line", () => {
  const words = Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? "Result:" : "x".repeat(i)));
  const text = `MM a (* It is ${words.join(" ")} *) { } CPU0 { } exists (a)`;
  const result = parseScenario(text);
  expect(result.ok).toBe(true);
  const again = result.ok ? parseScenario(printScenario(result.scenario)) : result;
  expect(again.ok && again.scenario.intent.paragraphs).toEqual([
    `It is ${words.filter(Boolean).join(" ")}`,
  ]);
  expect(looksLikeKey("results:")).toBe(true);
});
