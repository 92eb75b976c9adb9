-- SPDX-License-Identifier: Apache-2.0
-- The ASID allocator for rumur: the transition system of bench/models/asid-allocator.ts with the
-- TLBs of asidModel(). The constants are replaced by whoever runs it; BUG is 0 or the number of a
-- seeded bug in the order of BUGS. The sizes of A: 1,884,265 states and 5,773,682 transitions.

const
  CPUS: 2;
  MMS: 2;
  ASIDS: 4;
  ROLLOVERS: 1;
  PAGES: 1;
  BUG: 0;

type
  cpu: 0 .. CPUS - 1;
  mm: 0 .. MMS;
  asid: 0 .. ASIDS - 1;
  generations: 0 .. ROLLOVERS + 1;
  -- A generation and an ASID: generation * ASIDS + asid.
  context: 0 .. (ROLLOVERS + 2) * ASIDS - 1;
  page: enum { NONE, VALID, HELD, CLEARING, CLEARED, FREED };
  place: enum {
    RUN, OLD, GEN, CAS, LOCK, ROLL, XCHG, SET, FLUSH, ACTIVE, TAG, TABLE,
    WIPE, DSB, READ, TLBI, FREE
  };

var
  context_id: array [mm] of context;
  generation: generations;
  asid_map: array [asid] of boolean;
  cur_idx: asid;
  active, reserved: array [cpu] of context;
  flush_pending: array [cpu] of boolean;
  locked: boolean;
  pte: array [mm] of page;
  ttbr: array [cpu] of mm;
  ttbr_asid: array [cpu] of asid;
  running: array [cpu] of boolean;
  task: array [cpu] of mm;
  tlb: array [cpu] of array [asid] of mm;
  -- Registers; 0 wherever they do not matter.
  pc: array [cpu] of place;
  next: array [cpu] of mm;
  id, old: array [cpu] of context;
  tag: array [cpu] of asid;
  who: array [cpu] of cpu;

function walkable(m: mm): boolean;
begin
  return pte[m] = VALID | pte[m] = HELD | pte[m] = CLEARING;
end;

function free_from(from: asid): asid;
begin
  for a: asid do
    if a > 0 & a >= from & !asid_map[a] then return a; end;
  end;
  return 0;
end;

function this_generation(a: asid): context;
begin
  return generation * ASIDS + a;
end;

procedure hand(c: cpu; a: asid);
begin
  asid_map[a] := true;
  cur_idx := a;
  id[c] := this_generation(a);
  pc[c] := SET;
end;

procedure done(c: cpu);
begin
  pc[c] := RUN; next[c] := 0;
end;

-- After the TLBI, and after the DSB that orders the clearing of the PTE.
procedure after_tlbi(c: cpu);
begin
  tag[c] := 0;
  pc[c] := BUG = 3 ? WIPE : (BUG = 5 ? DSB : FREE);
end;
procedure after_dsb(c: cpu);
begin
  pc[c] := BUG = 2 | BUG = 3 | BUG = 5 ? FREE : (BUG = 4 ? TLBI : READ);
end;

startstate begin
  for m: mm do
    context_id[m] := 0;
    pte[m] := m > 0 & m <= PAGES ? VALID : NONE;
  end;
  generation := 1;
  for a: asid do asid_map[a] := false; end;
  cur_idx := 1;
  locked := false;
  for c: cpu do
    active[c] := 0; reserved[c] := 0; flush_pending[c] := false;
    ttbr[c] := 0; ttbr_asid[c] := 0; running[c] := false; task[c] := 0;
    for a: asid do tlb[c][a] := 0; end;
    pc[c] := RUN; next[c] := 0; id[c] := 0; old[c] := 0; tag[c] := 0; who[c] := 0;
  end;
end;

