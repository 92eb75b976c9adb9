// SPDX-License-Identifier: Apache-2.0
// The wire format of protocol buffers, as far as writing a trace needs it.
//
//   key = field << 3 | type      0 varint   1 64 bits, little endian   2 length and bytes
//
// A library at run time would be a dependency of the core for these few lines; the tests read what
// is written with one (test/trace-export.test.ts).

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIRST_SIZE = 256;
const encoder = new TextEncoder();

export class ProtoWriter {
  #bytes = new Uint8Array(FIRST_SIZE);
  #end = 0;

  /** What was written so far; valid until the next write. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#end);
  }

  clear(): void {
    this.#end = 0;
  }

  /** A whole number from 0, exact as a double is. */
  varint(field: number, value: number): void {
    this.#number(field * 8 + VARINT);
    this.#number(value);
  }

  fixed64(field: number, value: number): void {
    this.#number(field * 8 + FIXED64);
    this.#room(8);
    const view = new DataView(this.#bytes.buffer);
    view.setUint32(this.#end, value % 2 ** 32, true);
    view.setUint32(this.#end + 4, Math.floor(value / 2 ** 32), true);
    this.#end += 8;
  }

  text(field: number, value: string): void {
    this.#chunk(field, encoder.encode(value));
  }

  message(field: number, inner: ProtoWriter): void {
    this.#chunk(field, inner.bytes);
  }

  #chunk(field: number, bytes: Uint8Array): void {
    this.#number(field * 8 + BYTES);
    this.#number(bytes.length);
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Seven bits a byte, the lowest first; division, for 64-bit numbers are no integers here. */
  #number(value: number): void {
    this.#room(10);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#end++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#end++] = rest;
  }

  #room(count: number): void {
    if (this.#end + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#end + count));
    grown.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = grown;
  }
}
