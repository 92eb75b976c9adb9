// SPDX-License-Identifier: Apache-2.0
// The run as an SVG file: all of it, or of a long one what is around the cursor.

import { SVG_STEPS_MAX, svgOf } from "../model/drawing.ts";
import type { Store } from "../model/store.ts";

/** Of a longer run so many steps are saved. */
const PART_STEPS = 60;

export function SaveSvg({ store }: { readonly store: Store }) {
  const save = async () => {
    const svg = await svgOfRun(store);
    if (svg === null) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
    link.download = `${store.walk.peek()?.of?.test ?? "run"}.svg`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <button type="button" onClick={() => void save()}>
      save as SVG
    </button>
  );
}

async function svgOfRun(store: Store): Promise<string | null> {
  const walk = store.walk.peek();
  if (!walk?.of) return null;
  const { of, lanes, length, kept, repeats_from } = walk;
  const isLong = length > SVG_STEPS_MAX;
  const middle = store.cursor.peek() - PART_STEPS / 2;
  const from = isLong ? Math.max(0, Math.min(middle, length - PART_STEPS)) : 0;
  const steps = await store.stepsBetween(from, isLong ? from + PART_STEPS : length);
  const { test, property, machine, kernel } = of;
  return svgOf({
    ...{ steps, from, lanes, machine, repeats_from },
    branch_from: kept < length ? kept : null,
    title: `${test}: ${property} on ${machine}, ${kernel}`,
  });
}
