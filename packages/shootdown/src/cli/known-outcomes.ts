// SPDX-License-Identifier: Apache-2.0
// Outcomes of searches, kept in a folder from one run of the command to the next.
//
//   DIR/<version>-<hash of the built program>/<process>-<thread>.ndjson    ["key", outcome] a line
//
// A key says the question, how it was searched, and the hash of the searched program: a change of a
// routine, a rule or a scenario makes another one. Another build has a folder of its own. Each
// worker appends to its own file; a line that was cut short is passed over.

import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { threadId } from "node:worker_threads";
import { type KnownOutcomes, version } from "../api/index.ts";

type Found = Parameters<KnownOutcomes["set"]>[1];

class Kept extends Map<string, Found> {
  private readonly file: string;

  constructor(folder: string) {
    super();
    mkdirSync(folder, { recursive: true });
    this.file = join(folder, `${process.pid}-${threadId}.ndjson`);
    for (const name of readdirSync(folder).sort()) {
      if (name.endsWith(".ndjson")) this.read(readFileSync(join(folder, name), "utf8"));
    }
  }

  private read(text: string): void {
    for (const line of text.split("\n")) {
      const pair = parsed(line);
      if (pair) super.set(...pair);
    }
  }

  override set(key: string, found: Found): this {
    // What a limit ended may end otherwise with another.
    if (found.outcome.exhaustive || found.outcome.observed === "sometimes") {
      appendFileSync(this.file, `${JSON.stringify([key, found])}\n`);
    }
    return super.set(key, found);
  }
}

function parsed(line: string): [string, Found] | undefined {
  try {
    const [key, found] = JSON.parse(line) as [string, Found];
    return typeof key === "string" && found.outcome && found.semantics ? [key, found] : undefined;
  } catch {
    return undefined;
  }
}

/** The outcomes in a folder, which grow. Throws if it cannot be written. */
export function outcomesIn(dir: string): KnownOutcomes {
  return new Kept(join(dir, `${version}-${programHash()}`));
}

/** Of all code that is loaded with this file. */
function programHash(): string {
  const home = dirname(fileURLToPath(import.meta.url));
  const files = readdirSync(home).filter((f) => f.endsWith(".js"));
  const hash = createHash("sha256");
  for (const f of files.sort()) hash.update(readFileSync(join(home, f)));
  return hash.digest("hex").slice(0, 16);
}
