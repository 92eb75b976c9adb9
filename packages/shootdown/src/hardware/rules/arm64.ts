// SPDX-License-Identifier: Apache-2.0
// The rules of an arm64 PE (A1-A32): Arm ARM DDI 0487, VMSAv8-64.
//
// `status: MODELLED` needs a scenario whose head names the rule: test/rules.test.ts looks.

import type { HardwareRule } from "./rule.ts";
import { MODELLED, notModelled } from "./rule.ts";

export const ARM64: readonly HardwareRule[] = [
  {
    id: "A1",
    title: "faulting descriptors are not cached",
    text:
      "A descriptor that leads to a translation, address-size or access-flag fault is in " +
      "no TLB. So an entry that becomes valid, or young, needs no TLBI.",
    source: "Arm ARM R_XCLRD, I_WZCBG; G5.8",
    status: MODELLED,
  },
  {
    id: "A2",
    title: "anything else may be cached at any time",
    text:
      "Every other descriptor that the current tables reach may be cached, leaf or table, " +
      "by an access or by speculation; the program need not ask for it.",
    source: "Arm ARM R_SQBCS, I_RCGCH",
    status: MODELLED,
  },
  {
    id: "A3",
    title: "an entry that only denies may stay",
    text:
      "A cached entry that gives a permission fault is an entry like any other: after the " +
      "descriptor became writable it may go on denying, and the fault does not remove it.",
    source: "Arm ARM G5.8, D8.16",
    status: MODELLED,
  },
  {
    id: "A4",
    title: "entries go at any time",
    text:
      "A TLB entry may be lost whenever the hardware likes, and maintenance may remove " +
      "more than it was asked to.",
    source: "Arm ARM R_KKDKL, R_MMZTY, I_YGYRY",
    status: MODELLED,
  },
  {
    id: "A5",
    title: "maintenance reaches walks under way",
    text:
      "A TLBI also covers what a table walk has read and not yet finished with, so that " +
      "no walk puts a removed entry back.",
    source: "Arm ARM R_RVJDB",
    status: MODELLED,
  },
  {
    id: "A6",
    title: "what an entry is tagged with",
    text:
      "Translation regime, VMID, and ASID unless the leaf is global. Entries for tables " +
      "above the last level carry the ASID whatever the leaf says.",
    source: "Arm ARM R_NWYRD, R_CHVGJ, I_YWBQX",
    status: MODELLED,
  },
  {
    id: "A7",
    title: "how table entries are indexed",
    text:
      "A walk cache may be indexed by the address that is translated or by where the " +
      "descriptor lies. Maintenance by address finds its entries either way.",
    source: "Arm ARM R_ZYZYK, R_BKKRB, R_TJQVP",
    status: MODELLED,
  },
  {
    id: "A8",
    title: "splintered and contiguous entries",
    text:
      "A block may be cached in pieces, and maintenance of any address in it removes all " +
      "of them. A contiguous group may be one entry made from any member, yet each member " +
      "has to be invalidated.",
    source: "Arm ARM D8.17 R_LGSCG, R_TVTYQ, R_LQLSD, I_JQPNP",
    status: MODELLED,
  },
  {
    id: "A9",
    title: "entries that combine both stages",
    text:
      "Maintenance by IPA may leave entries that hold the result of stage 1 and stage 2 " +
      "together; removing a stage-2 mapping takes stage-1 maintenance after it.",
    source: "Arm ARM D8.17.6.1, R_VZZVZ",
    status: MODELLED,
  },
  {
    id: "A10",
    title: "shared entries (CnP)",
    text:
      "With TTBR.CnP set, PEs of the Inner Shareable domain may use each other's entries; " +
      "if their tables differ, the result is constrained unpredictable.",
    source: "Arm ARM R_FWQJZ, R_QLGWZ",
    status: MODELLED,
  },
  {
    id: "A11",
    title: "cached control bits",
    text:
      "Fields of system registers that are allowed to be cached in a TLB are part of its " +
      "entries: changing them takes a TLBI.",
    source: "Arm ARM I_LBGNR, R_JBNTF, R_VNRFW",
    status: notModelled("control registers do not change while a model runs"),
  },
  {
    id: "A12",
    title: "the access flag may be set early",
    text:
      "Hardware may set the access flag by speculation, for an access that never happens. " +
      "For an access that happens it is set.",
    source: "Arm ARM D8.5 R_LHQRX, I_LLCCB, I_GXGPN",
    status: MODELLED,
  },
  {
    id: "A13",
    title: "dirty state is set by writes alone",
    text:
      "Stage-1 dirty state is not set by speculation: without a write the descriptor " +
      "stays clean, apart from a short list of faulting writes.",
    source: "Arm ARM R_RNMLQ, R_DYCFD, R_QDRWL",
    status: MODELLED,
  },
  {
    id: "A14",
    title: "updates look at memory again",
    text:
      "Setting dirty state is an atomic read-modify-write. If memory no longer holds what " +
      "was cached, the new descriptor decides. An entry cached as dirty writes without " +
      "touching memory.",
    source: "Arm ARM R_PQJJR, R_SGJBL, I_YZSVV",
    status: MODELLED,
  },
  {
    id: "A15",
    title: "dirty implies accessed",
    text:
      "No descriptor is dirty with its access flag clear. With FEAT_HAFT, table " +
      "descriptors have an access flag too, and one with it clear is not cached.",
    source: "Arm ARM I_DSHLJ, R_JFCYB, R_XYNNS",
    status: MODELLED,
  },
  {
    id: "A16",
    title: "updates without break-before-make",
    text:
      "Where break-before-make was due and left out, an update of access flag or dirty " +
      "state may be missed, hit another location, or lose its order.",
    source: "Arm ARM I_GXGZY, R_RTBRL",
    status: notModelled(
      "a sequence that leaves break-before-make out is reported, not followed further",
    ),
  },
  {
    id: "A17",
    title: "when break-before-make is due",
    text:
      "With tables in use by several agents: a change of memory type, of the output " +
      "address where one side is writable or contents differ, of the size of a block, or " +
      "to a global entry over others.",
    source: "Arm ARM R_WHZWS; herd aarch64bbm.cat",
    status: MODELLED,
  },
  {
    id: "A18",
    title: "the sequence of break-before-make",
    text:
      "Store an invalid descriptor, DSB, broadcast TLBI of sufficient scope, DSB, store " +
      "the new descriptor, DSB.",
    source: "Arm ARM R_DDMVT",
    status: MODELLED,
  },
  {
    id: "A19",
    title: "what its absence allows",
    text:
      "A conflict abort, or a translation that agrees with one of the matching entries or " +
      "is mixed from several of them. FEAT_BBM levels 1 and 2 narrow this for a change of " +
      "size.",
    source: "Arm ARM D8.17.1, R_KHRBC, R_FCPSG, I_HYQMB, R_BLRKC",
    status: MODELLED,
  },
  {
    id: "A20",
    title: "walkers see a store after a DSB",
    text:
      "Walks are ordered by neither program order nor DMB. A DSB makes the store visible " +
      "to walkers of its domain; later accesses of the same PE take a context " +
      "synchronization too, unless FEAT_ETS2.",
    source: "Arm ARM D8.2, B2.3.12; herd aarch64.cat",
    status: MODELLED,
  },
  {
    id: "A21",
    title: "what each TLBI covers",
    text:
      "By address or for an ASID or for all; the last level alone (L) or tables above " +
      "too; global entries stay when an ASID is invalidated; ranges cover their " +
      "addresses.",
    source: "Arm ARM D8.17.5.4, C5.5",
    status: MODELLED,
  },
  {
    id: "A22",
    title: "hints must be right",
    text:
      "With a wrong level hint (TTL), or a range operation of another granule (TG), " +
      "nothing need be invalidated.",
    source: "Arm ARM R_SQXYZ, R_XKMMX, R_XMZFH, R_YNPVV, D8.17.5.2",
    status: MODELLED,
  },
  {
    id: "A23",
    title: "how far a TLBI reaches",
    text:
      "IS forms reach every PE of the Inner Shareable domain, OS forms the outer one, " +
      "others the executing PE alone, whatever the shareability of the memory.",
    source: "Arm ARM R_FZTHY, D8.17.5",
    status: MODELLED,
  },
  {
    id: "A24",
    title: "unordered until a DSB",
    text:
      "A TLBI may take effect in any order with other instructions and other TLBIs, until " +
      "a DSB stands between.",
    source: "Arm ARM R_TGVWD",
    status: MODELLED,
  },
  {
    id: "A25",
    title: "when a TLBI is finished on a PE",
    text:
      "The PE's accesses by the old translation are done. Entries that equal what memory " +
      "holds may stay.",
    source: "Arm ARM R_WWQZZ, I_SFCHD",
    status: MODELLED,
  },
  {
    id: "A26",
    title: "when a TLBI is complete",
    text:
      "When it is finished on every PE in reach. Then no new access by the old " +
      "translation is made by any of them.",
    source: "Arm ARM R_DCJQM, R_LXHLD, I_CPZSM",
    status: MODELLED,
  },
  {
    id: "A27",
    title: "who knows that it is complete",
    text:
      "The PE that issued it, by a DSB; for its own TLB a context synchronization " +
      "besides, unless FEAT_ETS2. A DSB of another PE tells nothing.",
    source: "Arm ARM R_PSMWS, R_YNJCP, R_BLDZX; Linux tlbflush.h",
    status: MODELLED,
  },
  {
    id: "A28",
    title: "nXS forms",
    text:
      "With FEAT_XS, completion of an nXS operation does not wait for accesses with XS=1; " +
      "those take a plain TLBI and a plain DSB.",
    source: "Arm ARM I_TFQRW, R_TSJSN",
    status: MODELLED,
  },
  {
    id: "A29",
    title: "nobody undoes an invalidation",
    text:
      "Another PE does not put an invalidated entry back into a TLB so that the " +
      "invalidation seems not to have happened.",
    source: "Arm ARM I_BWGVK",
    status: MODELLED,
  },
  {
    id: "A30",
    title: "the sequence that software needs",
    text:
      "DSB ISHST, TLBI, DSB ISH, ISB. Without the first, a walker may read the old " +
      "descriptor after the TLBI.",
    source: "Arm ARM D8.17; Linux tlbflush.h",
    status: MODELLED,
  },
  {
    id: "A31",
    title: "ASIDs and rollover",
    text:
      "An ASID means the same on every PE of the domain, and its old entries go before it " +
      "is used again. Linux flushes each PE at its next switch; an SMMU hears nothing of " +
      "that, hence pinned ASIDs.",
    source: "Arm ARM R_KHXQX, G5.8.1; Linux arch/arm64/mm/context.c",
    status: MODELLED,
  },
  {
    id: "A32",
    title: "Linux's upgrade policy on arm64",
    text:
      "A permission upgrade invalidates by broadcast when dirty, so that a spurious fault " +
      "needs nothing; newer kernels invalidate locally, and a spurious fault tells no " +
      "secondary TLB.",
    source: "Linux arch/arm64/mm/fault.c, asm/pgtable.h",
    status: notModelled("a policy of the kernel: overlay local-upgrade, scenario upgrade"),
  },
];
