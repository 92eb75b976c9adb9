// SPDX-License-Identifier: Apache-2.0
// A call that invalidates what was unmapped, while it runs, and what is said of it.
import type { DmaSync, Queued } from "../importers/iommu-record.ts";
import type { RawEvent } from "../importers/raw-event.ts";
import { formatSid } from "../importers/vtd-descriptor.ts";
import { formatPage } from "../importers/word64.ts";
import type { Span } from "../obligation.ts";
import { holds } from "../window.ts";
import type { IommuFinding } from "./desk.ts";
import type { Cache, Domain, Unmapped, Waiting } from "./domain.ts";

/** A call that invalidates, until it returns. */
export interface Frame {
  readonly what: DmaSync["what"];
  readonly domain: Domain;
  readonly todo: readonly Waiting[];
  /** The pages that the call is for. */
  readonly asked: Span;
  readonly at: RawEvent;
  /** Submitted in it, and completed in it, by the name of the cache. */
  readonly submitted: Map<string, Span[]>;
  readonly completed: Map<string, Span[]>;
  /** Descriptors of another domain id: not counted. */
  readonly strange: Set<Queued>;
  /** A submission failed; a descriptor of one is not in the recording. */
  failed: boolean;
  incomplete: boolean;
  /** An invalidation was for another domain id than the domain had, and which is right is open. */
  doubtful: boolean;
}

/** Adds pages to those of a cache. */
export function put(map: Map<string, Span[]>, { name }: Cache, span: Span): void {
  const list = map.get(name);
  if (list === undefined) map.set(name, [span]);
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

/** Something was unmapped, and a cache was not invalidated when the call returned. */
export function notCovered(
  frame: Frame,
  one: Waiting,
  cache: Cache | undefined,
  sent: readonly Span[],
  now: RawEvent,
): IommuFinding {
  const some = sent.some((span) => span.start < one.end && one.start < span.end);
  const sid = cache?.sid;
  const name = sid === undefined ? "the IOTLB" : `the TLB of device ${formatSid(sid)}`;
  const other = frame.strange.size > 0 ? "the descriptors were for another domain id" : undefined;
  const why = frame.failed
    ? "the submission failed and was not repeated"
    : some
      ? "other pages were"
      : (other ?? "no descriptor for it was submitted");
  const { at } = one.unmapped;
  return {
    ...{ class: some ? "short" : "missing", change: "unmap", at },
    ...{ start: one.start, end: one.end, operation: at.event },
    message: `unmapped, and ${name} was not invalidated when ${frame.at.event} returned: ${why}`,
    rule: frame.failed ? "V6" : sid === undefined ? "P-UAF" : "P-COVER",
    domain: nameOf(frame.domain),
    ...(sid === undefined ? {} : { device: formatSid(sid) }),
    ...{ deadline_line: now.line, deadline_time: now.time_s },
  };
}

/** A device's TLB is told before its IOTLB. */
export function outOfOrder(
  { domain }: Frame,
  sid: number,
  early: readonly Waiting[],
  at: RawEvent,
): IommuFinding {
  return {
    ...{ class: "order", at, ...hull(early), operation: "dev_tlb_inv", rule: "V3" },
    message:
      `the TLB of device ${formatSid(sid)} is invalidated before the IOTLB (unmapped at line ` +
      `${early[0]!.unmapped.at.line}): the device may fetch the old translation again`,
    ...{ domain: nameOf(domain), device: formatSid(sid) },
  };
}

/** What was unmapped may be used for something else too early. */
export function tooEarly(
  domain: Domain,
  one: Span & { readonly unmapped: Unmapped },
  at: RawEvent,
  how: string,
): IommuFinding {
  const { start, end, unmapped } = one;
  return {
    ...{ class: "late", change: "unmap", at: unmapped.at, start, end },
    operation: unmapped.at.event,
    message:
      `unmapped, and ${how} (${formatPage(start)}, line ${at.line}) before an ` +
      "invalidation of it had completed: a device may still use the old translation",
    ...{ rule: "P-UAF", domain: nameOf(domain) },
    ...{ deadline_line: at.line, deadline_time: at.time_s },
  };
}

/** A call for a range that invalidated more than the range: advice. */
export function tooMuch(frame: Frame): IommuFinding | undefined {
  const { asked, submitted, domain, at } = frame;
  const count = ({ start, end }: Span) => end - start;
  const beyond = (spans: readonly Span[]) => !spans.every((span) => holds([asked], [span]));
  for (const [name, spans] of submitted) {
    if (!beyond(spans)) continue;
    const all = hull(spans);
    const pages = count(all) > 2 ** 40 ? "everything" : `${count(all)} pages`;
    return {
      ...{ class: "excess", at, ...all, operation: at.event, rule: "V5" },
      message:
        `invalidates ${pages} of ${name}, where ${count(asked)} were asked for (advice): ` +
        "a descriptor is for a power of two of pages, aligned",
      domain: nameOf(domain),
    };
  }
  return undefined;
}
