// SPDX-License-Identifier: Apache-2.0
// `npm run fuzz -- [N] [--seed S]`: damages N lines (a million) of recordings in every format, and
// checks what must hold of every verdict; then inputs made to exhaust memory or time.
//
//   npm run fuzz                          a million lines, and the floods; the seed is printed
//   npm run fuzz -- 20000 --seed 7        fewer, and the same ones again
//   npm run fuzz -- floods                the floods alone
import { parseArgs } from "node:util";
import { type Flooded, floods, pour } from "../test/support/fuzz/floods.ts";
import { type FuzzResult, fuzz } from "../test/support/fuzz/fuzz.ts";

const MILLION = 1_000_000;
/** Size of one flood. */
const FLOOD_MB = 16;

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: { seed: { type: "string" }, only: { type: "string" }, mb: { type: "string" } },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
const lines = positionals[0] === "floods" ? 0 : Number(positionals[0] ?? MILLION);
let failed = false;

if (!Number.isSafeInteger(lines) || !Number.isSafeInteger(seed)) {
  process.stderr.write(
    "usage: npm run fuzz -- [N | floods] [--seed S] [--only FLOOD] [--mb SIZE]\n",
  );
  process.exitCode = 2;
} else {
  if (lines > 0) await mutations();
  if (values.seed === undefined || lines === 0 || lines >= MILLION) await drown();
  process.exitCode = failed ? 1 : 0;
}

async function mutations(): Promise<void> {
  process.stdout.write(`seed ${seed}\n`);
  let said = Date.now();
  const progress = ({ damaged, failures }: FuzzResult) => {
    if (Date.now() - said < 10_000) return;
    said = Date.now();
    process.stderr.write(`${damaged} lines damaged, ${failures.length} failures\n`);
  };
  const done = await fuzz({ seed, lines, progress });
  const { failures, ...counts } = done;
  process.stdout.write(`${JSON.stringify(counts, undefined, 1)}\n`);
  for (const one of failures) {
    failed = true;
    process.stdout.write(`FAILED ${one.sample} seed ${one.seed} (${one.kinds.join(", ")})\n`);
    process.stdout.write(`  ${one.what}\n`);
  }
  process.stdout.write(`${failures.length} failures in ${done.damaged} damaged lines\n`);
}

async function drown(): Promise<void> {
  for (const flood of floods) {
    if (values.only !== undefined && !flood.name.includes(values.only)) continue;
    const done: Flooded = await pour(flood, Number(values.mb ?? FLOOD_MB) * 1e6);
    const rate = ((done.seconds * 1000) / (done.bytes / 1e6)).toFixed(0);
    const evicted = Object.keys(done.evicted).join(" ");
    process.stdout.write(
      `${flood.name.padEnd(44)} status ${done.status} ${rate.padStart(6)} ms/MB ` +
        `${String(done.grown_mb).padStart(5)} MB grown  ${evicted}${done.cut ? " TOO SLOW" : ""}\n`,
    );
    for (const what of done.wrong) {
      failed = true;
      process.stdout.write(`  FAILED ${what}\n`);
    }
  }
}
