// SPDX-License-Identifier: Apache-2.0
// What a program is compiled to: functions that write the successors of a state, for a module of
// whoever stores states.
//
//   expand(src, out) -> end     [ out .. end ): the successors that cost a step, `words` words each
//   free(src, out) -> end       those by fills and evictions, if cells are concrete
//
// States have the layout of the packed executor, with the mark bit 0. Successors come in the order
// of PackedMachine.transitions and, within one, of its choices; equal ones come again. `expand`
// also stores at `out - 4` the end of those that threads and effects have made: none, and no run
// goes on from `src` (hardware's rules do not count).

import type { Bits } from "../layout.ts";
import type { Fn, Import } from "../target/code.ts";

export interface StepUnit {
  /** Words of a state. */
  readonly words: number;
  readonly mark: Bits;
  readonly functions: readonly Fn[];
  /** `intern(sort, value)` yields the number of a value new to cells; `fail(reason)` throws. */
  readonly imports: readonly Import[];
  readonly expand: string;
  readonly free: string | undefined;
  /** At most so many successors of one state by one call; more, and the call fails. */
  readonly successors_max: number;
  /** The unit's tables lie at [base, base + data.length * 4) and begin as `data`. */
  readonly base: number;
  readonly data: Int32Array;
}
