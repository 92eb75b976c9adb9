// SPDX-License-Identifier: Apache-2.0
// Where text goes: data to stdout, remarks to stderr, colours only to terminals.

import { coloured, type Paint, plain } from "../api/index.ts";
import { explain } from "./files.ts";

export type ColourChoice = "auto" | "always" | "never";

/** Columns of text where nobody says how wide the terminal is. */
const DEFAULT_WIDTH = 80;
const MAX_WIDTH = 100;
const MIN_WIDTH = 40;

/** Status where output could not be written: what was found is not known to the reader. */
const FAILED = 2;

/** Whether somebody still reads stdout. */
let reading = true;
/** Called when nobody does any more. */
let whenUnread = (): void => undefined;

/** A reader that goes away (`| head`) ends the output, not the program with a complaint. */
export function watchStdout(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    reading = false;
    if (error.code === "EPIPE") return whenUnread();
    say(`shootdown: error: cannot write to stdout: ${explain(error)}`);
    process.exit(FAILED);
  });
  process.stderr.on("error", () => undefined);
}

export const stdoutOpen = (): boolean => reading;

/** Calls back once when the reader of stdout has gone. */
export function onUnread(callback: () => void): void {
  whenUnread = callback;
}

/** Data. */
export function out(text: string): void {
  if (reading && text !== "") process.stdout.write(text);
}

/** A remark. */
export function say(text: string): void {
  process.stderr.write(text.endsWith("\n") ? text : `${text}\n`);
}

export const columnsOf = (stream: NodeJS.WriteStream): number => {
  if (!stream.isTTY) return DEFAULT_WIDTH;
  return Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, stream.columns || DEFAULT_WIDTH));
};

/** `NO_COLOR` and a dumb terminal count only where nothing was asked for. */
export function paintFor(choice: ColourChoice, stream: NodeJS.WriteStream): Paint {
  if (choice === "always") return coloured;
  if (choice === "never" || !stream.isTTY) return plain;
  const { NO_COLOR, TERM } = process.env;
  return (NO_COLOR !== undefined && NO_COLOR !== "") || TERM === "dumb" ? plain : coloured;
}
