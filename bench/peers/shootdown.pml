/* SPDX-License-Identifier: Apache-2.0
 * Benchmark models S, M and L for Spin: the transition system of bench/models/shootdown-s.ts.
 *
 *   S   -DCPUS=2 -DUPGRADE    340,856 states,  2,663,672 transitions
 *   M   -DCPUS=3            4,048,822 states, 40,473,594 transitions
 *   L   -DCPUS=3 -DUPGRADE 28,223,784 states, 279,811,712 transitions
 *
 * Small fields lie side by side in bit fields, one process is all of the hardware, every step is a
 * d_step, and what could break the property says so itself: Spin then has the shortest vector and
 * the fewest transitions to make. With -DARRAYS fields are arrays, the way one writes it first.
 */

#define NONE 0
#define RO 1
#define RW 2

#define IDLE 0
#define TLBI 1
#define ATCI 2
#define SYNC 3

/* The lock, the request and the access in flight are one each. */
bit locked;
bit req_page;
unsigned req_value : 2;
bit dma;
bit dma_page;

#ifdef ARRAYS
byte pte[2] = RO;
byte stlb[2];
byte atc[2];
bit freed[2];
bit ainv[2];
byte tlb0[CPUS];
byte tlb1[CPUS];
byte acks[CPUS];
bit done[CPUS];
byte q_op[3];
bit q_page[3];
byte q_cpu[3];
#define PTE(p) pte[p]
#define SET_PTE(p, v) pte[p] = v
#define STLB(p) stlb[p]
#define SET_STLB(p, v) stlb[p] = v
#define ATC(p) atc[p]
#define SET_ATC(p, v) atc[p] = v
#define FREED(p) freed[p]
#define SET_FREED(p) freed[p] = 1
#define AINV(p) ainv[p]
#define SET_AINV(p) ainv[p] = 1
#define CLEAR_AINV(p) ainv[p] = 0
#define NO_AINV (!ainv[0] && !ainv[1])
#define TLB(c, p) tlb##p[c]
#define SET_TLB(c, p, v) tlb##p[c] = v
#define FLUSH(c, p) if :: p -> tlb1[c] = NONE :: else -> tlb0[c] = NONE fi
#define ACK(from, to) (acks[from] & (1 << to))
#define ACKS(from) acks[from]
#define SET_ACKS(from, v) acks[from] = v
#define CLEAR_ACK(from, to) acks[from] = acks[from] & ~(1 << to)
#define DONE(c) done[c]
#define SET_DONE(c) done[c] = 1
#define CLEAR_DONE(c) done[c] = 0
#define Q_OP q_op[0]
#define Q_PAGE q_page[0]
#define Q_CPU q_cpu[0]
#define PUSH(p, c) \
  q_op[0] = TLBI; q_page[0] = p; q_op[1] = ATCI; q_page[1] = p; q_op[2] = SYNC; q_cpu[2] = c
#define SHIFT \
  q_op[0] = q_op[1]; q_page[0] = q_page[1]; q_cpu[0] = q_cpu[1]; \
  q_op[1] = q_op[2]; q_page[1] = q_page[2]; q_cpu[1] = q_cpu[2]; \
  q_op[2] = IDLE; q_page[2] = 0; q_cpu[2] = 0
#else
unsigned pte : 4 = 5;
unsigned stlb : 4;
unsigned atc : 4;
unsigned freed : 2;
unsigned ainv : 2;
unsigned tlb : 12;
unsigned acks : 12;
unsigned done : 3;
unsigned q_op : 6;
unsigned q_page : 3;
unsigned q_cpu : 6;
#define GET(v, n) ((v >> (2 * (n))) & 3)
#define PUT(v, n, x) v = (v & ~(3 << (2 * (n)))) | ((x) << (2 * (n)))
#define BIT(v, n) ((v >> (n)) & 1)
#define PTE(p) GET(pte, p)
#define SET_PTE(p, v) PUT(pte, p, v)
#define STLB(p) GET(stlb, p)
#define SET_STLB(p, v) PUT(stlb, p, v)
#define ATC(p) GET(atc, p)
#define SET_ATC(p, v) PUT(atc, p, v)
#define FREED(p) BIT(freed, p)
#define SET_FREED(p) freed = freed | (1 << (p))
#define AINV(p) BIT(ainv, p)
#define SET_AINV(p) ainv = ainv | (1 << (p))
#define CLEAR_AINV(p) ainv = ainv & ~(1 << (p))
#define NO_AINV (ainv == 0)
#define TLB(c, p) GET(tlb, 2 * (c) + (p))
#define SET_TLB(c, p, v) PUT(tlb, 2 * (c) + (p), v)
#define FLUSH(c, p) tlb = tlb & ~(3 << (4 * (c) + 2 * (p)))
#define ACK(from, to) BIT(acks, 4 * (from) + (to))
#define ACKS(from) ((acks >> (4 * (from))) & 15)
#define SET_ACKS(from, v) acks = acks | ((v) << (4 * (from)))
#define CLEAR_ACK(from, to) acks = acks & ~(1 << (4 * (from) + (to)))
#define DONE(c) BIT(done, c)
#define SET_DONE(c) done = done | (1 << (c))
#define CLEAR_DONE(c) done = done & ~(1 << (c))
#define Q_OP (q_op & 3)
#define Q_PAGE (q_page & 1)
#define Q_CPU (q_cpu & 3)
#define PUSH(p, c) q_op = TLBI | (ATCI << 2) | (SYNC << 4); q_page = 3 * (p); q_cpu = (c) << 4
#define SHIFT q_op = q_op >> 2; q_page = q_page >> 1; q_cpu = q_cpu >> 2
#endif

