// SPDX-License-Identifier: Apache-2.0
// The lock file pins every package by its content, for every platform, and by no address.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./support/files.ts";

interface Entry {
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const text = readFileSync(join(root, "package-lock.json"), "utf8");
const entries = Object.entries<Entry>(JSON.parse(text).packages);
const fetched = entries.filter(([path, { link }]) => path.includes("node_modules/") && !link);

test("no package is pinned to an address", () => {
  const addressed = fetched.filter(([, { resolved }]) => resolved !== undefined);
  expect(addressed.map(([path]) => path)).toEqual([]);
});

test("every package is pinned by its content", () => {
  const loose = fetched.filter(([, { integrity }]) => !integrity?.startsWith("sha512-"));
  expect(loose.map(([path]) => path)).toEqual([]);
});

test("the programs of other platforms are listed, which newer npm insists on", () => {
  const names = new Set(entries.map(([path]) => path.replace(/^.*node_modules\//, "")));
  const missing = entries.flatMap(([path, { optionalDependencies }]) =>
    Object.keys(optionalDependencies ?? {})
      .filter((name) => !names.has(name))
      .map((name) => `${path} wants ${name}`),
  );
  expect(missing).toEqual([]);
});
