// SPDX-License-Identifier: Apache-2.0
// Files that a page is given: dropped, chosen, or named to `shootdown serve`; what each of them is.

/** A file that `serve` offers. */
export interface Offered {
  readonly name: string;
  readonly size: number;
  readonly url: string;
}

export type Content =
  | { readonly kind: "scenario"; readonly text: string }
  | { readonly kind: "witness"; readonly text: string }
  | { readonly kind: "recording" };

/** No larger file is a witness or a scenario. */
const TEXT_MAX = 64 << 20;
/** A witness begins with what it is. */
const WITNESS = /^\{\s*"schema"\s*:/;

/** What a file is, by its beginning. */
export async function contentOf(file: Blob): Promise<Content> {
  if (file.size > TEXT_MAX) return { kind: "recording" };
  const head = (await file.slice(0, 4096).text()).trimStart();
  if (WITNESS.test(head)) return { kind: "witness", text: await file.text() };
  if (/^(?:MM|AArch64|X86)\b/m.test(head.slice(0, 200))) {
    return { kind: "scenario", text: await file.text() };
  }
  return { kind: "recording" };
}

/** What is larger and served is a recording, and never in memory as a whole. */
const STREAMED_BYTES = 1 << 20;

export const isStreamed = ({ name, size }: Offered): boolean =>
  size > STREAMED_BYTES && !/\.(json|litmus)$/.test(name);

/** The files that `serve` was given; none on any other server. */
export async function offered(document: Document): Promise<readonly Offered[]> {
  const list = document.querySelector<HTMLMetaElement>('meta[name="shootdown-files"]')?.content;
  if (list === undefined) return [];
  return (await fetch(new URL(list, document.baseURI))).json() as Promise<readonly Offered[]>;
}
