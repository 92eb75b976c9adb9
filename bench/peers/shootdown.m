-- SPDX-License-Identifier: Apache-2.0
-- Benchmark models S, M and L for rumur: the transition system of bench/models/shootdown-s.ts.
-- peers.mjs replaces the two constants. S: 340,856 states; M (3 CPUs, no upgrade): 4,048,822;
-- L (3 CPUs): 28,223,784.

const
  CPUS: 2;
  UPGRADE: 1;

type
  cpu: 0 .. CPUS - 1;
  page: 0 .. 1;
  perm: enum { NONE, RO, RW };
  command: enum { IDLE, TLBI, ATCI, SYNC };
  slot: 0 .. 2;

var
  pte: array [page] of perm;
  freed: array [page] of boolean;
  locked: boolean;
  tlb: array [cpu] of array [page] of perm;
  stlb, atc: array [page] of perm;
  ainv: array [page] of boolean;
  req_page: page;
  req_value: perm;
  dma: boolean;
  dma_page: page;
  ack: array [cpu] of array [cpu] of boolean;
  done: array [cpu] of boolean;
  q_op: array [slot] of command;
  q_page: array [slot] of page;
  q_cpu: array [slot] of cpu;
  pc: array [cpu] of 0 .. 14;
  p: array [cpu] of page;

procedure shift();
begin
  q_op[0] := q_op[1];  q_page[0] := q_page[1];  q_cpu[0] := q_cpu[1];
  q_op[1] := q_op[2];  q_page[1] := q_page[2];  q_cpu[1] := q_cpu[2];
  q_op[2] := IDLE;     q_page[2] := 0;          q_cpu[2] := 0;
end;

-- Where a CPU goes after its unmap: to the upgrade, or to its end. The page register is given up.
procedure unmapped(c: cpu);
begin
  pc[c] := UPGRADE = 1 ? 9 : 14;
  p[c] := 0;
end;

function acked(c: cpu): boolean;
begin
  for other: cpu do
    if ack[c][other] then return false; end;
  end;
  return true;
end;

startstate begin
  for x: page do
    pte[x] := RO; freed[x] := false; stlb[x] := NONE; atc[x] := NONE; ainv[x] := false;
  end;
  locked := false; req_page := 0; req_value := NONE; dma := false; dma_page := 0;
  for c: cpu do
    for x: page do tlb[c][x] := NONE; end;
    for d: cpu do ack[c][d] := false; end;
    done[c] := false; pc[c] := 0; p[c] := 0;
  end;
  for s: slot do q_op[s] := IDLE; q_page[s] := 0; q_cpu[s] := 0; end;
end;

ruleset c: cpu do
  ruleset x: page do
    rule "choose" pc[c] = 0 | pc[c] = 9 ==> begin p[c] := x; pc[c] := pc[c] + 1; end;
    rule "tlb fill" tlb[c][x] = NONE & pte[x] != NONE ==> begin tlb[c][x] := pte[x]; end;
    rule "tlb evict" tlb[c][x] != NONE ==> begin tlb[c][x] := NONE; end;
  end;
  rule "lock" (pc[c] = 1 | pc[c] = 10) & !locked ==> begin locked := true; pc[c] := pc[c] + 1; end;
  rule "clear" pc[c] = 2 ==>
  begin
    if pte[p[c]] = NONE then
      locked := false; unmapped(c);
    else
      pte[p[c]] := NONE; pc[c] := 3;
    end;
  end;
  rule "flush" pc[c] = 3 | pc[c] = 12 ==> begin tlb[c][p[c]] := NONE; pc[c] := pc[c] + 1; end;
  rule "IPIs" pc[c] = 4 ==>
  begin
    for d: cpu do if d != c then ack[c][d] := true; end; end;
    locked := false; pc[c] := 5;
  end;
  rule "acked" pc[c] = 5 & acked(c) ==> begin pc[c] := 6; end;
  rule "queue" pc[c] = 6 & q_op[0] = IDLE ==>
  begin
    q_op[0] := TLBI; q_page[0] := p[c];
    q_op[1] := ATCI; q_page[1] := p[c];
    q_op[2] := SYNC; q_cpu[2] := c;
    pc[c] := 7;
  end;
  rule "synced" pc[c] = 7 & done[c] ==> begin done[c] := false; pc[c] := 8; end;
  rule "free" pc[c] = 8 ==> begin freed[p[c]] := true; unmapped(c); end;
  rule "upgrade" pc[c] = 11 ==>
  begin
    if pte[p[c]] = RO then pte[p[c]] := RW; pc[c] := 12; else pc[c] := 13; end;
  end;
  rule "unlock" pc[c] = 13 ==> begin locked := false; pc[c] := 14; p[c] := 0; end;
  ruleset d: cpu do
    rule "IPI" ack[d][c] ==>
    begin
      tlb[c][p[d]] := NONE;
      ack[d][c] := false;
    end;
  end;
  rule "CMD_SYNC" q_op[0] = SYNC & q_cpu[0] = c & !ainv[0] & !ainv[1] ==>
  begin done[c] := true; shift(); end;
end;

ruleset x: page do
  rule "stlb fill" stlb[x] = NONE & pte[x] != NONE ==> begin stlb[x] := pte[x]; end;
  rule "stlb evict" stlb[x] != NONE ==> begin stlb[x] := NONE; end;
  rule "ATS request" req_value = NONE & atc[x] = NONE & stlb[x] != NONE ==>
  begin req_page := x; req_value := stlb[x]; end;
  rule "ATS response" req_value != NONE & req_page = x ==>
  begin atc[x] := req_value; req_value := NONE; req_page := 0; end;
  rule "ATC evict" atc[x] != NONE ==> begin atc[x] := NONE; end;
  rule "DMA start" !dma & atc[x] != NONE ==> begin dma := true; dma_page := x; end;
  rule "CMD_TLBI" q_op[0] = TLBI & q_page[0] = x ==> begin stlb[x] := NONE; shift(); end;
  rule "CMD_ATC_INV" q_op[0] = ATCI & q_page[0] = x & !ainv[x] ==>
  begin ainv[x] := true; shift(); end;
  rule "ATC invalidated" ainv[x] & !(dma & dma_page = x) ==>
  begin
    atc[x] := NONE;
    if req_value != NONE & req_page = x then req_value := NONE; req_page := 0; end;
    ainv[x] := false;
  end;
  invariant "no use after free" freed[x] ->
    stlb[x] = NONE & atc[x] = NONE & !(req_value != NONE & req_page = x) &
    !(dma & dma_page = x) & forall c: cpu do tlb[c][x] = NONE endforall;
end;

rule "DMA land" dma ==> begin dma := false; dma_page := 0; end;
