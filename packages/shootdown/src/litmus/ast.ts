// SPDX-License-Identifier: Apache-2.0
// A scenario as plain data: what the file says, a span for every name, no default filled in.
//
//   Scenario ── name
//            ├─ intent          paragraphs of the head comment
//            ├─ expectations    its `Result:` lines
//            ├─ labels          its `Rules:`, `Cells:`, `Silent:` and `Bug:` lines
//            ├─ kernels         kernel buggy { in wp_page_copy: drop 12; }
//            ├─ items           { mm A; page P; map A:x -> P; ... }
//            ├─ bodies          CPU0(A) { store x; }   D { load x; }
//            └─ condition       exists (stuck(D))

import type { Span } from "../base/span.ts";
import type { MemberSyntax } from "../ir/text/syntax.ts";
import type {
  DEVICE_ATTRIBUTES,
  LabelKey,
  MAP_ATTRIBUTES,
  Observation,
  PAGE_ATTRIBUTES,
  Quantifier,
  VMA_ATTRIBUTES,
} from "./words.ts";

export interface Scenario {
  readonly name: Name;
  readonly intent: Intent;
  readonly expectations: readonly Expectation[];
  /** What the scenario is evidence of; absent keys have no line. */
  readonly labels: Labels;
  /** Edits of the kernel, in the order of the text. */
  readonly kernels: readonly KernelBlock[];
  readonly items: readonly Item[];
  readonly bodies: readonly Body[];
  readonly condition: Condition;
  readonly span: Span;
}

/** A word that somebody chose, or a word of the language where several are possible. */
export interface Name<T extends string = string> {
  readonly text: T;
  readonly span: Span;
}

/** Each paragraph is one line, its words separated by single spaces. */
export interface Intent {
  readonly paragraphs: readonly string[];
  readonly span: Span;
}

/** `Result: Never  machine=arm64+smmuv3  kernel=linux-6.12  set=httu=no` */
export interface Expectation {
  readonly observation: Name<Observation>;
  readonly machine?: Name;
  readonly kernel?: Name;
  readonly set: readonly Setting[];
  readonly span: Span;
}

/** `Rules: A3, A21`: ids of the hardware notes, by the word that begins the line. */
export type Labels = { readonly [K in LabelKey]?: readonly Name[] };

/** `set=KNOB=VALUE` */
export interface Setting {
  readonly knob: Name;
  readonly value: Name;
  readonly span: Span;
}

/** At most one word of each group. */
export type Attributes<G extends Record<string, readonly string[]>> = {
  readonly [K in keyof G]?: Name<G[K][number]>;
};

export type MapAttributes = Attributes<typeof MAP_ATTRIBUTES>;
export type VmaAttributes = Attributes<typeof VMA_ATTRIBUTES>;
export type PageAttributes = Attributes<typeof PAGE_ATTRIBUTES>;
export type DeviceAttributes = Attributes<typeof DEVICE_ATTRIBUTES>;

export type Item =
  | MmItem
  | PageItem
  | VaItem
  | MapItem
  | VmaItem
  | NoneItem
  | OwnTableItem
  | DeviceItem
  | FreeFramesItem;

/** `mm A, B;` */
export interface MmItem {
  readonly kind: "mm";
  readonly names: readonly Name[];
  readonly span: Span;
}

/** `page P, Q;` or `page Z zero;` */
export interface PageItem {
  readonly kind: "page";
  readonly names: readonly Name[];
  readonly attributes: PageAttributes;
  readonly span: Span;
}

/** `va x, y, z;` fixes the order of addresses. */
export interface VaItem {
  readonly kind: "va";
  readonly names: readonly Name[];
  readonly span: Span;
}

/** `map A:x -> P read-only exclusive;` */
export interface MapItem {
  readonly kind: "map";
  readonly place: Place;
  readonly page: Name;
  readonly attributes: MapAttributes;
  readonly span: Span;
}

/** `vma A:x..z writable;` */
export interface VmaItem {
  readonly kind: "vma";
  readonly pages: PlaceRange;
  readonly attributes: VmaAttributes;
  readonly span: Span;
}

/** `none A:x;` */
export interface NoneItem {
  readonly kind: "none";
  readonly pages: PlaceRange;
  readonly span: Span;
}

/** `own-table A:x..y;` */
export interface OwnTableItem {
  readonly kind: "own-table";
  readonly pages: PlaceRange;
  readonly span: Span;
}

