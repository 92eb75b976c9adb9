// SPDX-License-Identifier: Apache-2.0
// The part of WebAssembly's JavaScript interface that the core uses. Every host has it, but
// TypeScript declares it only together with the DOM.

declare namespace WebAssembly {
  interface Module {
    readonly [Symbol.toStringTag]: "WebAssembly.Module";
  }
  interface Memory {
    readonly buffer: ArrayBuffer | SharedArrayBuffer;
    /** Grows by a number of 64 KiB pages and returns the size before, in pages. */
    grow(pages: number): number;
  }
  interface Instance {
    readonly exports: Readonly<Record<string, unknown>>;
  }
  interface MemoryDescriptor {
    readonly initial: number;
    readonly maximum?: number;
    readonly shared?: boolean;
  }
  type Imports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

  const Module: { new (bytes: ArrayBufferLike | ArrayBufferView): Module };
  const Memory: { new (descriptor: MemoryDescriptor): Memory };
  const Instance: { new (module: Module, imports?: Imports): Instance };
  function validate(bytes: ArrayBufferLike | ArrayBufferView): boolean;
}
