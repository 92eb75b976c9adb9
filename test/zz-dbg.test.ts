import { test } from "vitest";
import { seededRandom } from "/work/main/packages/shootdown/src/base/random.ts";
import { Pair } from "/work/main/test/support/executors.ts";
import { randomSystem } from "/work/main/test/support/random-system.ts";
import { instrText } from "/work/main/packages/shootdown/src/engine/text.ts";
test("d", () => {
  const seed = Number(process.env.SEED), inst = process.env.INST === "1";
  const pair = new Pair(randomSystem(seededRandom(seed)), inst);
  const r = seededRandom(seed + 1);
  const orig = pair.open.step.bind(pair.open);
  (pair.open as any).step = (t: any, c: any) => { const at = t.kind==="thread"? pair.open.threads[t.index]!.pc : -1; const x = orig(t, c); if (x) console.log(t.kind, t.name, t.slot, JSON.stringify(c), at, "->", t.kind==="thread"? pair.open.threads[t.index]!.pc:""); return x; };
  try { for (let n = 0; n < 60 && pair.step(r); n++); } finally {
    for (const t of pair.program.threads) { console.log(t.name + "\n" + t.instrs.map((i, n) => n + " " + instrText(i)).join("\n")); }
    for (const t of pair.program.pending) { console.log(t.decl.name, t.key + "\n" + t.instrs.map((i, n) => n + " " + instrText(i)).join("\n")); }
    for (const t of pair.program.cells.flatMap(g=>g.instances)) { console.log(t.decl.name, t.key + "\n" + (t.fill?.instrs.map((i, n) => n + " " + instrText(i)).join("\n"))); }
  }
});
