// SPDX-License-Identifier: Apache-2.0
// Globals that every host has and that TypeScript declares only with the DOM or Node. Only the
// core is compiled with this file. Clocks and timers are left out on purpose: the core is a
// function of its input, and a shell that wants the time hands in a clock.

interface TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>;
}
declare const TextEncoder: { new (): TextEncoder };

interface TextDecoder {
  decode(bytes?: ArrayBufferLike | ArrayBufferView, options?: { stream?: boolean }): string;
}
declare const TextDecoder: {
  new (label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean }): TextDecoder;
};

declare function atob(text: string): string;
