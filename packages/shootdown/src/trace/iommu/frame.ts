// SPDX-License-Identifier: Apache-2.0
// A call that invalidates what was unmapped, while it runs.
import type { DmaSync } from "../importers/iommu-record.ts";
import type { RawEvent } from "../importers/raw-event.ts";
import type { Span } from "../obligation.ts";
import type { Domain, Waiting } from "./domain.ts";

/** A call that invalidates, until it returns. */
export interface Frame {
  readonly what: DmaSync["what"];
  readonly domain: Domain;
  readonly todo: readonly Waiting[];
  readonly at: RawEvent;
  /** Submitted in it, and completed in it. */
  readonly submitted: { readonly iotlb: Span[]; readonly device: Map<number, Span[]> };
  readonly completed: { readonly iotlb: Span[]; readonly device: Map<number, Span[]> };
  /** A submission failed; a descriptor of one is not in the recording. */
  failed: boolean;
  incomplete: boolean;
}

/** No pages of any cache. */
export const covers = () => ({ iotlb: [] as Span[], device: new Map<number, Span[]>() });

/** Adds pages to those of a device. */
export function put(map: Map<number, Span[]>, key: number, span: Span): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [span]);
  else list.push(span);
}

/** What two ranges share. */
export function clip(one: Span, other: Span): Span {
  return { start: Math.max(one.start, other.start), end: Math.min(one.end, other.end) };
}

/** The smallest range around all. */
export function hull(spans: readonly Span[]): Span {
  return {
    start: spans.reduce((low, { start }) => Math.min(low, start), spans[0]!.start),
    end: spans.reduce((high, { end }) => Math.max(high, end), spans[0]!.end),
  };
}

/** The domain by its id, or as the recording names it. */
export function nameOf(domain: Domain): string {
  return domain.did === undefined ? domain.name : String(domain.did);
}
