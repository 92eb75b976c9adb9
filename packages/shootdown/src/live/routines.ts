// SPDX-License-Identifier: Apache-2.0
// The routines that a live machine may start, lowered when they are first wanted.

import type { Routine } from "../engine/open-lower.ts";
import { lowerOpen, lowerRoutine } from "../engine/open-lower.ts";
import type { OpenProgram } from "../engine/open-program.ts";
import type { System } from "../engine/program.ts";
import type { Sorts } from "../ir/expr.ts";
import { expr } from "../ir/expr.ts";
import type { Declaration } from "../ir/machine.ts";
import type { AnySort } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import { call, callInto } from "../ir/stmt.ts";
import { switch_mm } from "../kernel/arch/x86/mm/tlb.ts";
import { dup_mmap } from "../kernel/fork.ts";
import { arm_smmu_device_reset, arm_smmu_sva_bind } from "../kernel/iommu/arm-smmu-v3-sva.ts";
import { do_munmap, exit_mmap } from "../kernel/mm/mmap.ts";
import { do_mprotect_pkey } from "../kernel/mm/mprotect.ts";
import type { Architecture } from "../vocabulary/architecture.ts";
import { architectureOf } from "../vocabulary/architecture.ts";
import { cpu_access, device_access } from "../vocabulary/primitives.ts";

type Started = readonly Declaration<Sorts, undefined>[];
/** What a routine gives back is nobody's here. */
export type Startable<P extends Sorts = Sorts> =
  | Declaration<P, undefined>
  | Declaration<P, AnySort>;
const RESULT = "given back";
const OF_ALL: Started = [do_munmap, do_mprotect_pkey, dup_mmap, exit_mmap, cpu_access];

/** What they write varies, whether they were started or not. */
const STARTED: Readonly<Record<Architecture, Started>> = {
  arm64: [arm_smmu_device_reset, arm_smmu_sva_bind, ...OF_ALL, device_access],
  x86: [switch_mm, ...OF_ALL],
};

/** A call with the routine's parameters as they are. */
function bodyOf(routine: Startable): readonly Stmt[] {
  const args = Object.entries(routine.params).map(([name, sort]) => {
    return [name, expr({ k: "local", name, sort })];
  });
  const given = Object.fromEntries(args);
  const { result } = routine;
  if (result === undefined) return [call(routine as Declaration<Sorts, undefined>, given)];
  const into = expr({ k: "local", name: RESULT, sort: result });
  return [callInto(into as never, routine as Declaration<Sorts, AnySort>, given)];
}

export class Routines {
  private readonly system: System;
  private readonly others: boolean;
  private readonly started: Started;
  private readonly later: readonly (readonly Stmt[])[];
  private readonly known = new Map<string, Routine>();

  /** `others`: any may be started; what it writes varies for itself alone. */
  constructor(system: System, others: boolean) {
    this.system = system;
    this.started = STARTED[architectureOf(system.knobs)];
    this.later = this.started.map(bodyOf);
    this.others = others;
  }

  /** The machine that they run on. */
  program(): OpenProgram {
    return lowerOpen(this.system, this.later);
  }

  /** Throws on a routine that is not to be started. */
  of(routine: Startable): Routine {
    const { name, params: parameters, result } = routine;
    let lowered = this.known.get(name);
    if (!lowered) {
      const known = this.others || this.started.some((s) => s.name === name);
      if (!known) throw new Error(`${name} is not to be started`);
      const locals = result === undefined ? {} : { [RESULT]: result };
      const spec = { name, parameters, locals, body: bodyOf(routine) };
      this.known.set(name, (lowered = lowerRoutine(this.system, spec, this.later)));
    }
    return lowered;
  }
}
