// SPDX-License-Identifier: Apache-2.0
// Who handles the faults of a device with page tables of its own: KVM, or its driver.

import { FALSE } from "../ir/expr.ts";
import { define } from "../ir/machine.ts";
import { callInto, ret, set, when } from "../ir/stmt.ts";
import { handle_shadow_fault } from "../vocabulary/shadow.ts";
import { t } from "../vocabulary/sorts.ts";
import { user_mem_abort } from "./arch/arm64/kvm/mmu.ts";
import { driver_fault } from "./mm/hmm.ts";
import { kvm_guest, mirrors_mm } from "./shadow-state.ts";

export const shadow_fault = [
  define(handle_shadow_fault, {
    source: { file: "KVM, or a driver" },
    locals: { ok: t.bool },
    body: ({ cpu, dev, mm, va, write, ok }) => [
      set(ok, FALSE),
      when(kvm_guest(dev), callInto(ok, user_mem_abort, { cpu, dev, mm, va, write })),
      when(mirrors_mm(dev), callInto(ok, driver_fault, { cpu, dev, mm, va, write })),
      ret(ok),
    ],
  }),
];
