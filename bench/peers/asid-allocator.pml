// SPDX-License-Identifier: Apache-2.0
// The ASID allocator for Spin: the transition system of bench/models/asid-allocator.ts with the
// TLBs of asidModel(). Constants are given on the command line: `spin -a -DMMS=3 ...`; BUG is 0 or
// the number of a seeded bug in the order of BUGS. One process, so that a state is the variables.

#ifndef CPUS
#define CPUS 2
#endif
#ifndef MMS
#define MMS 2
#endif
#ifndef ASIDS
#define ASIDS 4
#endif
#ifndef ROLLOVERS
#define ROLLOVERS 1
#endif
#ifndef PAGES
#define PAGES 1
#endif
#ifndef BUG
#define BUG 0
#endif

// A PTE that nobody has touched is valid if the mm has a page.
#define UNTOUCHED 0
#define HELD 1
#define CLEARING 2
#define CLEARED 3
#define FREED 4

#define RUN 0
#define OLD 1
#define GEN 2
#define CAS 3
#define LOCK 4
#define ROLL 5
#define XCHG 6
#define SET 7
#define FLUSH 8
#define ACTIVE 9
#define TAG 10
#define TABLE 11
#define WIPE 12
#define DSB 13
#define READ 14
#define TLBI 15
#define FREE 16

// A context is a generation and an ASID: generation * ASIDS + asid; 0 is none.
byte context_id[MMS + 1];
byte generation = 1;
bool asid_map[ASIDS];
byte cur_idx = 1;
byte active_id[CPUS];
byte reserved[CPUS];
bool flush_pending[CPUS];
bool locked;
byte pte[MMS + 1];
byte ttbr[CPUS];
byte ttbr_asid[CPUS];
bool running[CPUS];
byte task[CPUS];
byte tlb[CPUS * ASIDS];
// Registers; 0 wherever they do not matter.
byte pc[CPUS];
byte next[CPUS];
byte id[CPUS];
byte old[CPUS];
byte tag[CPUS];
byte who[CPUS];

// Only within a step.
hidden byte i, j, v, hit;

#define VALID(m) (pte[m] == UNTOUCHED && m > 0 && m <= PAGES)
#define WALKABLE(m) (VALID(m) || pte[m] == HELD || pte[m] == CLEARING)
#define QUIET(m) (pte[m] == UNTOUCHED || pte[m] == FREED)
#define TLB(c, a) tlb[(c) * ASIDS + (a)]
#define USED(c) TLB(c, ttbr_asid[c])
#define MINE(c) (active_id[c] == 0 -> reserved[c] : active_id[c])

// What is asserted, as the observers of the model do, where it may cease to hold.
inline exposed() {
  i = 0;
  do
  :: i < CPUS ->
    assert(!running[i] || USED(i) == 0 || USED(i) == ttbr[i]);
    assert(!running[i] || USED(i) == 0 || pte[USED(i)] != FREED);
    j = 1;
    do
    :: j <= MMS ->
      assert(flush_pending[i] || pte[j] != FREED || TLB(i, context_id[j] % ASIDS) != j);
      j++
    :: else -> break
    od;
    i++
  :: else -> break
  od;
  i = 0; j = 0
}

inline settled() {
  i = 0;
  do
  :: i < CPUS ->
    if
    :: running[i] ->
      assert(MINE(i) == context_id[ttbr[i]] && context_id[ttbr[i]] % ASIDS == ttbr_asid[i]);
      assert(asid_map[ttbr_asid[i]]);
      assert(active_id[i] == 0 || active_id[i] / ASIDS == generation);
      j = 0;
      do
      :: j < CPUS ->
        assert(!running[j] || ttbr[i] == ttbr[j] || ttbr_asid[i] != ttbr_asid[j]);
        j++
      :: else -> break
      od
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0; j = 0
}

