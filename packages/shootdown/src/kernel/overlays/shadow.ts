// SPDX-License-Identifier: Apache-2.0
// Overlays of those who keep page tables of their own: KVM and drivers that mirror an mm.

import { editing } from "../../ir/kernel.ts";
import type { NamedOverlay } from "../overlays.ts";

export const SHADOW_OVERLAYS: readonly NamedOverlay[] = [
  {
    name: "kvm-no-retry",
    describes: "a guest's fault maps what it has looked up, whatever was invalidated meanwhile",
    overlay: editing("user_mem_abort", "retry", () => []),
  },
  {
    name: "kvm-no-flush",
    describes: "KVM takes entries out and leaves the guest's TLB alone",
    overlay: editing("kvm_unmap_gfn_range", "flush", () => []),
  },
  {
    name: "kvm-relax-unflushed",
    describes: "a guest's fault makes an entry writable and leaves the guest's TLB alone",
    overlay: editing("user_mem_abort", "relax", () => []),
  },
  {
    name: "kvm-seq-late",
    describes: "a guest's fault takes the sequence number after it has looked the page up",
    overlay: (base) => {
      const moved = editing("user_mem_abort", "seq", () => [])(base);
      const old = base.routines.get("user_mem_abort")!.body();
      const seq = old.find((s) => s.k === "label" && s.name === "seq")!;
      return editing("user_mem_abort", "retry", (retry) => [seq, retry])(moved);
    },
  },
  {
    name: "hmm-no-retry",
    describes: "a driver maps what hmm_range_fault() gave it, whatever was invalidated meanwhile",
    overlay: editing("driver_fault", "retry", () => []),
  },
  {
    name: "hmm-no-flush",
    describes: "a driver zaps its own page table and leaves its device's TLB alone",
    overlay: editing("driver_invalidate", "flush", () => []),
  },
  {
    name: "start-unpaired",
    describes: "no end for those who started where another would block: before c2655835fd8c",
    overlay: editing("mmu_notifier_invalidate_range_start_nonblock", "pair", () => []),
  },
];
