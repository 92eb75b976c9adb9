// SPDX-License-Identifier: Apache-2.0
// A workload: what tasks ask of their address spaces, in the order of time.
//
//   strace, perf trace, recording, generator ──► Workload ──► Operation, Operation ...

/** Addresses in bytes: multiples of 4096 below 2^48; the end is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export const ADVICE = [
  ...(["MADV_DONTNEED", "MADV_FREE", "MADV_REMOVE", "MADV_COLD", "MADV_PAGEOUT"] as const),
] as const;
export type Advice = (typeof ADVICE)[number];

/** What a task asks for, by the name of the system call; or what it, or a device, does. */
export type Call =
  | {
      readonly call: "mmap";
      readonly span: Span;
      readonly writable: boolean;
      /** False: PROT_NONE. */
      readonly accessible: boolean;
      readonly shared: boolean;
      readonly file: boolean;
      /** MAP_POPULATE. */
      readonly populate: boolean;
    }
  | { readonly call: "munmap"; readonly span: Span }
  | {
      readonly call: "mprotect";
      readonly span: Span;
      readonly writable: boolean;
      /** False: PROT_NONE. */
      readonly accessible: boolean;
    }
  | { readonly call: "madvise"; readonly span: Span; readonly advice: Advice }
  /** Moved; or, where both begin at one address, grown or shrunk. */
  | { readonly call: "mremap"; readonly from: Span; readonly to: Span }
  | { readonly call: "fork"; readonly child: number }
  | { readonly call: "exec" }
  /** Of the whole process. */
  | { readonly call: "exit" }
  /** The CPU uses every page once: page faults where there is need. */
  | { readonly call: "touch"; readonly span: Span; readonly write: boolean }
  /** A device uses every page once, by SVA. */
  | {
      readonly call: "device";
      readonly span: Span;
      readonly write: boolean;
      readonly device: number;
    }
  /** A buffer is mapped for DMA, `iova` in bytes if it is known. */
  | { readonly call: "dma_map"; readonly pages: number; readonly iova?: number }
  | { readonly call: "dma_unmap"; readonly pages: number; readonly iova?: number };

export interface Operation {
  /** When the task asks for it, since the workload began. */
  readonly at_ns: number;
  readonly tid: number;
  /** The process, whose address space it is. */
  readonly pid: number;
  readonly call: Call;
  /** Line of the input, from 1; 0 if there is none. */
  readonly line: number;
}

export interface Workload {
  readonly name: string;
  /** One line: what ran. */
  readonly title: string;
  /** Where it is from: program, version, how it was recorded; or the generator and its seed. */
  readonly provenance: string;
  /** What is taken to be so where the input does not say, such as which pages are populated. */
  readonly assumptions: readonly string[];
  /** Can be gone through more than once, with the same result. */
  readonly operations: Iterable<Operation>;
}
