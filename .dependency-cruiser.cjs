// SPDX-License-Identifier: Apache-2.0
// The layers of packages/shootdown/src: which folder may import which, and why.
//
//   base <- ir <- vocabulary <- hardware, kernel <- litmus, trace, live <- cost <- study <- report
//             <- engine <- explore                                     report <- api <- cli
//
// Every pair of folders not listed here is a forbidden edge. Test files are not cruised: they may
// look at anything. test/layers.test.ts proves that each forbidden edge is caught.

const SRC = "packages/shootdown/src";

/** Folder -> the folders it may import beside itself, and the reason it may import no others. */
const LAYERS = {
  base: [[], "base knows nothing: numbers, hashing, spans."],
  ir: [["base"], "The IR has no word of the field, so that every reader can read it."],
  vocabulary: [["base", "ir"], "The vocabulary is data of the IR; it knows no executor."],
  engine: [["base", "ir"], "The engine executes any program; it has no word of the field."],
  hardware: [
    ["base", "ir", "vocabulary"],
    "Hardware rules are data and know no kernel; the two meet in a scenario.",
  ],
  kernel: [
    ["base", "ir", "vocabulary"],
    "Kernel routines are data and know no machine; the two meet in a scenario.",
  ],
  explore: [["base", "ir", "engine"], "The search knows programs and states, not what they mean."],
  litmus: [
    ["base", "ir", "vocabulary", "hardware", "kernel", "engine"],
    "The reader of scenarios builds a model; searching it is someone else's work.",
  ],
  trace: [
    ["base", "ir", "vocabulary", "hardware", "kernel", "engine"],
    "The monitor judges events with the same rules and no search.",
  ],
  live: [
    ["base", "ir", "vocabulary", "hardware", "kernel", "engine"],
    "A live machine runs routines on a machine; what they are run for is someone else's question.",
  ],
  cost: [
    ["base", "ir", "vocabulary", "hardware", "kernel", "engine", "live", "trace/importers"],
    "Cost runs a model against time; of trace it reads recordings, not verdicts.",
  ],
  study: [
    [
      ...["base", "ir", "vocabulary", "hardware", "kernel", "engine"],
      ...["litmus", "explore", "trace", "live", "cost"],
    ],
    "A study combines the results of the tools; it does not reach below them.",
  ],
  report: [
    [
      ...["base", "ir", "vocabulary", "engine", "hardware", "kernel"],
      ...["explore", "litmus", "trace", "live", "cost", "study"],
    ],
    "Printers print results of the layers above them; nothing but the api calls a printer.",
  ],
  api: [
    [
      ...["base", "ir", "vocabulary", "engine", "hardware", "kernel"],
      ...["explore", "litmus", "trace", "live", "cost", "study", "report"],
    ],
    "The api is the one public door: it opens on everything except the shells.",
  ],
  cli: [["api"], "A shell is thin and goes through the public door, as any other user does."],
};

const allowed = (names) => names.map((name) => `${SRC}/${name}/`).join("|");

const layerRules = Object.entries(LAYERS).map(([folder, [mayImport, reason]]) => ({
  name: `layer-${folder}`,
  severity: "error",
  comment: `${reason} May import: ${mayImport.join(", ") || "nothing"}.`,
  from: { path: `^${SRC}/${folder}/` },
  to: { path: `^${SRC}/`, pathNot: `^(?:${allowed([folder, ...mayImport])})` },
}));

module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: "unknown-layer",
      severity: "error",
      comment: "A new folder needs a row in the table of .dependency-cruiser.cjs.",
      from: { path: `^${SRC}/`, pathNot: `^(?:${allowed(Object.keys(LAYERS))})` },
      to: {},
    },
    {
      name: "runs-anywhere",
      severity: "error",
      comment:
        "From base to api nothing imports node:* or a package, so that all of it runs in a " +
        "browser; files, workers and processes are handed in by the shells.",
      from: { path: `^${SRC}/`, pathNot: `^${SRC}/cli/` },
      to: { pathNot: `^${SRC}/` },
    },
    {
      name: "shells-stay-inside",
      severity: "error",
      comment: "What is shipped imports Node, packages and the api; no test, benchmark or script.",
      from: { path: `^${SRC}/cli/` },
      to: { pathNot: [`^${SRC}/`, "(^|/)node_modules/"], dependencyTypesNot: ["core"] },
    },
    {
      name: "no-circle",
      severity: "error",
      comment:
        "Files that run each other in a circle work or fail by the order of imports. Types may: " +
        "they are gone by then.",
      from: {},
      to: {
        circular: true,
        viaOnly: { dependencyTypesNot: ["type-only", "type-import"] },
      },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "\\.test\\.ts$" },
    detectProcessBuiltinModuleCalls: true,
    enhancedResolveOptions: { extensions: [".ts", ".js"], conditionNames: ["import", "default"] },
  },
};