ruleset c: cpu do
  ruleset m: mm do
    rule "switch" pc[c] = RUN & m != 0 & m != ttbr[c] ==>
    begin
      next[c] := m; id[c] := context_id[m]; running[c] := false; pc[c] := OLD;
      task[c] := m;
    end;
    rule "unmap" pc[c] = RUN & pte[m] = VALID ==>
    begin
      next[c] := m;
      if BUG = 3 then
        pte[m] := HELD; pc[c] := READ;
      elsif BUG = 4 then
        pte[m] := HELD; tag[c] := context_id[m] % ASIDS; pc[c] := WIPE;
      else
        pte[m] := CLEARING; pc[c] := BUG = 5 ? READ : DSB;
      end;
    end;
  end;

  rule "old active" pc[c] = OLD ==>
  begin
    if active[c] = 0 then
      id[c] := 0; pc[c] := LOCK;
    else
      old[c] := active[c]; pc[c] := GEN;
    end;
  end;
  rule "generation" pc[c] = GEN ==>
  begin
    if id[c] / ASIDS = generation then
      if BUG = 8 then old[c] := 0; end;
      pc[c] := CAS;
    else
      id[c] := 0; old[c] := 0; pc[c] := LOCK;
    end;
  end;
  rule "cmpxchg" pc[c] = CAS ==>
  begin
    if active[c] = old[c] | BUG = 8 then
      active[c] := id[c]; pc[c] := TAG;
    else
      pc[c] := LOCK;
    end;
    id[c] := 0; old[c] := 0;
  end;
  rule "lock" pc[c] = LOCK & !locked ==>
    var i: context; hit: boolean; given: boolean; a: asid;
  begin
    locked := true;
    i := context_id[next[c]];
    if i / ASIDS = generation then
      id[c] := i; pc[c] := FLUSH;
    else
      given := false;
      if i != 0 then
        hit := false;
        for d: cpu do
          if reserved[d] = i & !(BUG = 6 & hit) then
            hit := true;
            reserved[d] := this_generation(i % ASIDS);
          end;
        end;
        if hit | !asid_map[i % ASIDS] | BUG = 10 then
          asid_map[i % ASIDS] := true;
          id[c] := this_generation(i % ASIDS);
          given := true;
          pc[c] := SET;
        end;
      end;
      if !given then
        a := free_from(cur_idx);
        if a != 0 then hand(c, a); else pc[c] := ROLL; end;
      end;
    end;
  end;
  rule "rollover" pc[c] = ROLL & generation <= ROLLOVERS ==>
  begin
    generation := generation + 1;
    for a: asid do asid_map[a] := false; end;
    pc[c] := XCHG;
  end;
  rule "xchg" pc[c] = XCHG ==>
    var was: context; a: asid;
  begin
    was := active[who[c]];
    active[who[c]] := 0;
    if was = 0 & BUG != 7 then was := reserved[who[c]]; end;
    asid_map[was % ASIDS] := true;
    reserved[who[c]] := was;
    if who[c] < CPUS - 1 then
      who[c] := who[c] + 1;
    else
      who[c] := 0;
      if BUG != 1 then
        for d: cpu do flush_pending[d] := true; end;
      end;
      a := free_from(1);
      assert "an ASID is left" a != 0;
      hand(c, a);
    end;
  end;
  rule "set" pc[c] = SET ==> begin context_id[next[c]] := id[c]; pc[c] := FLUSH; end;
  rule "flush" pc[c] = FLUSH ==>
  begin
    if flush_pending[c] then
      flush_pending[c] := false;
      for a: asid do tlb[c][a] := 0; end;
    end;
    pc[c] := ACTIVE;
  end;
  rule "active" pc[c] = ACTIVE ==>
  begin
    active[c] := id[c]; id[c] := 0; locked := false; pc[c] := TAG;
  end;
  rule "asid" pc[c] = TAG ==>
  begin
    if BUG != 9 then ttbr[c] := 0; end;
    ttbr_asid[c] := context_id[next[c]] % ASIDS;
    pc[c] := TABLE;
  end;
  rule "table" pc[c] = TABLE ==>
  begin
    ttbr[c] := next[c]; running[c] := true; done(c);
  end;

  rule "clear" pc[c] = WIPE ==> begin pte[next[c]] := CLEARING; pc[c] := DSB; end;
  rule "dsb" pc[c] = DSB ==> begin pte[next[c]] := CLEARED; after_dsb(c); end;
  rule "read ASID" pc[c] = READ ==>
  begin
    tag[c] := context_id[next[c]] % ASIDS; pc[c] := TLBI;
  end;
  rule "TLBI" pc[c] = TLBI ==>
  begin
    for d: cpu do tlb[d][tag[c]] := 0; end;
    after_tlbi(c);
  end;
  rule "free" pc[c] = FREE ==> begin pte[next[c]] := FREED; done(c); end;

  rule "TLB fill" tlb[c][ttbr_asid[c]] = 0 & walkable(ttbr[c]) ==>
  begin
    tlb[c][ttbr_asid[c]] := ttbr[c];
  end;
  ruleset a: asid do
    rule "TLB evict" tlb[c][a] != 0 ==> begin tlb[c][a] := 0; end;
  end;
end;

ruleset m: mm do
  rule "exit" context_id[m] != 0 & (pte[m] = NONE | pte[m] = VALID | pte[m] = FREED) &
    forall c: cpu do ttbr[c] != m & task[c] != m endforall ==>
  begin
    context_id[m] := 0;
    if pte[m] = VALID then pte[m] := FREED; end;
  end;
end;

invariant "no shared context" forall m: mm do forall n: mm do
  m != n & context_id[m] != 0 -> context_id[m] != context_id[n]
endforall endforall;
invariant "no shared ASID" forall c: cpu do forall d: cpu do
  running[c] & running[d] & ttbr[c] != ttbr[d] -> ttbr_asid[c] != ttbr_asid[d]
endforall endforall;
invariant "current or reserved" locked | forall c: cpu do running[c] ->
  (active[c] = 0 ? reserved[c] : active[c]) = context_id[ttbr[c]] &
  context_id[ttbr[c]] % ASIDS = ttbr_asid[c] & asid_map[ttbr_asid[c]] &
  (active[c] = 0 | active[c] / ASIDS = generation)
endforall;
invariant "no foreign entry" forall c: cpu do running[c] ->
  tlb[c][ttbr_asid[c]] = 0 | tlb[c][ttbr_asid[c]] = ttbr[c]
endforall;
invariant "no stale entry" forall c: cpu do
  (running[c] -> pte[tlb[c][ttbr_asid[c]]] != FREED) &
  forall m: mm do
    !flush_pending[c] & pte[m] = FREED -> tlb[c][context_id[m] % ASIDS] != m
  endforall
endforall;
