import { readFileSync } from "node:fs";
import { planAudit, auditPair, knownViolations } from "/tmp/wt/audit/packages/shootdown/src/api/audit.ts";
const step = Number(process.argv[2] ?? 40), from = Number(process.argv[3] ?? 7);
const plan = planAudit({ kernels: ["linux-6.12"], machines: ["arm64+smmuv3+ats"], operations: [], set: {} });
if (!plan.ok) throw new Error();
const known = knownViolations(readFileSync("docs/FINDINGS.md", "utf8"), "x").known;
const g = plan.groups[0]!;
const clock = () => performance.now() / 1000;
const t0 = clock(); let runs = 0, states = 0, n = 0;
const out: string[] = [];
for (let i = from; i < g.pairs.length; i += step) {
  const [a, b] = g.pairs[i]!;
  const l = auditPair({ kernel: g.kernel, machine: g.machine, a, b, set: g.set, known, explain: false }, clock);
  runs += l.runs; states += l.states; n++;
  out.push([a, b, l.verdict, l.properties.join(","), l.states, l.runs].join(" "));
  if (process.argv[4]) console.log(a, b, l.verdict, l.states, l.runs, l.seconds);
}
if (process.argv[5]) (await import("node:fs")).writeFileSync(process.argv[5], out.join("\n") + "\n");
console.log(g.pairs.length, "pairs", n, "runs", runs, "states", states, "s", (clock() - t0).toFixed(2), "per run", ((clock() - t0) / runs).toFixed(3));
const T = (globalThis as any).T; const list = T.list; delete T.list; console.log(T);
const b = [500,1000,2000,5000,10000,20000,50000,1e9];
for (const k of ["s","c"]) console.log(k, b.map((m,i)=>{const l=list.filter((x:any)=>x[0]===k&&x[1]<m&&x[1]>=(b[i-1]??0)); return m+":"+l.length+"/"+l.reduce((n:number,x:any)=>n+x[2],0).toFixed(0)}).join("  "));
