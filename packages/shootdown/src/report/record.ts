// SPDX-License-Identifier: Apache-2.0
// What `shootdown record` says: which lines a kernel offers, what no line shows, and all of it as
// NDJSON.

import { definitionText } from "../trace/record/definition.ts";
import type { Offer, OfferStatus, Offers } from "../trace/record/offer.ts";
import type { Hidden, Plan } from "../trace/record/plan.ts";
import { versionText } from "../trace/record/version.ts";
import { type Paint, pad, type Tone, wrapText } from "./columns.ts";

/** Where the plan's facts are from, in words. */
export interface RecordSources {
  readonly read: readonly string[];
  /** Files that could not be read, with the reason. */
  readonly unread: readonly string[];
}

const WORDS: Readonly<Record<OfferStatus, readonly [word: string, tone: Tone]>> = {
  offered: ["yes", "good"],
  absent: ["no", "bad"],
  ambiguous: ["no", "bad"],
  blacklisted: ["no", "bad"],
  unknown: ["?", "unsure"],
};

const WIDTH = 75;
const NAME = 34;

export function planName({ version, arch }: Plan): string {
  return `linux-${versionText(version)} on ${arch}`;
}

/** Remarks for the head of a script: what it is for, and what nobody has tried. */
export function recordRemarks(plan: Plan, sources: RecordSources): string[] {
  return [
    `Records what \`shootdown trace\` reads: ${planName(plan)}; ${plan.parts.join(", ")}.`,
    ...(sources.read.length > 0 ? [`Made with ${sources.read.join(", ")}.`] : []),
    ...plan.unverified.flatMap((text) => wrapText(`not verified: ${text}`, WIDTH)),
    "Not recorded:",
    ...plan.hidden.flatMap(hiddenLines),
  ];
}

const hiddenLines = ({ what, why, shown }: Hidden): string[] =>
  wrapText(`${what}: ${why}; shown by: ${shown}`, WIDTH - 4).map(
    (line, n) => `${n === 0 ? "  " : "    "}${line}`,
  );

export interface OfferStyle {
  readonly paint: Paint;
  /** Only what is not offered. */
  readonly quiet: boolean;
}

/** The text of `--check`. */
export function offerLines(
  plan: Plan,
  { offers, kprobes, calls }: Offers,
  sources: RecordSources,
  { paint, quiet }: OfferStyle,
): string[] {
  const said = kprobes === undefined ? "?" : kprobes ? "yes" : "no: needs CONFIG_KPROBES";
  const shown = offers.filter(({ status }) => !quiet || status !== "offered");
  const rows = (kind: Offer["kind"]) =>
    shown.filter((one) => one.kind === kind).flatMap((one) => offerRow(one, paint));
  const there = (kind: Offer["kind"]) => {
    const all = offers.filter((one) => one.kind === kind);
    return `${all.filter(({ status }) => status === "offered").length} of ${all.length}`;
  };
  return [
    paint("strong", planName(plan)),
    ...labelled("read", sources.read),
    ...labelled("not read", sources.unread),
    ...labelled("not verified", plan.unverified),
    `kprobes: ${paint(kprobes === true ? "good" : "bad", said)}`,
    ...section("probes", rows("probe")),
    ...section("events of the kernel", rows("event")),
    ...(quiet ? [] : section("not recorded", plan.hidden.flatMap(hiddenLines))),
    "",
    `offered: ${there("probe")} probes, ${there("event")} events, ` +
      `${calls === undefined ? "?" : calls.length} of ${plan.calls.length} system calls`,
  ];
}

const section = (head: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ["", head, ...lines];

function labelled(label: string, texts: readonly string[]): string[] {
  const head = `${label}: `;
  return texts.flatMap((text, n) =>
    wrapText(text, WIDTH - head.length).map(
      (line, m) => `${n === 0 && m === 0 ? head : " ".repeat(head.length)}${line}`,
    ),
  );
}

function offerRow({ event, source, status, why }: Offer, paint: Paint): string[] {
  const [word, tone] = WORDS[status];
  const head = `  ${paint(tone, pad(word, 3))}  ${pad(event, NAME)}`;
  if (status === "offered" || status === "unknown") return [`${head}${source}`.trimEnd()];
  const [first = "", ...rest] = wrapText(why, WIDTH - NAME);
  return [`${head}${first}`, ...rest.map((line) => `${" ".repeat(NAME + 7)}${line}`)];
}

/** Lines of NDJSON without the last one: the plan, or with `offers` what the kernel has of it. */
export function recordNdjson(plan: Plan, offers: Offers | undefined): object[] {
  const offer = (event: string) => {
    const found = offers?.offers.find((one) => one.event === event);
    return found === undefined
      ? {}
      : { status: found.status, why: found.why, source: found.source };
  };
  return [
    ...plan.probes.map(({ event, part, forms, reveals, maybe }) => ({
      ...{ type: "probe", event, part, forms: forms.map((form) => form.map(definitionText)) },
      ...{ reveals, maybe: maybe ?? null, ...offer(event) },
    })),
    ...plan.events.map(({ path, event, reveals }) => ({
      ...{ type: "event", event, path, reveals, ...offer(event) },
    })),
    ...plan.hidden.map((one) => ({ type: "hidden", ...one })),
    ...plan.unverified.map((text) => ({ type: "unverified", text })),
  ];
}

export function recordSummary(plan: Plan, offers: Offers | undefined): object {
  const offered = offers?.offers.filter(({ status }) => status === "offered");
  return {
    type: "summary",
    kernel: `linux-${versionText(plan.version)}`,
    arch: plan.arch,
    parts: plan.parts,
    probes: plan.probes.length,
    events: plan.events.length,
    calls: plan.calls.length,
    hidden: plan.hidden.length,
    ...(offers === undefined
      ? {}
      : { kprobes: offers.kprobes ?? null, offered: offered?.length ?? 0 }),
  };
}
