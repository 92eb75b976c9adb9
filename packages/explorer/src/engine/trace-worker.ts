// SPDX-License-Identifier: Apache-2.0
// The Worker that judges a recording: bytes in as they are read, findings out in batches.

import { checkTrace, type Finding, type TraceResult } from "shootdown";

/** What the page sends: one recording. */
export type TraceJob = { readonly file: Blob } | { readonly url: string };

/** What comes back: how far it is, with the findings since then; the result at the end. */
export type TraceNews =
  | { readonly read: number; readonly findings: readonly Finding[] }
  | {
      readonly result: TraceResult;
      readonly findings: readonly Finding[];
      readonly left_out: number;
    }
  | { readonly error: string };

/** The page keeps no more; the rest is counted. */
const FINDINGS_MAX = 20_000;
/** Between two messages. */
const NEWS_BYTES = 4 << 20;

addEventListener("message", ({ data }: MessageEvent<TraceJob>) => {
  judge(data).catch((error: unknown) => {
    postMessage({ error: String(error) } satisfies TraceNews);
  });
});

/** What is served is read as it comes. */
async function streamOf(job: TraceJob): Promise<ReadableStream<Uint8Array>> {
  if ("file" in job) return job.file.stream();
  const response = await fetch(job.url);
  if (response.ok && response.body) return response.body;
  throw new Error((await response.text()).trim());
}

async function judge(job: TraceJob): Promise<void> {
  const stream = await streamOf(job);
  let batch: Finding[] = [];
  let kept = 0;
  let left_out = 0;
  let read = 0;
  let told = 0;
  const bytes = async function* () {
    const reader = stream.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      read += value.length;
      yield value;
      if (read - told < NEWS_BYTES) continue;
      told = read;
      postMessage({ read, findings: batch } satisfies TraceNews);
      batch = [];
    }
  };
  const result = await checkTrace(bytes(), {
    onFinding(finding) {
      if (kept < FINDINGS_MAX) {
        kept++;
        batch.push(finding);
      } else left_out++;
    },
  });
  postMessage({ result, findings: batch, left_out } satisfies TraceNews);
}
