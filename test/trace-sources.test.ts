// SPDX-License-Identifier: Apache-2.0
// What a program may hand in as a recording: a stream of Node, of the web, pieces of any size.

import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkTrace } from "../packages/shootdown/src/api/index.ts";
import type { ByteSource } from "../packages/shootdown/src/trace/importers/bytes.ts";
import { root } from "./support/files.ts";

const FILE = join(root, "packages/shootdown/fixtures/6.1-upgrade.trace.txt");

async function* pieces(size: number): ByteSource {
  const bytes = readFileSync(FILE);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const SOURCES: readonly (readonly [string, () => ByteSource])[] = [
  ["a stream of Node", () => createReadStream(FILE)],
  ["one in small pieces", () => createReadStream(FILE, { highWaterMark: 1000 })],
  ["a stream of the web", () => new Blob([readFileSync(FILE)]).stream() as unknown as ByteSource],
  ["pieces of 7 bytes", () => pieces(7)],
  ["one piece", () => pieces(1 << 30)],
];

test.each(SOURCES)("%s", async (_, source) => {
  const result = await checkTrace(source());
  expect(result).toMatchObject({ ok: true, summary: { missing: 8, events: 418 } });
});
