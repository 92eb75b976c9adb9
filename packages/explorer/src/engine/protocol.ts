// SPDX-License-Identifier: Apache-2.0
// Calls between the page and a Worker: a name, arguments, a number; and the answer by that number.

import type { Engine } from "./engine.ts";

type Methods = {
  readonly [K in keyof Engine]: Engine[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<R>
    : never;
};

/** The engine as the page sees it: each call is a promise. */
export type RemoteEngine = Methods & {
  /** Ends what is being computed; all calls that wait are rejected. */
  stop(): void;
};

export interface Call {
  readonly n: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

export type Answer =
  | { readonly n: number; readonly value: unknown }
  | { readonly n: number; readonly error: string };

/** What ended because somebody wanted it to. */
export class Stopped extends Error {
  override readonly name = "Stopped";
}

/** A proxy whose calls go to the Worker that `start` makes; a new one after `stop`. */
export function remote(start: () => Worker): RemoteEngine {
  let worker: Worker | undefined;
  let count = 0;
  const waiting = new Map<number, { resolve(v: unknown): void; reject(e: Error): void }>();
  const failAll = (error: Error) => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  const begun = (): Worker => {
    if (worker) return worker;
    worker = start();
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const call = waiting.get(data.n);
      waiting.delete(data.n);
      if ("error" in data) call?.reject(new Error(data.error));
      else call?.resolve(data.value);
    };
    worker.onerror = (event) => {
      failAll(new Error(event.message || "the Worker could not be started"));
    };
    return worker;
  };
  const call = (method: string, args: readonly unknown[]) =>
    new Promise((resolve, reject) => {
      const n = ++count;
      waiting.set(n, { resolve, reject });
      begun().postMessage({ n, method, args } satisfies Call);
    });
  const stop = () => {
    worker?.terminate();
    worker = undefined;
    failAll(new Stopped());
  };
  return new Proxy({} as RemoteEngine, {
    get: (_, method: string) =>
      method === "stop" ? stop : (...args: unknown[]) => call(method, args),
  });
}
