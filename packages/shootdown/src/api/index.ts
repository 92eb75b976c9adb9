// SPDX-License-Identifier: Apache-2.0
// The one public door of the library: it only re-exports, and has no effect of its own.
//
//   parseScenario(text)          is it a scenario, and what does it say
//   checkScenario(text, ...)     every run of it searched, one result each
//   checkLitmus(text, ...)       a litmus test of herd: its final states and the verdict
//   checkTrace(bytes, ...)       a recording of a real kernel, judged line by line
//   openRecord({ ... })          what records one: scripts for tracefs, trace-cmd, bpftrace
//   openReplay(witness)          a counterexample, run again step by step
//   openWalk(text, ...)          a run on foot: all that can happen next, one of it, back
//   runScenario(text, ...)       one run of it, every event
//   openMachine({ ... })         map, access, unmap; ask what each TLB, IOTLB and ATC holds
//   listNames(kind), showName(name)   what the model is made of
//
// Nothing here reads files, the clock or the network: callers hand in text, bytes and a clock.

export { printable, quote } from "../base/diagnostic.ts";
export { suggestion } from "../base/suggest.ts";
export { type HelperStart, type Helpers, help, helperEnded } from "../explore/fast/team.ts";
export { DEFAULT_BYTES_MAX } from "../explore/search.ts";
export type { Scenario } from "../litmus/ast.ts";
export { MAX_SOURCE_BYTES } from "../litmus/source.ts";
export {
  type Device,
  type LiveMachine,
  type LiveOptions,
  type MapOptions,
  openMachine,
  PAGE_SIZE,
  type Process,
} from "../live/live.ts";
export type { Completion, Task } from "../live/task.ts";
export {
  type AuditSummary,
  auditStatus,
  auditSummary,
  groupText,
  matrixText,
  type PairLine,
  pairText,
  summaryText,
} from "../report/audit.ts";
export { problemLine } from "../report/check-ndjson.ts";
export { coloured, cutTo, type Paint, plain, type Tone, wrapText } from "../report/columns.ts";
export { NO_MEMORY } from "../report/covered.ts";
export * as drawing from "../report/drawing/index.ts";
export { FirefoxTimeline } from "../report/export/firefox.ts";
export { PerfettoTimeline } from "../report/export/perfetto.ts";
export { TimelineRecorder } from "../report/export/recorder.ts";
export type { ByteSink, Part, PartedSink } from "../report/export/timeline.ts";
export { writeWitness } from "../report/export/witness-rows.ts";
export {
  type MutantLine,
  type MutateSummary,
  mutantText,
  mutateStatus,
  mutateSummary,
  mutateText,
} from "../report/mutate.ts";
export { precisionLines } from "../report/precision.ts";
export {
  offerLines,
  type RecordSources,
  recordNdjson,
  recordSummary,
} from "../report/record.ts";
export {
  type CheckedFile,
  type CheckResult,
  type CheckRun,
  type CheckSummary,
  CheckTally,
  checkStatus,
  ENGINES,
  type Engine,
  type Expected,
  type LitmusMode,
  type LitmusResult,
  type Observed,
  type Problem,
  type Reporter,
  SEMANTICS,
  type Semantics,
  type WitnessFile,
} from "../report/result.ts";
export { type RunReport, type RunStyle, runNdjson, runText } from "../report/run.ts";
export type { ShownStep, ShownWitness } from "../report/shown.ts";
export { summaryLines } from "../report/trace.ts";
export { findingLines } from "../report/trace-finding.ts";
export { FindingGroups } from "../report/trace-groups.ts";
export type { WhyPart } from "../report/why.ts";
export { type WitnessStyle, witnessBlocks, witnessLines } from "../report/witness.ts";
export { AUDIT_MACHINES } from "../study/audit.ts";
export type { DifferenceKind, Pair } from "../study/beside.ts";
export type { Outcomes as KnownOutcomes } from "../study/check.ts";
export type { KnownViolation } from "../study/findings.ts";
export type { Message, Staged } from "../study/lanes.ts";
export type { WitnessStep } from "../study/player.ts";
export type {
  CacheView,
  HeldView,
  QueueView,
  RegionView,
  StateView,
  TableView,
  ThreadView,
  ValueView,
} from "../study/state-view.ts";
export { checkTrace, type TraceOptions } from "../trace/check.ts";
export {
  FINDING_CLASSES,
  type Finding,
  type TraceResult,
  type TraceSummary,
  traceStatus,
} from "../trace/finding.ts";
export { PAGE_SIZES } from "../trace/granule.ts";
export type { DirectSource } from "../trace/importers/bytes.ts";
export { type TraceObserver, together } from "../trace/observer.ts";
export { Precision } from "../trace/precision.ts";
export { offersStatus } from "../trace/record/offer.ts";
export { checkRecording, type RecordingFile } from "../trace/recording.ts";
export {
  type AuditGroup,
  type AuditJob,
  type AuditPlan,
  type AuditSelection,
  auditPair,
  knownViolations,
  planAudit,
  type ShownPair,
  showPair,
} from "./audit.ts";
export {
  type CheckOptions,
  checkScenario,
  type OpenCheck,
  type OpenResult,
  openCheck,
  type ParseResult,
  parseScenario,
} from "./check.ts";
export { checkLitmus, LITMUS_MODES, type LitmusOpened, type LitmusOptions } from "./litmus.ts";
export {
  explainedMutants,
  type MutateJob,
  type MutatePlan,
  mutateRoutine,
  planMutation,
  type ScenarioText,
} from "./mutate.ts";
export {
  listNames,
  listStatements,
  NAME_KINDS,
  type Named,
  type NameKind,
  type ShownName,
  type ShownRule,
  type ShowResult,
  type StatementName,
  showName,
} from "./names.ts";
export {
  DEFAULT_KERNEL,
  DEFAULT_MACHINE,
  type PlannedRun,
  type Selection,
  selectionProblems,
} from "./plan.ts";
export { problem } from "./problem.ts";
export {
  openRecord,
  RECORD_FORMS,
  type RecordForm,
  type RecordRequest,
  type RecordResult,
  recordLines,
} from "./record.ts";
export { openReplay, type ReplayResult } from "./replay.ts";
export { CHECK_FORMATS, type CheckFormat, checkReporter, type ReportOptions } from "./report.ts";
export { type RunOpened, type RunOptions, runScenario } from "./run.ts";
export {
  type Reduction,
  reductionsNamed,
  type Searching,
  type SearchingOptions,
  searchingOf,
} from "./searching.ts";
export {
  OpenWalk,
  openWalk,
  openWitnessWalk,
  type ShownBeside,
  type ShownDifference,
  type ShownMove,
  type StagedStep,
  type WalkOf,
  type WalkOpened,
  type WalkOptions,
} from "./walk.ts";