#define EVERYONE ((1 << CPUS) - 1)

/* What a freed frame must not be in: asserted where it could get into it, and where it is freed. */
#if CPUS == 2
#define IN_NO_TLB(p) (TLB(0, p) == NONE && TLB(1, p) == NONE)
#else
#define IN_NO_TLB(p) (TLB(0, p) == NONE && TLB(1, p) == NONE && TLB(2, p) == NONE)
#endif
#define UNUSED(p) \
  (IN_NO_TLB(p) && STLB(p) == NONE && ATC(p) == NONE && \
   !(req_value != NONE && req_page == p) && !(dma && dma_page == p))
#define SAFE(p) assert(!FREED(p))

active [CPUS] proctype cpu() {
  bit p;

  if :: p = 0 :: p = 1 fi;
  d_step { !locked -> locked = 1 };
  if
  :: d_step { PTE(p) == NONE -> locked = 0; p = 0 }; goto unmapped
  :: d_step { PTE(p) != NONE -> SET_PTE(p, NONE) }
  fi;
  d_step { FLUSH(_pid, p) };
  d_step { SET_ACKS(_pid, EVERYONE & ~(1 << _pid)); locked = 0 };
  ACKS(_pid) == 0;
  d_step { Q_OP == IDLE -> PUSH(p, _pid) };
  d_step { DONE(_pid) -> CLEAR_DONE(_pid) };
  d_step {
    SET_FREED(p);
    assert((!FREED(0) || UNUSED(0)) && (!FREED(1) || UNUSED(1)));
    p = 0
  };
unmapped:
#if UPGRADE
  if :: p = 0 :: p = 1 fi;
  d_step { !locked -> locked = 1 };
  if
  :: d_step { PTE(p) == RO -> SET_PTE(p, RW) }; d_step { FLUSH(_pid, p) }
  :: PTE(p) != RO
  fi;
  d_step { locked = 0; p = 0 };
#endif
end:
  false
}

#define CPU_PAGE(c, p) \
  :: d_step { TLB(c, p) == NONE && PTE(p) != NONE -> SET_TLB(c, p, PTE(p)); SAFE(p) } \
  :: d_step { TLB(c, p) != NONE -> SET_TLB(c, p, NONE) }

#define IPI(from, to) \
  :: d_step { ACK(from, to) -> FLUSH(to, cpu[from]:p); CLEAR_ACK(from, to) }

#define CPU(c) \
  CPU_PAGE(c, 0) \
  CPU_PAGE(c, 1) \
  :: d_step { Q_OP == SYNC && Q_CPU == c && NO_AINV -> SET_DONE(c); SHIFT }

#define PAGE(p) \
  :: d_step { STLB(p) == NONE && PTE(p) != NONE -> SET_STLB(p, PTE(p)); SAFE(p) } \
  :: d_step { STLB(p) != NONE -> SET_STLB(p, NONE) } \
  :: d_step { req_value == NONE && ATC(p) == NONE && STLB(p) != NONE -> \
       req_page = p; req_value = STLB(p); SAFE(p) } \
  :: d_step { req_value != NONE && req_page == p -> \
       SET_ATC(p, req_value); req_value = NONE; req_page = 0; SAFE(p) } \
  :: d_step { ATC(p) != NONE -> SET_ATC(p, NONE) } \
  :: d_step { !dma && ATC(p) != NONE -> dma = 1; dma_page = p; SAFE(p) } \
  :: d_step { Q_OP == TLBI && Q_PAGE == p -> SET_STLB(p, NONE); SHIFT } \
  :: d_step { Q_OP == ATCI && Q_PAGE == p && !AINV(p) -> SET_AINV(p); SHIFT } \
  :: d_step { AINV(p) && !(dma && dma_page == p) -> \
       SET_ATC(p, NONE); CLEAR_AINV(p); \
       if \
       :: req_value != NONE && req_page == p -> req_value = NONE; req_page = 0 \
       :: else \
       fi }

active proctype hardware() {
end:
  do
  CPU(0)
  CPU(1)
  IPI(0, 1)
  IPI(1, 0)
#if CPUS == 3
  CPU(2)
  IPI(0, 2)
  IPI(1, 2)
  IPI(2, 0)
  IPI(2, 1)
#endif
  PAGE(0)
  PAGE(1)
  :: d_step { dma -> dma = 0; dma_page = 0 }
  od
}
