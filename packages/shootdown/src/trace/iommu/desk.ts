// SPDX-License-Identifier: Apache-2.0
// What the IOMMU's monitors say to the outside.
import type { FindingChange, FindingClass } from "../finding.ts";
import type { RawEvent } from "../importers/raw-event.ts";
import type { Span } from "../obligation.ts";

export interface IommuFinding extends Span {
  readonly class: FindingClass;
  readonly at: RawEvent;
  /** The function or descriptor it is about. */
  readonly operation: string;
  readonly message: string;
  /** The rule that says what was expected: "V3". */
  readonly rule: string;
  /** The domain, by its id or by what names it in the recording. */
  readonly domain: string | undefined;
  /** "01:00.0". */
  readonly device?: string | undefined;
  readonly deadline_line?: number;
  readonly deadline_time?: number;
  readonly change?: FindingChange;
}

export interface IommuDesk {
  finds(finding: IommuFinding): void;
  /** No verdict, and why; `line` is where. */
  undecided(why: string, line: number, count?: number): void;
  /** A limit was reached, and something forgotten. */
  evicted(limit: string): void;
}