// The first free ASID from `from` on into `v`; 0 if there is none.
inline free_from(from) {
  v = from;
  do
  :: v < ASIDS && asid_map[v] -> v++
  :: else -> break
  od;
  if
  :: v == ASIDS -> v = 0
  :: else
  fi
}

inline hand(c) {
  asid_map[v] = true;
  cur_idx = v;
  id[c] = generation * ASIDS + v;
  pc[c] = SET
}

inline claim(c) {
  if
  :: BUG == 3 -> pte[next[c]] = HELD; pc[c] = READ
  :: BUG == 4 -> pte[next[c]] = HELD; tag[c] = context_id[next[c]] % ASIDS; pc[c] = WIPE
  :: BUG == 5 -> pte[next[c]] = CLEARING; pc[c] = READ
  :: else -> pte[next[c]] = CLEARING; pc[c] = DSB
  fi
}

inline lock(c) {
  locked = true;
  id[c] = context_id[next[c]];
  if
  :: id[c] / ASIDS == generation -> pc[c] = FLUSH
  :: else ->
    pc[c] = ROLL;
    if
    :: id[c] != 0 ->
      hit = false;
      i = 0;
      do
      :: i < CPUS ->
        if
        :: reserved[i] == id[c] && !(BUG == 6 && hit) ->
          hit = true;
          reserved[i] = generation * ASIDS + id[c] % ASIDS
        :: else
        fi;
        i++
      :: else -> break
      od;
      i = 0;
      if
      :: hit || !asid_map[id[c] % ASIDS] || BUG == 10 ->
        asid_map[id[c] % ASIDS] = true;
        id[c] = generation * ASIDS + id[c] % ASIDS;
        pc[c] = SET
      :: else
      fi;
      hit = false
    :: else
    fi;
    if
    :: pc[c] == ROLL ->
      id[c] = 0;
      free_from(cur_idx);
      if
      :: v != 0 -> hand(c)
      :: else
      fi;
      v = 0
    :: else
    fi
  fi
}

inline rollover() {
  generation++;
  i = 0;
  do
  :: i < ASIDS -> asid_map[i] = false; i++
  :: else -> break
  od;
  i = 0
}

inline exchange(c) {
  v = active_id[who[c]];
  active_id[who[c]] = 0;
  if
  :: v == 0 && BUG != 7 -> v = reserved[who[c]]
  :: else
  fi;
  asid_map[v % ASIDS] = true;
  reserved[who[c]] = v;
  who[c]++;
  if
  :: who[c] == CPUS ->
    who[c] = 0;
    i = 0;
    do
    :: i < CPUS -> flush_pending[i] = (BUG != 1); i++
    :: else -> break
    od;
    i = 0;
    free_from(1);
    assert(v != 0);
    hand(c)
  :: else
  fi;
  v = 0
}

inline allocated(m) {
  i = 1;
  do
  :: i <= MMS -> assert(i == m || context_id[i] != context_id[m]); i++
  :: else -> break
  od;
  i = 0
}

inline flush(c) {
  i = 0;
  do
  :: flush_pending[c] && i < ASIDS -> TLB(c, i) = 0; i++
  :: else -> break
  od;
  i = 0;
  flush_pending[c] = false
}

inline invalidate(a) {
  i = 0;
  do
  :: i < CPUS -> TLB(i, a) = 0; i++
  :: else -> break
  od;
  i = 0
}

#define SWITCH(c, m) \
  :: d_step { pc[c] == RUN && ttbr[c] != m -> \
      next[c] = m; id[c] = context_id[m]; running[c] = false; task[c] = m; pc[c] = OLD }
#define UNMAP(c, m) \
  :: d_step { pc[c] == RUN && VALID(m) -> next[c] = m; claim(c) }
#define EVICT(c, a) \
  :: d_step { TLB(c, a) != 0 -> TLB(c, a) = 0 }
