// SPDX-License-Identifier: Apache-2.0
// The page begins: its Workers, its link, the view.

import { render } from "preact";
import { remote } from "./engine/protocol.ts";
import { offered } from "./model/files.ts";
import type { Gallery } from "./model/gallery.ts";
import { readLink } from "./model/link.ts";
import { Store } from "./model/store.ts";
import "./style.css";
import { App } from "./view/app.tsx";

const start = () => new Worker(new URL("./engine/worker.ts", import.meta.url), { type: "module" });
const startTrace = () =>
  new Worker(new URL("./engine/trace-worker.ts", import.meta.url), { type: "module" });
const store = new Store(remote(start), remote(start), startTrace);

render(<App store={store} />, document.getElementById("app")!);

const begin = async () => {
  const [gallery, link] = await Promise.all([
    fetch(new URL("./gallery.json", document.baseURI)).then((r) => r.json() as Promise<Gallery>),
    readLink(location.hash),
  ]);
  await store.begin(gallery, link);
};
void begin();
void offered(document).then((files) => {
  store.offered.value = files;
});
addEventListener("hashchange", () => void begin());
