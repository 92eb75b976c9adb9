// SPDX-License-Identifier: Apache-2.0
// What an invalidation is for, in pages: the changes that wait for it, or else the operation that
// the task is in.
import { PAGE_LIMIT } from "./importers/word64.ts";
import type { Span } from "./obligation.ts";
import type { Space } from "./space.ts";
import type { Task } from "./task.ts";

export interface Asked {
  /** Undefined where no reason is recorded. */
  readonly asked_pages: number | undefined;
  /** Changes that waited. */
  readonly waited: number;
}

/** Before the invalidation of `call` is made. */
export function askedPages(task: Task, space: Space, call: Span): Asked {
  const changes = space.window.within(call.start, call.end);
  const spans: Span[] = [];
  for (const change of changes) {
    const rest = space.window.rest(change);
    // The entry that the task is changing is told as a whole, however large; of others, and of
    // several entries, each call may be for some.
    const own = change.entries === 1 && change === task.open.at(-1);
    spans.push(...(own ? rest : rest.flatMap((span) => clipped(span, call))));
  }
  if (changes.size > 0) return { asked_pages: unionOf(spans), waited: changes.size };
  const around = aroundOf(task, space)
    .filter(isPart)
    .flatMap((span) => clipped(span, call));
  return { asked_pages: around.length === 0 ? undefined : unionOf(around), waited: 0 };
}

function aroundOf(task: Task, { mm }: Space): Span[] {
  const { protect, context } = task;
  const spans: Span[] = task.ranges.filter((range) => range.mm === mm);
  if (protect?.mm === mm) spans.push(protect);
  if (context?.mm === mm && context.start !== undefined) {
    spans.push({ start: context.start, end: context.end ?? context.start + 1 });
  }
  return spans;
}

/** The whole address space is no range that anybody asked for. */
const isPart = ({ end }: Span): boolean => end < PAGE_LIMIT;

function clipped(span: Span, to: Span): Span[] {
  const start = Math.max(span.start, to.start);
  const end = Math.min(span.end, to.end);
  return start < end ? [{ start, end }] : [];
}

/** Pages of several ranges, each counted once. */
export function unionOf(spans: readonly Span[]): number {
  let sum = 0;
  let at = 0;
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    sum += Math.max(0, end - Math.max(start, at));
    at = Math.max(at, end);
  }
  return sum;
}
