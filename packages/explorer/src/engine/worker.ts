// SPDX-License-Identifier: Apache-2.0
// The Worker: an engine that answers calls in their order.

import { Engine } from "./engine.ts";
import type { Answer, Call } from "./protocol.ts";

const engine = new Engine();

addEventListener("message", ({ data }: MessageEvent<Call>) => {
  const { n, method, args } = data;
  let answer: Answer;
  try {
    const call = engine[method as keyof Engine] as (...a: unknown[]) => unknown;
    answer = { n, value: call.apply(engine, [...args]) };
  } catch (error) {
    answer = { n, error: error instanceof Error ? error.message : String(error) };
  }
  postMessage(answer);
});
