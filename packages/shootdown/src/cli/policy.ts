// SPDX-License-Identifier: Apache-2.0
// What the explorer's page may do, in one place: it is in the built document, in what `serve`
// answers, and in a file that was exported. The page's build reads it too, so it imports nothing.
//
// WebAssembly is compiled (the search), text is never run: no 'unsafe-eval'. Styles of elements are
// set by the canvas's and the editor's own code.

/** Words of a policy that stand in quotes. */
const SELF = "'self'";
const NONE = "'none'";

/** `own`: what the page may load from where it came from; an exported file has all in it. */
function policyOf(own: { readonly scripts: readonly string[]; readonly files: string }): string {
  const { scripts, files } = own;
  const listed = (...sources: readonly string[]) => sources.filter(Boolean).join(" ") || NONE;
  return [
    `default-src ${NONE}`,
    `script-src ${listed(...scripts, "'wasm-unsafe-eval'")}`,
    `style-src ${listed(files, "'unsafe-inline'")}`,
    `img-src ${listed(files, "data:")}`,
    `worker-src ${listed(files || "blob:")}`,
    `connect-src ${listed(files)}`,
    `base-uri ${NONE}`,
    `form-action ${NONE}`,
  ].join("; ");
}

/** Of the built page, wherever it is served from. */
export const PAGE_POLICY = policyOf({ scripts: [SELF], files: SELF });

/** Of the answers of `serve`: a document cannot say of itself who may frame it. */
export const SERVED_POLICY = `${PAGE_POLICY}; frame-ancestors ${NONE}`;

/** Of one file with everything in it; `hash` is that of its script, and its Worker is a blob. */
export const filePolicy = (hash: string): string =>
  policyOf({ scripts: [`'sha256-${hash}'`, "blob:"], files: "" });

/** Of a report, which runs nothing and loads nothing; `hash` is that of its style. */
export const reportPolicy = (hash: string): string =>
  [
    `default-src ${NONE}`,
    `style-src 'sha256-${hash}'`,
    `base-uri ${NONE}`,
    `form-action ${NONE}`,
  ].join("; ");
