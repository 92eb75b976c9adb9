// SPDX-License-Identifier: Apache-2.0
// The head comment of a scenario: what it is about, the result expected of each run, and labels.
//
//   (*
//    * A device that cached the read-only translation of x can write x.       intent
//    *
//    * Result: Sometimes  machine=arm64+smmuv3  kernel=linux-6.1              one run a line
//    * Result: Never      machine=arm64+smmuv3  kernel=linux-6.12
//    *                    set=hafdbs=yes                                      continued
//    *
//    * Rules: A3, S9                                                     what it is evidence of
//    *)

import { quote } from "../base/diagnostic.ts";
import type { Span } from "../base/span.ts";
import { editDistance, suggestion } from "../base/suggest.ts";
import type { Expectation, Intent, Labels, Name, Setting } from "./ast.ts";
import type { Diagnostics } from "./codes.ts";
import type { Comment } from "./lexer.ts";
import { LABEL_KEYS, type LabelKey, OBSERVATIONS, type Observation } from "./words.ts";

export interface Head {
  readonly intent: Intent;
  readonly expectations: Expectation[];
  readonly labels: Labels;
}

const RESULT = "Result";
const KEYS = [RESULT, ...LABEL_KEYS] as const;
const RESULT_KEYS = ["machine", "kernel", "set"] as const;

/** Fewer words are a title, not a sentence. */
const MIN_INTENT_WORDS = 3;

const KEY_AND_COLON = /^([A-Za-z]+)\s*:/;
const CONTINUATION = /^(?:machine|kernel|set)=/;
const VALUE = /^[A-Za-z0-9_.+-]+$/;

interface Line {
  readonly text: string;
  readonly span: Span;
}

/** `behind` is where the comment should stand if there is none. */
export function readHead(comments: readonly Comment[], behind: Span, out: Diagnostics): Head {
  const paragraphs: string[] = [];
  const expectations: Expectation[] = [];
  const labels: { [K in LabelKey]?: Name[] } = {};
  let words: string[] = [];
  let result: Line[] = [];
  const flush = () => {
    if (words.length > 0) paragraphs.push(words.join(" "));
    if (result.length > 0) addExpectation(result, expectations, out);
    words = [];
    result = [];
  };
  for (const line of comments.flatMap(linesOf)) {
    if (result.length > 0 && CONTINUATION.test(line.text)) {
      result.push(line);
      continue;
    }
    const key = keyOf(line.text);
    if (result.length > 0 || key !== undefined || line.text === "") flush();
    if (key !== undefined && key.written !== key.meant) misspelt(line, key, out);
    else if (key?.meant === RESULT) result = [line];
    else if (key !== undefined) addLabels(line, key.meant, labels, out);
    else if (line.text !== "") words.push(...line.text.split(/\s+/));
  }
  flush();
  const span = comments[0]?.span ?? behind;
  if (paragraphs.join(" ").split(" ").length < MIN_INTENT_WORDS) {
    out.report(
      "L010",
      { ...span, end: Math.min(span.end, span.offset + 2) },
      comments.length > 0
        ? "the head comment has no sentence of intent"
        : "there is no head comment with a sentence of intent",
      "say between the name and '{', in (* ... *), what the scenario shows",
    );
  }
  return { intent: { paragraphs, span }, expectations, labels };
}

/** Reports each `Result:` or `Rules:` line of a comment that is not the head: nobody reads it. */
export function rejectResults(comments: readonly Comment[], out: Diagnostics): void {
  for (const comment of comments) {
    if (out.full) return;
    if (!KEYS.some((key) => comment.text.includes(key))) continue;
    for (const line of linesOf(comment)) {
      const key = keyOf(line.text);
      if (key === undefined || key.written !== key.meant) continue;
      const message = `a ${key.meant} line counts only in the comment between the name and '{'`;
      out.report("L027", line.span, message);
    }
  }
}

/** Whether a line that begins with this word could be taken for a Result line or a label. */
export const looksLikeKey = (word: string): boolean => keyMeant(word) !== undefined;

/** Shorter keys are too near to other words: `But:`. */
const GUESSED_LENGTH = 5;

function keyMeant(word: string): (typeof KEYS)[number] | undefined {
  const letters = /^[A-Za-z]+/.exec(word)?.[0].toLowerCase();
  if (letters === undefined) return undefined;
  return KEYS.find((key) => {
    const wanted = key.toLowerCase();
    if (Math.abs(letters.length - wanted.length) > 1) return false;
    if (wanted.length >= GUESSED_LENGTH) return editDistance(letters, wanted) <= 1;
    return letters === wanted || letters === `${wanted}s`;
  });
}

interface Key {
  readonly written: string;
  readonly meant: (typeof KEYS)[number];
}

function keyOf(text: string): Key | undefined {
  const written = KEY_AND_COLON.exec(text)?.[1];
  const meant = written === undefined ? undefined : keyMeant(written);
  return written === undefined || meant === undefined ? undefined : { written, meant };
}

