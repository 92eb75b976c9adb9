// SPDX-License-Identifier: Apache-2.0
// One line of strace: who, when, and what kind of line; and the parts of a system call.
//
//   [pid 24727] 1795430500.700351 munmap(0x7f21, 270) = 0 <0.000010>
//   24727 1795430500.700882 <... wait4 resumed>NULL) = 24727 <0.003237>
//   24727 1795430500.700942 --- SIGCHLD {si_signo=SIGCHLD, ...} ---
//   24727 1795430500.701740 +++ exited with 0 +++

export interface StraceLine {
  /** Undefined where strace follows one process and says no number. */
  readonly tid: number | undefined;
  /** Seconds and nanoseconds; undefined without -ttt or -tt. */
  readonly time: readonly [number, number] | undefined;
  readonly body: string;
  /** Column of the body, from 0. */
  readonly at: number;
}

const PID = /(?:\[pid +(\d{1,10})\] +|(\d{1,10}) +(?=[\d\sa-z<+-]))?/;
const TIME = /(?:(\d{1,12})\.(\d{1,9}) +|(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))? +)?/;
/** The number of the call, and where the program stood: -n, -i. */
const EXTRA = /(?:\[[ \d]{1,4}\] +)?(?:\[[\da-f?]{8,16}\] +)?/;
const HEAD = new RegExp(`^${PID.source}${TIME.source}${EXTRA.source}(?=[a-z_<+-])`);

/** Undefined for a line that does not begin like any of strace. */
export function straceLine(text: string): StraceLine | undefined {
  const head = HEAD.exec(text);
  if (head === null) return undefined;
  const [all, bracket, bare, whole, part, hours, minutes, seconds, fraction] = head;
  const pid = bracket ?? bare;
  const nanos = (digits: string | undefined) => Number((digits ?? "0").padEnd(9, "0"));
  let time: [number, number] | undefined;
  if (whole !== undefined) time = [Number(whole), nanos(part)];
  else if (hours !== undefined) {
    time = [Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds), nanos(fraction)];
  }
  const tid = pid === undefined ? undefined : Number(pid);
  return { tid, time, body: text.slice(all.length), at: all.length };
}

export type Body =
  /** A whole call, or its beginning. */
  | { readonly kind: "call"; readonly name: string; readonly begun: boolean }
  | { readonly kind: "resumed"; readonly name: string; readonly rest: number }
  | { readonly kind: "gone" }
  | { readonly kind: "other" };

const UNFINISHED = / ?<unfinished \.\.\.>$/;

/** Undefined for what strace does not write. */
export function bodyOf(body: string): Body | undefined {
  const resumed = /^<\.\.\. (\w+) resumed> ?/.exec(body);
  if (resumed !== null) return { kind: "resumed", name: resumed[1]!, rest: resumed[0].length };
  if (/^\+\+\+ (?:exited|killed|superseded)/.test(body)) return { kind: "gone" };
  if (/^--- .* ---$|^\+\+\+ .* \+\+\+$/.test(body)) return { kind: "other" };
  const name = /^([a-z_]\w{0,40})\(/.exec(body)?.[1];
  if (name === undefined) return /^strace: /.test(body) ? { kind: "other" } : undefined;
  return { kind: "call", name, begun: UNFINISHED.test(body) };
}

/** The beginning of a call that goes on later. */
export const begun = (body: string): string => body.replace(UNFINISHED, "");

export interface Word {
  readonly text: string;
  /** Column in the call, from 0. */
  readonly at: number;
}

export interface StraceCall {
  readonly name: string;
  readonly args: readonly Word[];
  /** "0x7f21", "-1", "?"; undefined where the line ends before it. */
  readonly result: Word | undefined;
}

/** "name(a, b) = r ..."; what is inside of brackets, quotes and `3</path>` is one word. */
export function straceCall(text: string): StraceCall | undefined {
  const open = text.indexOf("(");
  if (open < 0) return undefined;
  const args: Word[] = [];
  let depth = 0;
  let from = open + 1;
  const take = (to: number) => {
    const lead = /^ */.exec(text.slice(from, to))![0].length;
    const word = text.slice(from + lead, to).trimEnd();
    if (word !== "" || args.length > 0) args.push({ text: word, at: from + lead });
    from = to + 1;
  };
  for (let i = open + 1; i < text.length; i++) {
    const char = text[i]!;
    if (char === '"') i = afterString(text, i);
    else if (char === "<" && /\d/.test(text[i - 1]!) && text[i + 1] !== "<") {
      const close = text.indexOf(">", i);
      if (close < 0) return undefined;
      i = close;
    } else if (char === "/" && text[i + 1] === "*") {
      const close = text.indexOf("*/", i);
      if (close < 0) return undefined;
      i = close + 1;
    } else if ("([{".includes(char)) depth++;
    else if (char === ")" && depth === 0) {
      take(i);
      const result = /^ *= (-?\w+|\?)/.exec(text.slice(i + 1));
      const at = result === null ? 0 : i + 1 + result[0].length - result[1]!.length;
      return {
        name: text.slice(0, open),
        args,
        result: result === null ? undefined : { text: result[1]!, at },
      };
    } else if (")]}".includes(char)) depth--;
    else if (char === "," && depth === 0) take(i);
  }
  return undefined;
}

/** The closing quote. */
function afterString(text: string, from: number): number {
  for (let i = from + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i;
  }
  return text.length;
}

/** "NULL", "0x7f21", "4096" as a number; a negative one is undefined. */
export function numberOf(word: string): number | undefined {
  if (word === "NULL") return 0;
  // A descriptor with its path.
  const plain = word.replace(/ *\/\*.*\*\/$/, "").replace(/^(-?\d+)<.*>$/, "$1");
  return /^(?:0x[\da-f]{1,32}|\d{1,32})$/i.test(plain) ? Number(plain) : undefined;
}