/** The version of this package. */
export const version: string = __SHOOTDOWN_VERSION__;

export type { Placement, SideOptions } from "../cost/compare.ts";
export { DMA_MODES, type DmaMode } from "../cost/dma.ts";
export { type Plot, plotsOf } from "../cost/plots.ts";
export type { Profile } from "../cost/profile.ts";
export { PROFILES } from "../cost/profiles.ts";
export { asExpected, type Validation, validate } from "../cost/validate.ts";
export type { Workload } from "../cost/workload.ts";
export { POPULATED, type Populated } from "../cost/workloads/address-space.ts";
export { SHIPPED as SHIPPED_WORKLOADS, shippedNamed } from "../cost/workloads/shipped.ts";
export type { CacheEntry } from "../live/view.ts";
export {
  type CostStyle,
  costNdjson,
  footLines,
  profileLines,
  workloadLines,
} from "../report/cost.ts";
export {
  type CostOfWorkload,
  type CostReport,
  costHtml,
  costSections,
} from "../report/export/cost-html.ts";
export { COST_SECTIONS_STYLE, COST_STYLE } from "../report/export/cost-style.ts";
export { VALIDATION_HEAD, validationLines, validationNdjson } from "../report/validation.ts";
export { type RunEvent, type RunResult, runOnce } from "../study/run.ts";
export { type Calibrated, calibrateProfile } from "./calibrate.ts";
export {
  COST_KERNELS,
  type CostPlan,
  type CostSelection,
  costOf,
  openProfile,
  type ProfileOpened,
  planCost,
  readWorkload,
  type WorkloadOpened,
} from "./cost.ts";
