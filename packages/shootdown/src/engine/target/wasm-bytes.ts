// SPDX-License-Identifier: Apache-2.0
// A growing run of bytes with the integers of WebAssembly's binary format (LEB128).

export class Bytes {
  private data: Uint8Array<ArrayBuffer> = new Uint8Array(256);
  length = 0;

  byte(value: number): void {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length++] = value;
  }

  put(...values: readonly number[]): void {
    for (const value of values) this.byte(value);
  }

  /** Takes away what was written last. */
  cut(length: number): void {
    this.length = length;
  }

  unsigned(value: number): void {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  signed(value: number): void {
    let rest = value | 0;
    while (rest < -64 || rest > 63) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>= 7;
    }
    this.byte(rest & 0x7f);
  }

  append(other: Bytes): void {
    this.reserve(other.length);
    this.data.set(other.data.subarray(0, other.length), this.length);
    this.length += other.length;
  }

  /** The number of bytes, then the bytes. */
  sized(other: Bytes): void {
    this.unsigned(other.length);
    this.append(other);
  }

  name(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.unsigned(bytes.length);
    for (const b of bytes) this.byte(b);
  }

  done(): Uint8Array<ArrayBuffer> {
    return this.data.slice(0, this.length);
  }

  private reserve(more: number): void {
    if (this.length + more <= this.data.length) return;
    const grown = new Uint8Array(Math.max(2 * this.data.length, this.length + more));
    grown.set(this.data);
    this.data = grown;
  }
}
