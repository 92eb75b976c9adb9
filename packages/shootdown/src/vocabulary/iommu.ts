// SPDX-License-Identifier: Apache-2.0
// SMMUv3 configuration that software writes and hardware reads (Arm IHI 0070, chapters 3 and 5).

import { field } from "../ir/expr.ts";
import { bool, word } from "../ir/sort.ts";
import { asid, t } from "./sorts.ts";

/** CR2.PTM: 1 = broadcast TLB maintenance may be ignored (rule S5). */
export const cr2_ptm = field("cr2_ptm", [], t.bool);
/** CR0.ATSCHK: 1 = Translated requests are checked against STE.EATS (rule S24). */
export const cr0_atschk = field("cr0_atschk", [], t.bool);

/** Stream table entries, by StreamID (rule S1): V, EATS (0b00 or 0b01). */
export const ste_v = field("ste_v", [t.dev], t.bool, 1);
export const ste_eats = field("ste_eats", [t.dev], t.bool);
/** What of an STE is read in one access. */
export const ste = word("ste", [
  { name: "V", sort: bool },
  { name: "EATS", sort: bool },
]);

/** Context descriptors, by SubstreamID (rule S1): V, EPD0, TTB0 as the mm, ASID, ASET. */
export const cd_v = field("cd_v", [t.pasid], t.bool);
export const cd_epd0 = field("cd_epd0", [t.pasid], t.bool);
export const cd_ttb0 = field("cd_ttb0", [t.pasid], t.mm);
export const cd_asid = field("cd_asid", [t.pasid], t.asid);
/** 1 = private: broadcasts by ASID need not apply (rule S6). */
export const cd_aset = field("cd_aset", [t.pasid], t.bool);
/** The first word of a CD; TTB0 is in the second. */
export const cd = word("cd", [
  { name: "V", sort: bool },
  { name: "EPD0", sort: bool },
  { name: "ASID", sort: asid },
]);

/** GERROR.CMDQ_ERR, reason CERROR_ATC_INV_SYNC: command processing has stopped (rule S30). */
export const gerror_cmdq = field("gerror_cmdq", [], t.bool);

/** The PASID that a device uses. */
export const dev_pasid = field("dev_pasid", [t.dev], t.pasid);
/** The endpoint's ATS Enable. */
export const dev_ats = field("dev_ats", [t.dev], t.bool);
/** A device does something after an access: it writes this, which is how a model knows. */
export const device_goes_on = field("device_goes_on", [], t.bool);
/** A transaction of the device waits for CMD_RESUME. */
export const dev_stalled = field("dev_stalled", [t.dev], t.bool);

/** ATS Enable of the endpoint is clear: its requests go untranslated (rule P11). */
export const ats_off = field("ats_off", [t.dev], t.bool);
/** Invalidate Completions that the SMMU awaits (rules P9, P12). */
export const itags_awaited = field("itags_awaited", [], t.int);
/** A function with the erratum of H9 has taken the first of two invalidations. */
export const inv_half = field("inv_half", [t.dev], t.bool);
/** A page request of the device waits for its response (rule P15). */
export const page_request_due = field("page_request_due", [t.dev], t.bool);
/** A function-level reset of the device goes on (rule P11). */
export const in_flr = field("in_flr", [t.dev], t.bool);
/** An Invalidate Request was dropped: no Completion will come (rule P11). */
export const inv_dropped = field("inv_dropped", [], t.bool);

/** The entry of the PRI queue that software reads: a request, or a stop marker (rules P15, P16). */
export const ppr_valid = field("ppr_valid", [t.dev], t.bool);
export const ppr_stop = field("ppr_stop", [t.dev], t.bool);
export const ppr_va = field("ppr_va", [t.dev], t.va);
export const ppr_write = field("ppr_write", [t.dev], t.bool);
export const ppr_last = field("ppr_last", [t.dev], t.bool);
/** Entries of the PRI queue, and whether it has overflowed: no more are taken (rule S29). */
export const priq_count = field("priq_count", [], t.int);
export const priq_overflow = field("priq_overflow", [], t.bool);
/** Responses that a function has received and not looked at. */
export const prg_responses = field("prg_responses", [t.dev], t.int);