/** The lines of a comment without margins, the star at the left included. */
function linesOf(comment: Comment): Line[] {
  const { file, line: firstLine, col, offset } = comment.span;
  let start = offset + 2;
  return comment.text.split("\n").map((raw, i) => {
    const margin = /^\s*\*?\s*/.exec(raw)![0].length;
    const text = raw.slice(margin).trimEnd();
    const at = start + margin;
    const column = (i === 0 ? col + 2 : 1) + margin;
    start += raw.length + 1;
    const span = { file, line: firstLine + i, col: column, offset: at, end: at + text.length };
    return { text, span };
  });
}

function misspelt(line: Line, { written, meant }: Key, out: Diagnostics): void {
  const { span } = part(line, 0, written);
  out.report(
    "L011",
    span,
    `${quote(written)} begins no ${meant} line`,
    `did you mean '${meant}:'?`,
  );
}

/** `A3, A21`; which ids there are is asked when names are looked up. */
function addLabels(
  line: Line,
  key: LabelKey,
  into: { [K in LabelKey]?: Name[] },
  out: Diagnostics,
): void {
  let from = line.text.indexOf(":") + 1;
  for (const piece of line.text.slice(from).split(",")) {
    const text = piece.trim();
    const id = part(line, from + piece.length - piece.trimStart().length, text);
    from += piece.length + 1;
    if (text === "") {
      const message = `expected ids behind '${key}:', with commas between them`;
      return out.report("L031", line.span, message);
    }
    const ids = (into[key] ??= []);
    if (ids.some((other) => other.text === text)) {
      return out.report("L031", id.span, `${quote(text)} stands twice`);
    }
    ids.push(id);
  }
}

function addExpectation(lines: readonly Line[], into: Expectation[], out: Diagnostics): void {
  const first = lines[0]!;
  const colon = first.text.indexOf(":") + 1;
  const parts = lines.flatMap((line, i) => partsOf(line, i === 0 ? colon : 0));
  const observation = parts.shift();
  const wanted = OBSERVATIONS.find((word) => word === observation?.text);
  if (observation === undefined || wanted === undefined) {
    const found = observation === undefined ? "nothing" : quote(observation.text);
    const hint = suggestion(observation?.text ?? "", OBSERVATIONS);
    out.report(
      "L011",
      observation?.span ?? first.span,
      `expected Never, Sometimes or Always, found ${found}`,
      hint,
    );
    return;
  }
  const fields = readFields(parts, out);
  if (fields === undefined) return;
  const last = parts.at(-1) ?? observation;
  into.push({
    observation: { text: wanted satisfies Observation, span: observation.span },
    ...fields,
    span: { ...first.span, end: last.span.end },
  });
}

type Fields = Pick<Expectation, "machine" | "kernel" | "set">;

/** `machine=M`, `kernel=K` at most once, `set=KNOB=VALUE` once a knob. */
function readFields(parts: readonly Name[], out: Diagnostics): Fields | undefined {
  const once = new Map<"machine" | "kernel", Name>();
  const set: Setting[] = [];
  const complain = (at: Name, message: string, hint?: string) => {
    out.report("L011", at.span, message, hint);
    return undefined;
  };
  for (const whole of parts) {
    const equals = whole.text.indexOf("=");
    const key = equals < 0 ? whole.text : whole.text.slice(0, equals);
    const known = RESULT_KEYS.find((word) => word === key);
    if (known === undefined) {
      const message = `expected machine=, kernel= or set=, found ${quote(whole.text)}`;
      return complain(whole, message, suggestion(key, RESULT_KEYS));
    }
    const value = part(whole, equals < 0 ? whole.text.length : equals + 1);
    if (known === "set") {
      const setting = readSetting(whole, value);
      if (setting === undefined) return complain(whole, `expected set=KNOB=VALUE`);
      if (set.some((other) => other.knob.text === setting.knob.text)) {
        return complain(setting.knob, `${quote(setting.knob.text)} is set twice in one line`);
      }
      set.push(setting);
    } else {
      if (!VALUE.test(value.text)) {
        return complain(whole, `expected ${known}=NAME, found ${quote(whole.text)}`);
      }
      if (once.has(known)) return complain(whole, `'${known}=' stands twice in one line`);
      once.set(known, value);
    }
  }
  return { ...Object.fromEntries(once), set };
}

function readSetting(whole: Name, rest: Name): Setting | undefined {
  const equals = rest.text.indexOf("=");
  if (equals < 0) return undefined;
  const knob = part(rest, 0, rest.text.slice(0, equals));
  const value = part(rest, equals + 1);
  return VALUE.test(knob.text) && VALUE.test(value.text)
    ? { knob, value, span: whole.span }
    : undefined;
}

/** The words of a line from unit `from` on. */
function partsOf(line: Line, from: number): Name[] {
  const words: Name[] = [];
  const pattern = /\S+/g;
  pattern.lastIndex = from;
  for (let m = pattern.exec(line.text); m !== null; m = pattern.exec(line.text)) {
    words.push(part(line, m.index, m[0]));
  }
  return words;
}

/** A piece of a line or word, `from` units into it. */
function part(whole: Line, from: number, text = whole.text.slice(from)): Name {
  const { span } = whole;
  const offset = span.offset + from;
  return { text, span: { ...span, col: span.col + from, offset, end: offset + text.length } };
}
