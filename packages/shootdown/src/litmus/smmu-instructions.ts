// SPDX-License-Identifier: Apache-2.0
// Commands and configuration of an SMMUv3 in scenarios: `CMD_TLBI_*`, `CMD_CFGI_*`, `set_cd` ...
//
// A store to a CD or STE is visible to the SMMU at once; what it has cached stays until CMD_CFGI_*.

import type { Place } from "../ir/expr.ts";
import { constant } from "../ir/expr.ts";
import type { Stmt } from "../ir/stmt.ts";
import { set } from "../ir/stmt.ts";
import { cd_epd0, cd_ttb0, cd_v, dev_pasid, ste_eats, ste_v } from "../vocabulary/iommu.ts";
import { t } from "../vocabulary/sorts.ts";
import type { VerbStatement } from "./ast.ts";
import type { World } from "./world.ts";

/** A store to a CD or STE; undefined: the verb is none. */
export function configures(s: VerbStatement, world: World): readonly Stmt[] | undefined {
  const word = (n: number) => {
    const arg = s.args[n];
    return arg?.kind === "name" ? arg.name.text : "";
  };
  const dev = constant(
    t.dev,
    Math.max(
      0,
      world.devices.findIndex((d) => d.name === word(0)),
    ),
  );
  const pasid = dev_pasid(dev);
  const mm = constant(t.mm, Math.max(0, world.mms.indexOf(word(1))));
  const flag = (to: Place<"bool">, yes: boolean): readonly Stmt[] => [
    set(to, constant(t.bool, yes ? 1 : 0)),
  ];
  const of: Readonly<Record<string, () => readonly Stmt[]>> = {
    valid: () => flag(cd_v(pasid), true),
    invalid: () => flag(cd_v(pasid), false),
    walks: () => flag(cd_epd0(pasid), false),
    "no-walks": () => flag(cd_epd0(pasid), true),
  };
  const ofStream: typeof of = {
    valid: () => flag(ste_v(dev), true),
    invalid: () => flag(ste_v(dev), false),
    ats: () => flag(ste_eats(dev), true),
    "no-ats": () => flag(ste_eats(dev), false),
  };
  switch (s.verb.text) {
    case "set_cd":
      return of[word(1)]!();
    case "set_ste":
      return ofStream[word(1)]!();
    case "set_cd_ttb0":
      return [set(cd_ttb0(pasid), mm)];
    default:
      return undefined;
  }
}
