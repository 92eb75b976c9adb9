// SPDX-License-Identifier: Apache-2.0
// CodeMirror 6 for scenarios: keys, marks of mistakes, completion of names, colours of words.

import { autocompletion, type CompletionContext } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Problem } from "shootdown";
import { type Completion, completionsAt, type Words } from "../model/complete.ts";

export interface EditorHandle {
  set(text: string): void;
  mark(problems: readonly Problem[]): void;
  close(): void;
}

export interface EditorOptions {
  readonly text: string;
  readonly changed: (text: string) => void;
  readonly run: () => void;
  readonly words: () => Words;
}

const KEYWORDS = "MM mm page map vma device in exists forall kernel load store loop if else while";
const WORDS = new RegExp(`^(?:${KEYWORDS.replaceAll(" ", "|")})\\b`);

const language = StreamLanguage.define<{ comment: boolean }>({
  startState: () => ({ comment: false }),
  token(stream, state) {
    if (state.comment || stream.match("(*")) {
      state.comment = !stream.match(/^.*?\*\)/);
      if (state.comment) stream.skipToEnd();
      return "comment";
    }
    if (stream.match(/^\/\/.*/)) return "comment";
    if (stream.match(WORDS)) return "keyword";
    if (stream.match(/^\d+/)) return "number";
    if (stream.match(/^[A-Za-z_]\w*(?=\()/)) return "typeName";
    if (!stream.match(/^\w+/)) stream.next();
    return null;
  },
});

const colours = HighlightStyle.define([
  { tag: tags.comment, color: "var(--faint)" },
  { tag: tags.keyword, color: "var(--message)" },
  { tag: tags.typeName, color: "var(--store)" },
]);

/** Icons of the list. */
const TYPES: Readonly<Record<Completion["kind"], string>> = {
  ...{ machine: "class", kernel: "class", knob: "property", value: "enum", name: "variable" },
  ...{ routine: "function", statement: "keyword", word: "keyword" },
};

/** After these a name is due. */
const isAsked = (context: CompletionContext): boolean =>
  context.matchBefore(/(?:machine|kernel|set|set=\w+)=|(?:machine|kernel)=\S*\+/) !== null;

export function openEditor(parent: HTMLElement, options: EditorOptions): EditorHandle {
  const complete = (context: CompletionContext) => {
    const found = completionsAt(context.state.doc.toString(), context.pos, options.words());
    if (!found || (found.from === context.pos && !context.explicit && !isAsked(context)))
      return null;
    const named = found.all.map(({ label, kind, info }) => ({
      ...{ label, type: TYPES[kind], detail: kind },
      ...(info === "" ? {} : { info }),
    }));
    return { from: found.from, options: named };
  };
  const run = () => {
    options.run();
    return true;
  };
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: options.text,
      extensions: [
        ...[lineNumbers(), history(), lintGutter(), language, syntaxHighlighting(colours)],
        autocompletion({ override: [complete] }),
        keymap.of([{ key: "Mod-Enter", run }, ...defaultKeymap, ...historyKeymap]),
        EditorView.contentAttributes.of({ "aria-label": "Text of the scenario" }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) options.changed(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    set(text) {
      const now = view.state.doc.toString();
      if (now !== text) view.dispatch({ changes: { from: 0, to: now.length, insert: text } });
    },
    mark(problems) {
      view.dispatch(
        setDiagnostics(
          view.state,
          problems.flatMap((p) => diagnostic(view, p)),
        ),
      );
    },
    close: () => view.destroy(),
  };
}

function diagnostic({ state }: EditorView, problem: Problem): Diagnostic[] {
  const { line, column, notes } = problem;
  const message = [problem.message, ...notes].join("; ");
  if (line === null || line > state.doc.lines) return [];
  const at = state.doc.line(line);
  const from = Math.min(at.to, at.from + (column ?? 1) - 1);
  const word = /^\w+/.exec(state.sliceDoc(from, at.to))?.[0].length ?? 1;
  return [{ from, to: Math.min(at.to, from + word), severity: "error", message }];
}
