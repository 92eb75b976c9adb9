// SPDX-License-Identifier: Apache-2.0
// The link of what a page shows.

import { writeLink } from "./link.ts";
import type { Store } from "./store.ts";

export function linkOf(store: Store): Promise<string> {
  const { machine, kernel, set } = store.configuration.value;
  const walk = store.walk.value;
  const { besides, row, configuration } = store.compare;
  return writeLink({
    scenario: store.edited.value ? null : store.scenario.value,
    text: store.text.value,
    ...{ machine, kernel, set },
    at: besides.value ? row.value : store.cursor.value,
    keep: walk && walk.branch.length > 0 ? walk.kept : null,
    branch: walk?.branch ?? [],
    beside: configuration.value,
  });
}
