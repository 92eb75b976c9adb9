// SPDX-License-Identifier: Apache-2.0
// The types of a kernel, from its BTF (/sys/kernel/btf/vmlinux): where a member lies in a
// structure, and which argument of a function has a name. That is what a table can only guess.
//
//   header | types: {name, info, size or type} and what the kind adds | strings, ended by NUL

const MAGIC = 0xeb9f;
const HEADER_BYTES = 24;
const TYPE_BYTES = 12;

const STRUCT = 4;
const UNION = 5;
const FUNC = 12;
const FUNC_PROTO = 13;

/** Bytes that follow a type of a kind: a fixed part, and one for each of its `vlen` elements. */
const EXTRA: readonly (readonly [fixed: number, each: number])[] = [
  ...([
    [0, 0],
    [4, 0],
    [0, 0],
    [12, 0],
    [0, 12],
    [0, 12],
    [0, 8],
    [0, 0],
    [0, 0],
    [0, 0],
  ] as const),
  ...([
    [0, 0],
    [0, 0],
    [0, 0],
    [0, 8],
    [4, 0],
    [0, 12],
    [0, 0],
    [4, 0],
    [0, 0],
    [0, 12],
  ] as const),
];

/** Structures inside each other without a name of their own. */
const MAX_ANONYMOUS = 8;

/** What is asked of a kernel's types. */
export interface KernelTypes {
  /** Names of a function's parameters in order; undefined for a function that is not there. */
  parameters(func: string): readonly string[] | undefined;
  /** Bytes from the start of `struct NAME` to the member (of a bit field: to its first byte). */
  offset(struct: string, member: string): number | undefined;
  has(struct: string): boolean;
}

/** @returns the types, or why these bytes are no BTF that can be read. */
export function readBtf(bytes: Uint8Array): KernelTypes | string {
  try {
    return new Btf(bytes);
  } catch (error) {
    if (error instanceof RangeError) return "the BTF ends early";
    if (error instanceof NotBtf) return error.message;
    throw error;
  }
}

class NotBtf extends Error {}

class Btf implements KernelTypes {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #strings: number;
  readonly #strings_end: number;
  /** Where each type begins, by its number; type 0 is void. */
  readonly #types: number[] = [0];
  readonly #functions = new Map<string, number>();
  readonly #structs = new Map<string, number>();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = view;
    if (bytes.length < HEADER_BYTES || view.getUint16(0, true) !== MAGIC) {
      throw new NotBtf("no BTF of a little-endian kernel");
    }
    const header = view.getUint32(4, true);
    let at = header + view.getUint32(8, true);
    const end = at + view.getUint32(12, true);
    this.#strings = header + view.getUint32(16, true);
    this.#strings_end = this.#strings + view.getUint32(20, true);
    if (end > bytes.length || this.#strings_end > bytes.length)
      throw new NotBtf("the BTF ends early");
    while (at < end) at = this.#index(at);
  }

  #index(at: number): number {
    const info = this.#view.getUint32(at + 4, true);
    const kind = (info >>> 24) & 0x1f;
    const extra = EXTRA[kind];
    if (kind === 0 || extra === undefined) throw new NotBtf(`a type of unknown kind ${kind}`);
    this.#types.push(at);
    // Of several with one name the first counts; a function's name is its own.
    if (kind === FUNC) this.#first(this.#functions, at);
    if (kind === STRUCT) this.#first(this.#structs, at);
    return at + TYPE_BYTES + extra[0] + extra[1] * (info & 0xffff);
  }

  #first(names: Map<string, number>, at: number): void {
    const name = this.#name(at);
    if (!names.has(name)) names.set(name, at);
  }

  parameters(func: string): readonly string[] | undefined {
    const at = this.#functions.get(func);
    const proto = at === undefined ? undefined : this.#types[this.#view.getUint32(at + 8, true)];
    if (proto === undefined || proto === 0) return undefined;
    const info = this.#view.getUint32(proto + 4, true);
    if (((info >>> 24) & 0x1f) !== FUNC_PROTO) return undefined;
    return Array.from({ length: info & 0xffff }, (_, n) => this.#name(proto + TYPE_BYTES + 8 * n));
  }

  has(struct: string): boolean {
    return this.#structs.has(struct);
  }

  offset(struct: string, member: string): number | undefined {
    const at = this.#structs.get(struct);
    const bits = at === undefined ? undefined : this.#bits(at, member, 0);
    return bits === undefined ? undefined : Math.floor(bits / 8);
  }

  #bits(at: number, member: string, depth: number): number | undefined {
    const info = this.#view.getUint32(at + 4, true);
    const fields = info >>> 31 === 1;
    for (let n = 0; n < (info & 0xffff); n++) {
      const one = at + TYPE_BYTES + 12 * n;
      const place = this.#view.getUint32(one + 8, true);
      const bits = fields ? place & 0xffffff : place;
      const name = this.#name(one);
      if (name === member) return bits;
      if (name !== "" || depth >= MAX_ANONYMOUS) continue;
      const inner = this.#plain(this.#view.getUint32(one + 4, true));
      const found = inner === undefined ? undefined : this.#bits(inner, member, depth + 1);
      if (found !== undefined) return bits + found;
    }
    return undefined;
  }

  /** The structure or union behind const and the like. */
  #plain(type: number): number | undefined {
    for (let depth = 0, id = type; depth < MAX_ANONYMOUS; depth++) {
      const at = this.#types[id];
      if (at === undefined || at === 0) return undefined;
      const kind = (this.#view.getUint32(at + 4, true) >>> 24) & 0x1f;
      if (kind === STRUCT || kind === UNION) return at;
      id = this.#view.getUint32(at + 8, true);
    }
    return undefined;
  }

  /** The string whose offset stands at a place. */
  #name(at: number): string {
    const start = this.#strings + this.#view.getUint32(at, true);
    let end = start;
    while (end < this.#strings_end && this.#bytes[end] !== 0) end++;
    return String.fromCharCode(...this.#bytes.subarray(start, end));
  }
}
