// SPDX-License-Identifier: Apache-2.0
// What the command and its workers say to each other; plain data, one job a scenario file.
//
//   command ──job────► worker
//           ◄─opened── its runs are known
//           ◄─running─ one of them is being made, and how far it is
//           ◄─known─── its verdict is known, what that depends on is not yet
//           ◄─help──── a search is long: another worker may help
//           ◄─result── one is made
//           ◄─done──── all are made, or why not
//           ──help───► help the search of another worker
//           ◄─helped── that search is over

import type {
  AuditJob,
  CheckOptions,
  CheckResult,
  CheckRun,
  HelperStart,
  LitmusResult,
  MutateJob,
  Problem,
} from "../api/index.ts";

/** Options that can be sent. */
export type JobOptions = Omit<
  CheckOptions,
  "clock" | "progress" | "herd_progress" | "known" | "helpers"
>;

export interface Job {
  readonly id: number;
  readonly input: Uint8Array;
  readonly options: JobOptions;
  /** How many other workers there may be. */
  readonly others: number;
}

/** What a worker is asked to do. */
export type Task = { readonly job: Job } | { readonly help: HelperStart };

/** What a worker is asked to find out for a study: one small thing. */
export type StudyTask =
  /** `cache`: a folder of outcomes of searches. */
  { readonly audit: AuditJob; readonly cache?: string } | { readonly mutate: MutateJob };

export interface StudyMessage {
  readonly study: StudyTask;
  /** Its number, for the answer. */
  readonly n: number;
}

/** A run by its names. */
export interface RunName {
  readonly test: string;
  readonly property: string;
  readonly machine: string;
  readonly kernel: string;
  readonly set: Readonly<Record<string, string>>;
  readonly expected: CheckResult["run"]["expected"];
  readonly line: number | null;
}

/** How far the search is that is being made. */
export interface Far {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  readonly queue: number;
  readonly bytes: number;
}

export interface Running {
  /** A run, or the name of a test of herd. */
  readonly name: RunName | string;
  readonly far: Far;
  /** States a second, lately. */
  readonly rate: number;
  /** Since the run began. */
  readonly seconds: number;
}

export type Message = { readonly id: number } & (
  | {
      readonly says: "opened";
      readonly test: string;
      readonly property: string;
      readonly runs: number;
      readonly common: Readonly<Record<string, string>>;
    }
  | { readonly says: "litmus"; readonly result: LitmusResult }
  | { readonly says: "problems"; readonly problems: readonly Problem[] }
  | { readonly says: "running"; readonly running: Running }
  /** Of the run being made: all but what it depends on. */
  | { readonly says: "known"; readonly run: CheckRun }
  | { readonly says: "help"; readonly start: HelperStart }
  | { readonly says: "helped" }
  | { readonly says: "result"; readonly result: CheckResult }
  | { readonly says: "done" }
  /** A mistake of the program. */
  | { readonly says: "crash"; readonly message: string; readonly stack: string }
);

/** In place of the number of a job, in what a helper says. */
export const HELPER = -1;
