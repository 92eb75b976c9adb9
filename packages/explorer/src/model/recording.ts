// SPDX-License-Identifier: Apache-2.0
// A recording that is being judged, as signals: how far it is, what was found.

import { batch, signal } from "@preact/signals";
import type { Finding, TraceSummary } from "shootdown";
import type { TraceJob, TraceNews } from "../engine/trace-worker.ts";

export class Recording {
  readonly name: string;
  readonly size: number;
  readonly read = signal(0);
  readonly findings = signal<readonly Finding[]>([]);
  readonly left_out = signal(0);
  readonly summary = signal<TraceSummary | null>(null);
  readonly error = signal<string | null>(null);
  private readonly worker: Worker;

  constructor(name: string, size: number, job: TraceJob, worker: Worker) {
    this.name = name;
    this.size = size;
    this.worker = worker;
    worker.onmessage = ({ data }: MessageEvent<TraceNews>) => this.told(data);
    worker.onerror = (event) => this.fail(event.message || "the Worker could not be started");
    worker.postMessage(job);
  }

  close(): void {
    this.worker.terminate();
  }

  private told(news: TraceNews): void {
    if ("error" in news) return this.fail(news.error);
    batch(() => {
      if (news.findings.length > 0) {
        this.findings.value = [...this.findings.peek(), ...news.findings];
      }
      if ("read" in news) {
        this.read.value = news.read;
        return;
      }
      this.read.value = this.size;
      this.left_out.value = news.left_out;
      if (news.result.ok) this.summary.value = news.result.summary;
      else this.error.value = news.result.error.message;
      this.close();
    });
    return undefined;
  }

  private fail(message: string): void {
    this.error.value = message;
    this.close();
  }
}
