// SPDX-License-Identifier: Apache-2.0
// One HTML file with a witness in it: the explorer's built page, its style, program and Worker
// written into the document, which asks for nothing else.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { filePolicy } from "./policy.ts";

/** The document. `home` has the built page; `exported` is what the page begins with. */
export function htmlOf(home: string, exported: object): string {
  const assets = readdirSync(join(home, "assets"));
  const read = (name: RegExp) => {
    const file = assets.find((a) => name.test(a));
    if (file === undefined) throw new Error(`the built page has no ${name}`);
    return readFileSync(join(home, "assets", file), "utf8");
  };
  const script = inScript(read(/^index-.*\.js$/));
  const worker = inScript(read(/^worker-.*\.js$/));
  const style = read(/^index-.*\.css$/);
  const data = JSON.stringify(exported).replaceAll("<", "\\u003c");
  const hash = createHash("sha256").update(script).digest("base64");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${filePolicy(hash)}">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>shootdown</title>
<style>${style}</style>
</head>
<body>
<div id="app"></div>
<noscript>shootdown runs in the browser and needs JavaScript.</noscript>
<script type="application/json" id="exported">${data}</script>
<script type="text/plain" id="worker">${worker}</script>
<script type="module">${script}</script>
</body>
</html>
`;
}

/** A program that may stand in an element: nothing in it may look like the element's end. */
function inScript(text: string): string {
  const found = /<(?:\/script|script|!--)/i.exec(text);
  if (found) throw new Error(`the built page has ${found[0]} in a program`);
  return text;
}
