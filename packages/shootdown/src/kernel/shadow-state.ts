// SPDX-License-Identifier: Apache-2.0
// What KVM and drivers that mirror an mm keep: locks, sequence numbers, invalidations under way.

import { field } from "../ir/expr.ts";
import { t } from "../vocabulary/sorts.ts";

/** The device is a guest of KVM, or one whose driver mirrors an mm (mmu_interval_notifier). */
export const kvm_guest = field("kvm_guest", [t.dev], t.bool);
export const mirrors_mm = field("mirrors_mm", [t.dev], t.bool);
/** kvm->mmu_lock, or the lock of the driver. */
export const mmu_lock = field("mmu_lock", [t.dev], t.bool);
/**
 * The sequence number has moved since the one fault under way took it: kvm->mmu_invalidate_seq, or
 * that of the mmu_interval_notifier.
 */
export const invalidate_seq_moved = field("invalidate_seq_moved", [t.dev], t.bool);
/** kvm->mmu_invalidate_in_progress. */
export const mmu_invalidate_in_progress = field("mmu_invalidate_in_progress", [t.dev], t.int);
/** subscriptions->active_invalidate_ranges, and whether one of them concerns this notifier. */
export const active_invalidate_ranges = field("active_invalidate_ranges", [t.mm], t.int);
export const interval_invalidating = field("interval_invalidating", [t.dev], t.bool);
/** mmu_notifier_release() has taken the subscribers, guests among them, off the list. */
export const mmu_notifiers_released = field("mmu_notifiers_released", [t.mm], t.bool);
