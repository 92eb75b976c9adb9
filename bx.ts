import { AUDIT_KNOBS, operationsOf, pairMachine } from "./packages/shootdown/src/study/audit.ts";
import { Checker } from "./packages/shootdown/src/study/check.ts";
import { configure } from "./packages/shootdown/src/study/configuration.ts";
import { excluded, pairScenarios } from "./packages/shootdown/src/study/pair.ts";
import { parseScenario } from "./packages/shootdown/src/litmus/parse.ts";
import { worldOf } from "./packages/shootdown/src/litmus/world.ts";
import { DICTIONARY } from "./packages/shootdown/src/litmus/dictionary.ts";
const found = configure("arm64+smmuv3+ats", "linux-6.12", {}); if (!found.ok) throw 1;
const c = { ...found.configuration, knobs: { ...AUDIT_KNOBS, ...found.configuration.knobs } };
const m = pairMachine(c); const ops = operationsOf(c.kernel);
const A = process.argv[2]!.split(","), Bs = process.argv[3]!.split(","), K = Number(process.argv[4] ?? 4);
const opt = { semantics: "window", engine: "auto", reductions: ["collapse"], dependsOn: false, whether: true, limits: { states_max: 2_000_000, bytes_max: 2 ** 30 } } as const;
const outcomes = new Map();
let total = 0, runs = 0; const t0 = performance.now();
for (const a of A) {
  const oa = ops.find((o) => o.name === a)!;
  const all = Bs.map((b) => ops.find((o) => o.name === b)!).filter((b) => excluded(oa, b, m) === undefined);
  for (let i = 0; i < all.length; i += Math.max(1, K)) {
    const groups = new Map<string, any[]>();
    for (const b of all.slice(i, i + Math.max(1, K))) for (const s of pairScenarios(oa, b, m)) {
      const p = parseScenario(s.text, { dictionary: DICTIONARY }); if (!p.ok) throw 2;
      const w = worldOf(p.scenario);
      const key = (K === 0 ? runs + s.text : "") + s.question + JSON.stringify([w.domain, p.scenario.bodies.map((x: any) => [x.agent.text, x.mm?.text])]);
      groups.set(key, [...(groups.get(key) ?? []), { b: b.name, s, scenario: p.scenario }]);
    }
    for (const [key, g] of groups) {
      const t = performance.now();
      const ch = new Checker(g[0].scenario, outcomes, g.slice(1).map((x) => x.scenario));
      const v = ch.check(c, opt as any);
      total += v.states; runs++;
      if (process.env.V) console.log(a, g.map((x) => x.b + ":" + x.s.placement[0] + x.s.start.slice(0,4)).join(" "), g[0].s.question, v.observed, v.limit ?? "", v.states, ((performance.now() - t) / 1000).toFixed(2));
    }
  }
}
console.log("total states", total, "runs", runs, "s", ((performance.now() - t0) / 1000).toFixed(1));
