// SPDX-License-Identifier: Apache-2.0
// Interrupts between CPUs, and the handler that runs between the target's instructions.
//
//   send_ipi ──► ipi[target] ──while interrupts are enabled──► in_service ──► the kernel's handler
//
// The handler is a thread of its own beside the target's program. While it runs, interrupts are
// off, so that what the program does with interrupts off and the handler exclude each other; the
// rest of the program and the handler touch nothing in common but caches, which refill anyway.

import { FALSE, field, TRUE } from "../../ir/expr.ts";
import { define, pending } from "../../ir/machine.ts";
import { atomic, await_, call, emit, post, set } from "../../ir/stmt.ts";
import { events } from "../../vocabulary/events.ts";
import { t } from "../../vocabulary/sorts.ts";
import {
  interrupt_handler,
  local_irq_disable,
  local_irq_enable,
  send_ipi,
  smp_mb,
  take_interrupt,
} from "../../vocabulary/x86.ts";

/** RFLAGS.IF. */
export const irqs_enabled = field("irqs_enabled", [t.cpu], t.bool, 1);
/** A handler runs on the CPU. */
export const in_service = field("in_service", [t.cpu], t.bool);

/** Interrupts sent to a CPU that it has not taken. */
export const ipi = pending("ipi", {
  keys: { target: t.cpu },
  entry: { from: t.cpu },
  capacity: "IPIS",
  ready: ({ target }) => irqs_enabled(target),
  effect: ({ target }) => [set(irqs_enabled(target), FALSE), set(in_service(target), TRUE)],
  source: { file: "Intel SDM 10.6, 6.8.1", rules: ["X5"] },
});

const source = { file: "Intel SDM 6.8.1, 10.6", rules: ["X5"] };

export const send_ipi_definition = define(send_ipi, {
  source,
  body: ({ cpu, target }) => [
    call(smp_mb, { cpu }),
    post(ipi({ target }), { from: cpu }),
    emit(events.ipi, { cpu, target }),
  ],
});

export const take_interrupt_definition = define(take_interrupt, {
  source,
  body: ({ cpu }) => [
    await_(in_service(cpu)),
    call(interrupt_handler, { cpu }),
    // IRET serializes.
    call(smp_mb, { cpu }),
    atomic(set(in_service(cpu), FALSE), set(irqs_enabled(cpu), TRUE)),
  ],
});

export const local_irq_disable_definition = define(local_irq_disable, {
  source,
  body: ({ cpu }) => [atomic(await_(irqs_enabled(cpu)), set(irqs_enabled(cpu), FALSE))],
});

export const local_irq_enable_definition = define(local_irq_enable, {
  source,
  body: ({ cpu }) => [set(irqs_enabled(cpu), TRUE)],
});
