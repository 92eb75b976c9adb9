// SPDX-License-Identifier: Apache-2.0
// Files from this machine: chosen, dropped, or those that `shootdown serve` was given.

import type { Store } from "../model/store.ts";

export function FilesPanel({ store }: { readonly store: Store }) {
  const offered = store.offered.value;
  return (
    <section class="gallery" aria-label="Files">
      <p>
        Drop a scenario, a witness or a recording of a kernel anywhere on this page. It is read
        here, in the browser, and goes nowhere.
      </p>
      <input
        type="file"
        aria-label="Open a file"
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          if (file) void store.openFile(file.name, file);
        }}
      />
      {offered.length > 0 && (
        <ul>
          {offered.map((file) => (
            <li key={file.url}>
              <button type="button" onClick={() => void store.openOffered(file)}>
                {file.name}
              </button>{" "}
              <small>{file.size.toLocaleString("en")} bytes</small>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** Takes files that are dropped on the page; the result ends that. */
export function takeDrops(open: (file: File) => void): () => void {
  const over = (event: DragEvent) => event.preventDefault();
  const drop = (event: DragEvent) => {
    event.preventDefault();
    const [file] = event.dataTransfer?.files ?? [];
    if (file) open(file);
  };
  addEventListener("dragover", over);
  addEventListener("drop", drop);
  return () => {
    removeEventListener("dragover", over);
    removeEventListener("drop", drop);
  };
}
