// SPDX-License-Identifier: Apache-2.0
// Boot: runs the kernel's own set-up once (SMMU reset, SVA bind; on x86 a switch to each mm), and
// keeps what it wrote.

import { lower } from "../engine/lower.ts";
import { PackedMachine } from "../engine/packed.ts";
import type { Initial, Program, System } from "../engine/program.ts";
import { sizeOf } from "../engine/program.ts";
import { Shared } from "../engine/shared.ts";
import { machineOf } from "../hardware/machines.ts";
import type { FieldDecl } from "../ir/expr.ts";
import { add, constant, num } from "../ir/expr.ts";
import type { Kernel } from "../ir/kernel.ts";
import { bool } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import { call, set, when } from "../ir/stmt.ts";
import { switch_mm } from "../kernel/arch/x86/mm/tlb.ts";
import {
  ctx_id,
  ctx_tlb_gen,
  loaded_kind,
  loaded_mm,
  mm_cpumask,
} from "../kernel/arch/x86/state.ts";
import { arm_smmu_device_reset, arm_smmu_sva_bind } from "../kernel/iommu/arm-smmu-v3-sva.ts";
import {
  dev_attached,
  dev_mm,
  master_ats_enabled,
  mm_subscribed,
  nr_ats_masters,
} from "../kernel/state.ts";
import { architectureOf } from "../vocabulary/architecture.ts";
import {
  cd_aset,
  cd_asid,
  cd_epd0,
  cd_ttb0,
  cd_v,
  cr0_atschk,
  cr2_ptm,
  dev_ats,
  dev_pasid,
  ste_eats,
} from "../vocabulary/iommu.ts";
import { t } from "../vocabulary/sorts.ts";
import { cr3, cr3_user } from "../vocabulary/x86.ts";
import type { World } from "./world.ts";

/** What set-up leaves behind. */
const WRITTEN: readonly FieldDecl[] = [
  ...[cr0_atschk, cr2_ptm, ste_eats, cd_v, cd_epd0, cd_ttb0, cd_asid, cd_aset].map((f) => f.decl),
  ...[dev_pasid, dev_ats, dev_attached, dev_mm, mm_subscribed].map((f) => f.decl),
  ...[master_ats_enabled, nr_ats_masters].map((f) => f.decl),
];

const WRITTEN_X86: readonly FieldDecl[] = [
  ...[cr3, cr3_user, mm_cpumask, loaded_kind, loaded_mm, ctx_id, ctx_tlb_gen].map((f) => f.decl),
];

/** The set-up of a world, which is run for each kernel that does it in another way. */
interface SetUp {
  readonly machine: System["machine"];
  readonly threads: System["threads"];
  readonly shared: Shared;
}

const setUps = new WeakMap<World, Map<string, SetUp>>();
/** What each set-up, lowered, leaves behind. */
const left = new WeakMap<Program, readonly Initial[]>();

/** The initial state after the kernel has set up the SMMU and bound the devices, or switched. */
export function boot(
  world: World,
  kernel: Kernel,
  knobs: Readonly<Record<string, string>>,
): readonly Initial[] {
  const { machine, threads, shared } = setUpOf(world, knobs);
  const { domain, initial } = world;
  const rest = { kernel, domain, knobs, observers: [], initial, entries: [] };
  const program = lower({ machine, threads, ...rest }, { keepAll: true, shared });
  let known = left.get(program);
  if (!known) {
    const written = architectureOf(knobs) === "x86" ? WRITTEN_X86 : WRITTEN;
    // A field that the set-up does not touch begins as declared.
    const own = (kernel.fields ?? []).filter((f) => program.fields.includes(f));
    left.set(program, (known = run(program, world, [...written, ...own])));
  }
  return known;
}

function setUpOf(world: World, knobs: Readonly<Record<string, string>>): SetUp {
  const architecture = architectureOf(knobs);
  const key = `${architecture} ${knobs["ats"]}`;
  let known = setUps.get(world);
  if (!known) setUps.set(world, (known = new Map()));
  let setUp = known.get(key);
  if (!setUp) {
    const body = architecture === "x86" ? switches(world) : bindings(world, knobs);
    const machine = { ...machineOf(knobs), cells: [], pending: [], rules: [] };
    const threads = [{ name: "boot", locals: {}, body }];
    known.set(key, (setUp = { machine, threads, shared: new Shared() }));
  }
  return setUp;
}

function run(program: Program, world: World, written: readonly FieldDecl[]): readonly Initial[] {
  const machine = new PackedMachine(program, { semantics: "concrete" });
  let state = machine.initial();
  for (let moved = true; moved; ) {
    moved = false;
    machine.successors(machine.transitions[0]!, state, 0, () => {
      moved = true;
      state = machine.state.slice();
    });
  }
  machine.load(state, 0);
  return [...world.initial, ...written.flatMap((field) => read(machine, field, world))];
}

/** The SMMU is reset, and each device bound to its mm. */
function bindings(world: World, knobs: Readonly<Record<string, string>>): Stmt[] {
  const flag = (b: boolean) => constant(bool, b ? 1 : 0);
  return [
    call(arm_smmu_device_reset, {}),
    ...world.devices
      .filter((d) => d.tables === undefined)
      .flatMap((d) => {
        const dev = constant(t.dev, d.dev);
        const mm = constant(t.mm, d.mm);
        return [
          call(arm_smmu_sva_bind, { dev, mm, subscribe: flag(d.registered) }),
          set(dev_ats(dev), flag(d.ats ?? knobs["ats"] === "yes")),
          set(ste_eats(dev), dev_ats(dev)),
          set(master_ats_enabled(dev), dev_ats(dev)),
          when(dev_ats(dev), set(nr_ats_masters(mm), add(nr_ats_masters(mm), num(1)))),
        ];
      }),
  ];
}

/** Each CPU switches to the mm that its program runs. */
const switches = (world: World): Stmt[] =>
  world.cpus.flatMap(({ mm }, n) =>
    mm === undefined ? [] : [call(switch_mm, { cpu: constant(t.cpu, n), mm: constant(t.mm, mm) })],
  );

function read(machine: PackedMachine, field: FieldDecl, world: World): Initial[] {
  const sizes = field.index.map((s) => sizeOf(s, world.domain));
  const count = sizes.reduce((a, b) => a * b, 1);
  return Array.from({ length: count }, (_, n) => {
    const index = sizes.map((size, d) => {
      const below = sizes.slice(d + 1).reduce((a, b) => a * b, 1);
      return Math.floor(n / below) % size;
    });
    const value = machine.field(field.name, index) ?? 0;
    return { field, index, value };
  });
}
