// SPDX-License-Identifier: Apache-2.0
// `shootdown replay WITNESS`: runs a witness again on the concrete semantics and shows each step.

import { openSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import {
  drawing,
  type OpenWalk,
  openReplay,
  openWitnessWalk,
  PerfettoTimeline,
  type Problem,
  problem,
  type ShownWitness,
  type WitnessFile,
  witnessBlocks,
  witnessLines,
  writeWitness,
} from "../api/index.ts";
import { type ExportTarget, exportTargets, OutputFile } from "./export-files.ts";
import { htmlOf } from "./export-html.ts";
import { explain, InputError, readInput } from "./files.ts";
import { addCommon, type CommonOptions, collect, reportAll, USAGE } from "./options.ts";
import { columnsOf, out, paintFor, say } from "./output.ts";

const EXAMPLES = `
WITNESS is a file that \`check --witness DIR\` wrote; it holds the scenario and
needs nothing else. With --step, Enter goes on and q ends.

Examples:
  shootdown check upgrade.litmus --kernel linux-6.1 --witness w
  shootdown replay w/upgrade.arm64+smmuv3.linux-6.1.hafdbs=no.httu=no.w.json
  shootdown replay --step -v w/upgrade*.json
  shootdown replay --export html=stuck.html --export perfetto=stuck.pftrace W.json
  shootdown replay -q --export svg=stuck.svg W.json

Exit status: 0 the run shows what the witness claims, 1 it does not, 2 usage or
input error (also a witness of another version of the model).`;

interface Options extends CommonOptions {
  readonly step?: boolean;
  readonly export?: readonly string[];
}

const EXPORTS = ["perfetto", "html", "svg"] as const;
type Export = (typeof EXPORTS)[number];

export function register(command: Command): void {
  addCommon(command.argument("<witness>"), ["text", "ndjson"])
    .option("--step", "one step at a time, in a terminal")
    .option("--export <format=file>", "perfetto=FILE, html=FILE or svg=FILE (repeatable)", collect)
    .addHelpText("after", EXAMPLES)
    .action(replay);
}

async function replay(path: string, options: Options): Promise<void> {
  const opened = read(path);
  const { targets, wrong } = exportTargets(options.export ?? [], [path], EXPORTS);
  if (!opened.ok || wrong.length > 0) {
    reportAll([...wrong, ...(opened.ok ? [] : opened.problems)], options.format);
    process.exitCode = USAGE;
    return;
  }
  const { witness, shown } = opened;
  const unwritten = targets.flatMap((target) => exportWitness(witness, target));
  if (unwritten.length > 0) reportAll(unwritten, options.format);
  process.exitCode = unwritten.length > 0 ? USAGE : shown.confirmed ? 0 : 1;
  if (options.format === "ndjson") return ndjson(shown);
  if (!options.quiet) heading(witness);
  if (options.step) return step(shown, options);
  const style = {
    width: columnsOf(process.stdout),
    paint: paintFor(options.color, process.stdout),
  };
  const lines = witnessLines(shown, { ...style, statements: options.verbose ?? false });
  out(lines.map((l) => `${l}\n`).join(""));
}

function read(path: string): ReturnType<typeof openReplay> {
  try {
    const name = path === "-" ? "<stdin>" : path;
    return openReplay(new TextDecoder().decode(readInput({ path, name })), name);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { ok: false, problems: [problem(error.message, { file: error.path })] };
  }
}

/** What kept a file from being written. */
function exportWitness(witness: WitnessFile, { format, path }: ExportTarget<Export>): Problem[] {
  const text = JSON.stringify(witness);
  const walked = openWitnessWalk(text);
  if (!walked.ok) return [...walked.problems];
  const { walk } = walked;
  if (format === "svg" && walk.length > drawing.SVG_STEPS_MAX) {
    return [problem(`a run of ${walk.length} steps is no picture`, { file: path })];
  }
  try {
    const file = new OutputFile(path, openSync(path, "w"));
    if (format === "html") {
      const home = fileURLToPath(new URL("./explorer/", import.meta.url));
      file.write(new TextEncoder().encode(htmlOf(home, { witness: text })));
    } else if (format === "svg") {
      file.write(new TextEncoder().encode(svgOfWalk(walk)));
    } else {
      const steps = stepsOf(walk);
      writeWitness(steps, walk.lanes, new PerfettoTimeline(file), walk.repeats_from);
    }
    if (file.close()) return [];
    return [problem("the export is not complete", { file: path })];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return [problem(explain(error), { file: path })];
  }
}

const stepsOf = (walk: OpenWalk) =>
  Array.from({ length: walk.length }, (_, n) => walk.staged(n + 1));

function svgOfWalk(walk: OpenWalk): string {
  const { test, property, machine, kernel } = walk.of;
  return drawing.svgOf({
    ...{ steps: stepsOf(walk), lanes: walk.lanesUsed, machine },
    repeats_from: walk.repeats_from ?? null,
    title: `${test}: ${property} on ${machine}, ${kernel}`,
  });
}

function heading({ test, property, machine, kernel, knobs, drop }: WitnessFile): void {
  const isRule = (knob: string) => knob.startsWith("rule ");
  const set = Object.entries(knobs).filter(([k]) => !machine.includes(k) && !isRule(k));
  const said = set.map(([k, v]) => `${k}=${v}`).join(" ");
  const removed = [...(drop === undefined ? [] : [drop]), ...Object.keys(knobs).filter(isRule)];
  const without = removed.length === 0 ? "" : `, without ${removed.join(", ")}`;
  out(`${test}: ${property} on ${machine}, ${kernel}${without}\n${said}\n\n`);
}

function ndjson(shown: ShownWitness): void {
  const line = (object: unknown) => out(`${JSON.stringify(object)}\n`);
  for (const s of shown.steps) line({ type: "step", repeats: false, ...s });
  for (const s of shown.cycle) line({ type: "step", repeats: true, ...s });
  const { test, machine, kernel, knobs, property, why, confirmed, steps, cycle } = shown;
  const counts = { steps: steps.length, repeating: cycle.length };
  line({ type: "summary", test, machine, kernel, knobs, property, ...counts, why, confirmed });
}

/** Waits for Enter before each step; anywhere but in a terminal there is nobody to wait for. */
async function step(shown: ShownWitness, options: Options): Promise<void> {
  const style = {
    width: columnsOf(process.stdout),
    paint: paintFor(options.color, process.stdout),
  };
  const { head, steps, end } = witnessBlocks(shown, { ...style, statements: true });
  const print = (lines: readonly string[]) => out(lines.map((l) => `${l}\n`).join(""));
  print([head]);
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    say("shootdown: --step waits for keys only in a terminal");
    print([...steps.flat(), ...end]);
    return;
  }
  const keys = createInterface({ input: process.stdin, terminal: false });
  const answers = keys[Symbol.asyncIterator]();
  for (const block of steps) {
    print(block);
    const answer = await answers.next();
    if (answer.done === true || answer.value.trim() === "q") return keys.close();
  }
  print(end);
  keys.close();
}