#if CPUS > 1
#define UNUSED(m) (ttbr[0] != m && task[0] != m && ttbr[1] != m && task[1] != m)
#else
#define UNUSED(m) (ttbr[0] != m && task[0] != m)
#endif
#define EXIT(m) \
  :: d_step { context_id[m] != 0 && QUIET(m) && UNUSED(m) -> \
      context_id[m] = 0; if :: VALID(m) -> pte[m] = FREED :: else fi; exposed() }

#if MMS > 2
#define FOR_MMS(what, c) what(c, 1) what(c, 2) what(c, 3)
#else
#define FOR_MMS(what, c) what(c, 1) what(c, 2)
#endif
#if ASIDS > 3
#define FOR_ASIDS(what, c) what(c, 1) what(c, 2) what(c, 3)
#else
#define FOR_ASIDS(what, c) what(c, 1) what(c, 2)
#endif

#define CPU(c) \
  FOR_MMS(SWITCH, c) \
  FOR_MMS(UNMAP, c) \
  :: d_step { pc[c] == OLD -> \
      if :: active_id[c] == 0 -> id[c] = 0; pc[c] = LOCK \
         :: else -> old[c] = active_id[c]; pc[c] = GEN fi } \
  :: d_step { pc[c] == GEN -> \
      if :: id[c] / ASIDS != generation -> id[c] = 0; old[c] = 0; pc[c] = LOCK \
         :: else -> if :: BUG == 8 -> old[c] = 0 :: else fi; pc[c] = CAS fi } \
  :: d_step { pc[c] == CAS -> \
      if :: active_id[c] == old[c] || BUG == 8 -> active_id[c] = id[c]; pc[c] = TAG \
         :: else -> pc[c] = LOCK fi; \
      id[c] = 0; old[c] = 0 } \
  :: d_step { pc[c] == LOCK && !locked -> lock(c) } \
  :: d_step { pc[c] == ROLL && generation <= ROLLOVERS -> rollover(); pc[c] = XCHG } \
  :: d_step { pc[c] == XCHG -> exchange(c) } \
  :: d_step { pc[c] == SET -> context_id[next[c]] = id[c]; pc[c] = FLUSH; allocated(next[c]) } \
  :: d_step { pc[c] == FLUSH -> flush(c); pc[c] = ACTIVE } \
  :: d_step { pc[c] == ACTIVE -> \
      active_id[c] = id[c]; id[c] = 0; locked = false; pc[c] = TAG; settled() } \
  :: d_step { pc[c] == TAG -> \
      if :: BUG != 9 -> ttbr[c] = 0 :: else fi; \
      ttbr_asid[c] = context_id[next[c]] % ASIDS; pc[c] = TABLE } \
  :: d_step { pc[c] == TABLE -> \
      ttbr[c] = next[c]; running[c] = true; next[c] = 0; pc[c] = RUN; \
      if :: !locked -> settled() :: else fi; exposed() } \
  :: d_step { pc[c] == WIPE -> pte[next[c]] = CLEARING; pc[c] = DSB } \
  :: d_step { pc[c] == DSB -> pte[next[c]] = CLEARED; \
      pc[c] = (BUG == 2 || BUG == 3 || BUG == 5 -> FREE : (BUG == 4 -> TLBI : READ)) } \
  :: d_step { pc[c] == READ -> tag[c] = context_id[next[c]] % ASIDS; pc[c] = TLBI } \
  :: d_step { pc[c] == TLBI -> invalidate(tag[c]); tag[c] = 0; \
      pc[c] = (BUG == 3 -> WIPE : (BUG == 5 -> DSB : FREE)) } \
  :: d_step { pc[c] == FREE -> pte[next[c]] = FREED; next[c] = 0; pc[c] = RUN; exposed() } \
  :: d_step { USED(c) == 0 && WALKABLE(ttbr[c]) -> USED(c) = ttbr[c]; exposed() } \
  FOR_ASIDS(EVICT, c)

active proctype system() {
  do
  CPU(0)
#if CPUS > 1
  CPU(1)
#endif
  EXIT(1)
  EXIT(2)
#if MMS > 2
  EXIT(3)
#endif
  od
}
