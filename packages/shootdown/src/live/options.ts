// SPDX-License-Identifier: Apache-2.0
// What a program says of a live machine: its options, processes, devices and mappings.

export interface LiveOptions {
  /** `arm64+smmuv3+ats` */
  readonly machine: string;
  /** `linux-6.12` */
  readonly kernel: string;
  readonly knobs?: Readonly<Record<string, string>>;
  /** Number of CPUs, 1..64; default 2. */
  readonly cpus?: number;
}

/** A process: its mm. */
export interface Process {
  readonly name: string;
  readonly mm: number;
}

export interface Device {
  readonly name: string;
  readonly dev: number;
  readonly process: Process;
}

export interface MapOptions {
  /** Address; default: behind the last mapping. */
  readonly at?: number;
  /** Number of pages, default 1. */
  readonly pages?: number;
  /** What the entries permit now; default true. */
  readonly writable?: boolean;
  /** Written since it was mapped; default as `writable`. */
  readonly dirty?: boolean;
  /** Accessed since it was mapped or aged; default true. */
  readonly young?: boolean;
  /** What the vma permits; default true. */
  readonly vmaWritable?: boolean;
}
