// SPDX-License-Identifier: Apache-2.0
// Configuration caches of an SMMUv3: STEs and CDs that it has read (SMMU 3.21.3; rules S1-S4, S15).
//
//   memory ──any time, word by word──► ste_cache[dev], cd_cache, cd_ttb0_cache[dev, pasid]
//                                       until CMD_CFGI_*: an invalid structure may be kept too (S3)
//
// Where nothing changes the configuration, a cached structure is the one in memory: then the caches
// are left out, and memory is read.

import type { Expr, Place } from "../../ir/expr.ts";
import {
  ANY,
  changes,
  constant,
  eq,
  get,
  ite,
  not,
  or,
  ruleHolds,
  withFields,
} from "../../ir/expr.ts";
import { cell } from "../../ir/machine.ts";
import { bool } from "../../ir/sort.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { clear, forall, lookup, when, whenElse, yields } from "../../ir/stmt.ts";
import {
  cd,
  cd_asid,
  cd_epd0,
  cd_ttb0,
  cd_v,
  dev_pasid,
  ste,
  ste_eats,
  ste_v,
} from "../../vocabulary/iommu.ts";
import { asid, t } from "../../vocabulary/sorts.ts";

const file = "SMMU 3.21.3, 5.2, 5.4";

const steVaries = changes(ste_v, ste_eats);
const cdVaries = changes(cd_v, cd_epd0, cd_asid);
const ttb0Varies = changes(cd_ttb0);

export const ste_cache = cell("ste_cache", {
  keys: { dev: t.dev },
  value: ste,
  fill: ({ dev }) => [yields(withFields(constant(ste, 0), { V: ste_v(dev), EATS: ste_eats(dev) }))],
  admits: (entry) => or(get(entry, "V", bool), ruleHolds("S3")),
  source: { file, rules: ["S1", "S3"] },
});

/** The CDs that a device reaches are those of its PASID. */
const keys = { dev: t.dev, pasid: t.pasid };
const reaches = (dev: Expr<"dev">, pasid: Expr<"pasid">) => eq(dev_pasid(dev), pasid);

export const cd_cache = cell("cd_cache", {
  keys,
  value: cd,
  fill: ({ dev, pasid }) => [
    when(
      reaches(dev, pasid),
      yields(
        withFields(constant(cd, 0), {
          ...{ V: cd_v(pasid), EPD0: cd_epd0(pasid) },
          ASID: cd_asid(pasid),
        }),
      ),
    ),
  ],
  admits: (entry) => or(get(entry, "V", bool), ruleHolds("S3")),
  source: { file, rules: ["S1", "S3"] },
});

/** The word of a CD that holds TTB0: words are read in any order, and kept apart. */
export const cd_ttb0_cache = cell("cd_ttb0_cache", {
  keys,
  value: t.mm,
  fill: ({ dev, pasid }) => [when(reaches(dev, pasid), yields(cd_ttb0(pasid)))],
  source: { file, rules: ["S1", "S3"] },
});

/** What one transaction or walk finds its configuration to be. */
export interface Found {
  readonly stream: Place<"ste">;
  readonly context: Place<"cd">;
  readonly tables: Place<"mm">;
}

export interface Stream {
  readonly dev: Expr<"dev">;
  readonly pasid: Expr<"pasid">;
}

/** Reads the STE: a cached one, or memory's. */
export const findStream = ({ stream }: Pick<Found, "stream">, dev: Expr<"dev">): Stmt =>
  when(steVaries, lookup(stream, ste_cache({ dev })));

/** Reads the first word of the CD. */
export const findContext = ({ context }: Pick<Found, "context">, { dev, pasid }: Stream): Stmt =>
  when(cdVaries, lookup(context, cd_cache({ dev, pasid })));

const fromStream = <S extends string>(
  { stream }: Pick<Found, "stream">,
  read: (s: Expr<"ste">) => Expr<S>,
  memory: Expr<NoInfer<S>>,
): Expr<S> => ite(steVaries, read(stream), memory);

const fromContext = <S extends string>(
  { context }: Pick<Found, "context">,
  read: (c: Expr<"cd">) => Expr<S>,
  memory: Expr<NoInfer<S>>,
): Expr<S> => ite(cdVaries, read(context), memory);

/** STE.V; without rule S1 a stream without a valid entry is let through. */
export const STE_V = (f: Pick<Found, "stream">, dev: Expr<"dev">) =>
  or(
    not(ruleHolds("S1")),
    fromStream(f, (s) => get(s, "V", bool), ste_v(dev)),
  );
/** STE.EATS is not 0b00. */
export const STE_EATS = (f: Pick<Found, "stream">, dev: Expr<"dev">) =>
  fromStream(f, (s) => get(s, "EATS", bool), ste_eats(dev));
export const CD_V = (f: Pick<Found, "context">, pasid: Expr<"pasid">) =>
  fromContext(f, (c) => get(c, "V", bool), cd_v(pasid));
export const CD_EPD0 = (f: Pick<Found, "context">, pasid: Expr<"pasid">) =>
  fromContext(f, (c) => get(c, "EPD0", bool), cd_epd0(pasid));
export const CD_ASID = (f: Pick<Found, "context">, pasid: Expr<"pasid">) =>
  fromContext(f, (c) => get(c, "ASID", asid), cd_asid(pasid));

/** Runs `then` with the tables of the context: those of a cached TTB0, or of memory's. */
export const withTables = (
  { tables }: Pick<Found, "tables">,
  { dev, pasid }: Stream,
  then: (mm: Expr<"mm">) => readonly Stmt[],
): Stmt[] => [
  when(ttb0Varies, lookup(tables, cd_ttb0_cache({ dev, pasid }))),
  ...then(ite(ttb0Varies, tables, cd_ttb0(pasid))),
];

type Key<S extends string> = Expr<S> | typeof ANY;

/** Runs `body` for every context that some stream reaches, its CD found. */
export function eachContext(
  found: Pick<Found, "context">,
  body: (s: Stream) => readonly Stmt[],
): Stmt {
  const one = (dev: Expr<"dev">) =>
    forall(t.pasid, (pasid) => [
      when(reaches(dev, pasid), findContext(found, { dev, pasid }), ...body({ dev, pasid })),
    ]);
  // Streams differ in nothing but what their caches hold.
  return whenElse(
    or(cdVaries, ttb0Varies),
    [forall(t.dev, (dev) => [one(dev)])],
    [forall(t.pasid, (pasid) => body({ dev: constant(t.dev, 0), pasid }))],
  );
}

/** Drops cached CDs; without rule S15 configuration commands do nothing. */
export const forgetContexts = (at: { readonly dev: Key<"dev">; readonly pasid: Key<"pasid"> }) =>
  when(ruleHolds("S15"), clear(cd_cache(at)), clear(cd_ttb0_cache(at)));

/** Drops cached STEs, and the CDs that were reached through them. */
export const forgetStreams = (dev: Key<"dev">): Stmt[] => [
  when(ruleHolds("S15"), clear(ste_cache({ dev }))),
  forgetContexts({ dev, pasid: ANY }),
];
