// SPDX-License-Identifier: Apache-2.0
// What the lowerings of one scenario have in common: a piece of code is made once for all of them.
//
//   site     a thread, or a rule, effect or fill for one choice of its keys
//   variant  what it became, with the answers that this rests on
//
// The variants of a site are never in one program, so they have the same registers.

import type { Kernel } from "../ir/kernel.ts";
import type { Machine } from "../ir/machine.ts";
import type { Asked, FactTable, Names } from "./known.ts";
import type { InitialEntry, Program, System } from "./program.ts";

interface Site {
  readonly registers: number[];
  readonly variants: { readonly made: unknown; readonly asked: Asked }[];
}

interface Known {
  readonly system: System;
  readonly asked: Asked;
  readonly program: Program;
}

/** What a kernel may write with these threads on this machine. */
interface Writes {
  readonly machine: Machine;
  readonly threads: System["threads"];
  readonly observers: System["observers"];
  readonly fields: ReadonlySet<string>;
}

/** For systems that have the domain in common. */
export class Shared {
  readonly facts: FactTable = new Map();
  /** One more than the highest register so far. */
  registers = 0;
  private readonly programs: Known[] = [];
  private readonly writes = new WeakMap<Kernel, Writes>();
  private readonly sites = new Map<object, Map<string, Site>>();
  private site: Site = { registers: [], variants: [] };
  private taken = 0;
  /** Where something was added since it was told to forget. */
  private added: { pop(): unknown }[] | undefined;

  /** What `make` makes of a system, or has made of another that is the same in all that it asks. */
  program(system: System, names: Names, make: (asked: Asked) => Program): Program {
    const known = this.programs.findLast((k) => alike(k.system, system) && names.agrees(k.asked));
    if (known) return known.program;
    const { made: program, asked } = names.asking(make);
    this.keep(this.programs, { system, asked, program });
    return program;
  }

  /** The fields that a system may write, as `find` finds them or has found them. */
  written(system: System, find: () => ReadonlySet<string>): ReadonlySet<string> {
    const { kernel, machine, threads, observers } = system;
    let known = this.writes.get(kernel);
    const same = known?.machine === machine && known.threads === threads;
    if (!known || !same || !sameNames(known.observers, observers)) {
      this.writes.set(kernel, (known = { machine, threads, observers, fields: find() }));
    }
    return known.fields;
  }

  /** What `make` makes for a site, or has made for it when all was as it is now. */
  once<T>(owner: object, key: string, names: Names, make: () => T): T {
    const site = this.siteOf(owner, key);
    const known = site.variants.findLast((v) => names.agrees(v.asked));
    if (known) {
      names.note(known.asked);
      return known.made as T;
    }
    this.site = site;
    this.taken = 0;
    const variant = names.asking(make);
    this.keep(site.variants, variant);
    return variant.made;
  }

  /** Forgets what was made since the last call: systems that will not come again. */
  forget(): void {
    for (const list of this.added ?? []) list.pop();
    this.added = [];
  }

  private keep<T>(list: T[], value: T): void {
    list.push(value);
    this.added?.push(list);
  }

  /** A register of the site for which something is being made. */
  newRegister(): number {
    const { registers } = this.site;
    if (this.taken === registers.length) registers.push(this.registers++);
    return registers[this.taken++]!;
  }

  private siteOf(owner: object, key: string): Site {
    let sites = this.sites.get(owner);
    if (!sites) this.sites.set(owner, (sites = new Map()));
    let site = sites.get(key);
    if (!site) sites.set(key, (site = { registers: [], variants: [] }));
    return site;
  }
}

/** Whether two systems differ at most in their kernel and knobs. */
function alike(a: System, b: System): boolean {
  return (
    a.machine === b.machine &&
    a.initial === b.initial &&
    a.others === b.others &&
    a.threads === b.threads &&
    sameNames(a.observers, b.observers) &&
    sameNames(a.watched ?? [], b.watched ?? []) &&
    a.entries.length === b.entries.length &&
    a.entries.every((e, n) => sameEntry(e, b.entries[n]!))
  );
}

type Named = { readonly name: string };
const sameNames = (a: readonly Named[], b: readonly Named[]): boolean =>
  a === b || (a.length === b.length && a.every((x, n) => x.name === b[n]!.name));

const sameEntry = (a: InitialEntry, b: InitialEntry): boolean =>
  a.cell === b.cell && a.value === b.value && a.index.join() === b.index.join();
