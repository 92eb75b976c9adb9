// SPDX-License-Identifier: Apache-2.0
// A comparison of costs that is being run, as signals: what is asked, how far it is, the report.

import { batch, signal } from "@preact/signals";
import type { CostJob, CostNews } from "../engine/cost-worker.ts";

export class Cost {
  readonly html = signal("");
  readonly doing = signal("");
  readonly running = signal(false);
  readonly error = signal<string | null>(null);
  private worker: Worker | undefined;

  run(job: CostJob): void {
    this.stop();
    batch(() => {
      this.html.value = "";
      this.error.value = null;
      this.running.value = true;
      this.doing.value = "";
    });
    const worker = new Worker(new URL("../engine/cost-worker.ts", import.meta.url), {
      type: "module",
    });
    this.worker = worker;
    worker.onmessage = ({ data }: MessageEvent<CostNews>) => this.told(data);
    worker.onerror = (event) => {
      this.told({ error: event.message || "the Worker could not be started" });
    };
    worker.postMessage(job);
  }

  stop(): void {
    this.worker?.terminate();
    this.worker = undefined;
    this.running.value = false;
  }

  private told(news: CostNews): void {
    batch(() => {
      if ("error" in news) this.error.value = news.error;
      if ("html" in news) this.html.value = news.html;
      if ("doing" in news) this.doing.value = news.doing;
      else this.stop();
    });
  }
}
