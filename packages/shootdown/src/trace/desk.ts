// SPDX-License-Identifier: Apache-2.0
// What the parts of the monitor share.
import type { Contract } from "./contract.ts";
import type { Granule } from "./granule.ts";
import type { Ledger } from "./ledger.ts";
import type { Spaces } from "./space.ts";
import type { Tally } from "./tally.ts";
import type { Tasks } from "./task.ts";

export interface Desk {
  readonly contract: Contract;
  readonly granule: Granule;
  readonly ledger: Ledger;
  readonly spaces: Spaces;
  readonly tally: Tally;
  readonly tasks: Tasks;
}
