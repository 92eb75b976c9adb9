// SPDX-License-Identifier: Apache-2.0
// The option --reduce; in a file of its own, for it loads the search.

import { InvalidArgumentError } from "commander";
import { type Reduction, reductionsNamed } from "../api/index.ts";

/** `all`, `none` or names of reductions. */
export function reductions(value: string): readonly Reduction[] {
  const found = reductionsNamed(value);
  if (typeof found === "string") throw new InvalidArgumentError(found);
  return found;
}