/** `device D in A unregistered cached x, y..z;` */
export interface DeviceItem {
  readonly kind: "device";
  readonly name: Name;
  readonly mm: Name;
  readonly attributes: DeviceAttributes;
  /** Addresses whose translation the IOMMU holds at the start. */
  readonly cached: readonly VaRange[];
  readonly span: Span;
}

/** `free-frames 2;` */
export interface FreeFramesItem {
  readonly kind: "free-frames";
  readonly count: NumberLiteral;
  readonly span: Span;
}

/** `A:x` */
export interface Place {
  readonly kind: "place";
  readonly mm: Name;
  readonly va: Name;
  readonly span: Span;
}

/** `x` or `x..z`, both ends included. */
export interface VaRange {
  readonly from: Name;
  readonly to?: Name;
  readonly span: Span;
}

/** `A:x` or `A:x..z`, both ends included. */
export interface PlaceRange extends VaRange {
  readonly mm: Name;
}

export interface NumberLiteral {
  readonly kind: "number";
  readonly value: number;
  readonly span: Span;
}

/** A program of a CPU or of a device. */
export interface Body {
  /** `CPU0`, or the name of a device. */
  readonly agent: Name;
  /** What the CPU runs; absent for a device, and for a kernel thread, which borrows no mm. */
  readonly mm?: Name;
  readonly statements: readonly Statement[];
  readonly span: Span;
}

export type Statement = VerbStatement | CallStatement | LoopStatement;

/** `store x;`  `mprotect x..y read-only;`  `fork -> B;` */
export interface VerbStatement {
  readonly kind: "verb";
  readonly verb: Name;
  readonly args: readonly Arg[];
  /** The name behind `->`, which receives what the statement makes. */
  readonly into?: Name;
  readonly span: Span;
}

/** `try_to_unmap_one(A, x);` */
export interface CallStatement {
  readonly kind: "call";
  readonly routine: Name;
  readonly args: readonly Arg[];
  readonly span: Span;
}

/** `loop { ... }`: for ever. */
export interface LoopStatement {
  readonly kind: "loop";
  readonly body: readonly Statement[];
  readonly span: Span;
}

export type Arg = NameArg | Place | RangeArg | NumberLiteral;

/** A name or a word of any kind: `A`, `x`, `read-only`. */
export interface NameArg {
  readonly kind: "name";
  readonly name: Name;
  readonly span: Span;
}

/** `x..z` or `A:x..z`, both ends included. */
export interface RangeArg {
  readonly kind: "range";
  readonly mm?: Name;
  readonly from: Name;
  readonly to: Name;
  readonly span: Span;
}

/** `kernel buggy for linux-6.1 { ... }` */
export interface KernelBlock {
  /** Absent: it is part of every run. */
  readonly name?: Name;
  /** Kernels that it is for: these, or one and all after it; absent: all. */
  readonly versions?: { readonly word: "for" | "since"; readonly names: readonly Name[] };
  readonly members: readonly MemberSyntax[];
  readonly span: Span;
}

export interface Condition {
  readonly quantifier: Quantifier;
  readonly expr: Expr;
  readonly span: Span;
}

export type Expr = AtomExpr | EqualExpr | NotExpr | JunctionExpr;

/** `use_after_free` or `stuck(D)`; of a field of a `kernel` block, `pinned(P)`, `users(A) = 2` */
export interface AtomExpr {
  readonly kind: "atom";
  readonly property: Name;
  readonly args: readonly Arg[];
  /** What a field must hold; absent: true. */
  readonly value?: Arg;
  readonly span: Span;
}

/** `A:x = P`, `A:x = B:x` or `A:x = none`; `CPU0:r0 = P`, `D:r0 = CPU0:r1`, `D:r0 = fault` */
export interface EqualExpr {
  readonly kind: "equal";
  readonly left: Place;
  readonly right: NameArg | Place;
  readonly span: Span;
}

/** `~ E` */
export interface NotExpr {
  readonly kind: "not";
  readonly of: Expr;
  readonly span: Span;
}

/** `E /\ E /\ ...` or `E \/ E \/ ...`: two parts or more, none of them of the same kind. */
export interface JunctionExpr {
  readonly kind: "and" | "or";
  readonly parts: readonly Expr[];
  readonly span: Span;
}
