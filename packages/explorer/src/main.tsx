// SPDX-License-Identifier: Apache-2.0
// The page begins: its Workers, its link, the view.

import { render } from "preact";
import type { First } from "./engine/first.ts";
import { remote } from "./engine/protocol.ts";
import { offered } from "./model/files.ts";
import type { Gallery } from "./model/gallery.ts";
import { isOfFirst, type Link, readLink } from "./model/link.ts";
import { Store } from "./model/store.ts";
import "./style.css";
import "./choices.css";
import { App } from "./view/app.tsx";

/** The Worker's program, where this is one file with everything in it. */
const program = document.getElementById("worker")?.textContent;

const start = () => {
  if (program === undefined || program === null) {
    return new Worker(new URL("./engine/worker.ts", import.meta.url), { type: "module" });
  }
  return new Worker(URL.createObjectURL(new Blob([program], { type: "text/javascript" })));
};
const startTrace = () =>
  new Worker(new URL("./engine/trace-worker.ts", import.meta.url), { type: "module" });
const store = new Store(remote(start), remote(start), startTrace);

const home = document.getElementById("app")!;
// What is said where no program starts.
home.replaceChildren();
render(<App store={store} alone={program !== undefined} />, home);

const exported = document.getElementById("exported")?.textContent;

const readGallery = async () => {
  const response = await fetch(new URL("./gallery.json", document.baseURI));
  return (await response.json()) as Gallery;
};

/** The first picture that was built with the page, if it is what is asked for. */
const drawFirst = (link: Link): boolean => {
  const text = document.getElementById("first")?.textContent;
  if (!text) return false;
  const first = JSON.parse(text) as First;
  if (!isOfFirst(link, first.scenario, first.configuration)) return false;
  store.beginWith(first, link.scenario === null ? null : link.at);
  return true;
};

const begin = async () => {
  if (exported) return store.openWitness((JSON.parse(exported) as { witness: string }).witness);
  const gallery = readGallery();
  const link = await readLink(location.hash);
  const drawn = drawFirst(link);
  return store.begin(await gallery, link, drawn);
};
void begin();
if (!exported) {
  void offered(document).then((files) => {
    store.offered.value = files;
  });
  addEventListener("hashchange", () => void begin());
}
