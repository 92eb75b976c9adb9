// SPDX-License-Identifier: Apache-2.0
// How much of a function is told apart: the short form, or what is in flight on the link.
//
// Short form: a translation and its access are one step, and an invalidation takes effect and is
// completed in one step. It is sound because a completed invalidation has drained what was in
// flight (P7, P9) and discarded what was still to be answered (P8): whatever a request in flight
// could do, an access made at that moment with the entry that is still in the ATC does too. That
// holds only while the device has nothing else to do: one that goes on, and signals or reads
// something that tells when, has made its access before. So the long form is needed there, where
// one of those rules is missing, where entries go without a Completion because ATS is disabled, or
// where one asks for it.

import { knobIs, not, or, ruleHolds, varies } from "../../ir/expr.ts";
import { ats_off, device_goes_on } from "../../vocabulary/iommu.ts";

/** Requests of devices are in flight for a while. */
export const INFLIGHT = or(
  knobIs("inflight", "yes"),
  varies(ats_off),
  varies(device_goes_on),
  not(ruleHolds("P7")),
  not(ruleHolds("P8")),
  not(ruleHolds("P9")),
  not(ruleHolds("P12")),
  not(ruleHolds("P18")),
);
