// SPDX-License-Identifier: Apache-2.0
// Printers of checks, by the name of their format.

import { KtapReporter } from "../report/check-ktap.ts";
import { MailReporter } from "../report/check-mail.ts";
import { NdjsonReporter } from "../report/check-ndjson.ts";
import { TextReporter } from "../report/check-text.ts";
import { type Paint, plain } from "../report/columns.ts";
import type { Reporter } from "../report/result.ts";

export const CHECK_FORMATS = ["text", "ndjson", "ktap", "mail"] as const;
export type CheckFormat = (typeof CHECK_FORMATS)[number];

export interface ReportOptions {
  /** Columns of a line of text; default 80. */
  readonly width?: number;
  /** Adds colours; default none. */
  readonly paint?: Paint;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** A printer of checks; it returns text and writes nothing. */
export function checkReporter(format: CheckFormat, options: ReportOptions = {}): Reporter {
  switch (format) {
    case "ndjson":
      return new NdjsonReporter();
    case "ktap":
      return new KtapReporter();
    case "mail":
      return new MailReporter(__SHOOTDOWN_VERSION__);
    default: {
      const { width = 80, paint = plain, quiet = false, verbose = false } = options;
      return new TextReporter({ width, paint, quiet, verbose });
    }
  }
}
