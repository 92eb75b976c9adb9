// SPDX-License-Identifier: Apache-2.0
// Kernels of one's own: what blocks say, what they make of routines, and what is wrong with them.

import { describe, expect, test } from "vitest";
import { printDefinition } from "../ir/print.ts";
import { DICTIONARY } from "./dictionary.ts";
import { kernelOf } from "./own-kernel.ts";
import { parseScenario } from "./parse.ts";
import { printScenario } from "./print.ts";

const around = (block: string, program = "store x;") => `MM a (* one two three *)
{ mm A; page P; map A:x -> P; }
${block}
CPU0(A) { ${program} }
exists (use_after_free)
`;

function read(block: string, program?: string) {
  const found = parseScenario(around(block, program), { dictionary: DICTIONARY });
  if (!found.ok) throw new Error(found.diagnostics.map((d) => d.message).join("; "));
  return found.scenario;
}

/** The text that a block makes of a routine. */
function made(block: string, routine: string, kernel = "linux-6.12"): string {
  const found = kernelOf(read(block), kernel, "arm64");
  if (!found.ok) {
    throw new Error("diagnostics" in found ? found.diagnostics[0]!.message : found.unknown);
  }
  const text = printDefinition(found.kernel.routines.get(routine)!, found.kernel.version);
  return text.slice(text.indexOf("{\n"));
}

const body = (...lines: string[]): string => ["{", ...lines, "}", ""].join("\n");

describe("edits", () => {
  test.each([
    ["drop 2;", body("  1     flush_tlb_page_nosync(cpu, mm, va);")],
    [
      'before "dsb(cpu, op: ISH)" { isb(cpu); }',
      body(
        "  1     flush_tlb_page_nosync(cpu, mm, va);",
        "  2     isb(cpu);",
        "  3     dsb(cpu, op: ISH);",
      ),
    ],
    [
      "move 1 after 2;",
      body("  1     dsb(cpu, op: ISH);", "  2     flush_tlb_page_nosync(cpu, mm, va);"),
    ],
    [
      "{ replace 1 { desc old = *ptep(mm, va); if (pte_present(old)) isb(cpu); } drop 2; }",
      body(
        "        desc old;",
        "",
        "  1     old = *ptep(mm, va);",
        "  2     if (pte_present(old))",
        "  3         isb(cpu);",
      ),
    ],
  ])("%s", (edit, text) => {
    const colon = edit.startsWith("{") ? "" : ":";
    expect(made(`kernel { in flush_tlb_page${colon} ${edit} }`, "flush_tlb_page")).toBe(text);
  });

  test("a label stays when what it names is gone", () => {
    const text = made("kernel { in ptep_set_access_flags: drop flush; }", "ptep_set_access_flags");
    expect(text).toContain("    flush: ;\n");
  });

  test("elements of loops are named as they are printed", () => {
    const other = "kernel { void f(cpu, mm) { for_each(v, [VA_START, TASK_SIZE)) isb(cpu); } }";
    expect(made(other, "f")).toContain("for_each(v, ");
  });
});

describe("what a block says beside routines", () => {
  const own = `kernel {
    int users(mm, va), waits = 1; bool pinned(pfn), flag;
    void f(cpu, mm, va, pfn frame) {
      pfn q = any(pfn where pfn != frame);
      users(mm, va)++; pinned(frame) = true; assert(users(mm, va) == 1);
    } }`;
  test("fields stand in one declaration, and what any(...) chooses is called by its sort", () => {
    const text = made(own, "f");
    expect(text).toContain("q = any(pfn where q != frame);");
    expect(text).toContain("if (!(users(mm, va) == 1))");
    expect(text).toContain("emit(assertion_failed);");
  });

  const asked = (condition: string) => {
    const text = around(own, "f(A, x, P);").replace("use_after_free", condition);
    const found = parseScenario(text, { dictionary: DICTIONARY });
    return found.ok ? printScenario(found.scenario).split("\n").at(-2) : found.diagnostics[0]!;
  };
  test("the condition names fields", () => {
    const text = "exists (users(A, x) = 2 /\\ pinned(P) /\\ waits = 1 /\\ ~flag)";
    expect(asked(text.slice("exists (".length, -1))).toBe(text);
  });
  test.each([
    ["users(A) = 2", "L021"],
    ["users(A, x)", "L021"],
    ["users(P, x) = 1", "L015"],
    ["pinned(P) = 1", "L021"],
    ["users(A, x) = P", "L021"],
    ["nothing = 1", "L008"],
    ["nothing(P)", "L022"],
  ])("mistake: %s", (condition, code) => {
    expect(asked(condition)).toMatchObject({ code });
  });
});

describe("names and versions", () => {
  const blocks = `kernel { bool seen(mm); }
kernel mine for linux-6.1 { void f(mm) { seen(mm) = true; } }
kernel mine since linux-6.6 { void f(mm) { seen(mm) = false; } }
kernel other { void g(mm) { seen(mm) = true; } }`;
  const calls = (kernel: string) => {
    const found = kernelOf(read(blocks), kernel, "arm64");
    if (!found.ok) return "unknown" in found ? [found.unknown, found.why] : found.diagnostics;
    return ["f", "g"].filter((r) => found.kernel.routines.has(r));
  };

  test("a block belongs to the kernels whose name says so", () => {
    expect(calls("linux-6.12")).toEqual([]);
    expect(calls("linux-6.12+mine")).toEqual(["f"]);
    expect(calls("linux-6.12+other+mine+btm-on")).toEqual(["f", "g"]);
    expect(calls("linux-6.12+nobody")).toEqual(["nobody", undefined]);
    expect(calls("linux-6.12+mine+mine")).toEqual(["mine", "is named twice"]);
  });

  test("by version", () => {
    expect(made(blocks, "f", "linux-6.1+mine")).toContain("= true");
    expect(made(blocks, "f", "linux-6.12+mine")).toContain("= false");
  });
});

describe("mistakes", () => {
  const at = (text: string, span: { offset: number; end: number }) =>
    text.slice(span.offset, span.end);
  test.each([
    ["in flush_tlb_pag: drop 1;", "L012", "flush_tlb_pag", "flush_tlb_page"],
    ["in tlbi: drop 1;", "L012", "tlbi", "hardware"],
    ["void f(mm) { while (ptl(mm)) { } }", "L015", "while (ptl(mm)) { }", "wait_until"],
    ["void f(mm) { while (ptl(mm)); }", "L015", "while (ptl(mm));", "wait_until"],
    ["in flush_tlb_page: drop flush;", "L032", "flush", "no labels"],
    ["in ptep_set_access_flags: drop fluhs;", "L032", "fluhs", "'flush', 'notify'"],
    ["in flush_tlb_page: drop 3;", "L032", "3", "steps 1 to 2"],
    ['in do_wp_page: drop "spin_lock(mm)";', "L032", '"spin_lock(mm)"', "reads so"],
    [
      'in wp_page_copy: drop "put_page(frame: orig.pfn);";',
      "L032",
      '"put_page(frame: orig.pfn);"',
      "several",
    ],
    ["in do_wp_page { drop 2; drop 3; }", "L032", "3", "inside"],
    ["in do_wp_page { drop 1; drop 1; }", "L032", "1", "twice"],
    ["in do_wp_page: drop 1;", "L033", "do_wp_page", "'zero'"],
    ["in do_wp_page: move 2 after 3;", "L032", "3", "itself"],
    ["in flush_tlb_page: after 1 { isb(cpuu); }", "L013", "cpuu", "'cpu'"],
    ["in flush_tlb_page: after 1 { isb(mm); }", "L015", "mm", "not a 'cpu'"],
    ["in flush_tlb_page: after 1 { isb(); }", "L021", "isb()", "missing"],
    ["in flush_tlb_page: after 1 { isbb(cpu); }", "L012", "isbb", "'isb'"],
    ["in flush_tlb_page: after 1 { *ptep(mm, va) = 0; }", "L015", "*ptep(mm, va)", "calls"],
    ["in flush_tlb_page: after 1 { mm = mm; }", "L015", "mm", "keeps its value"],
    ["in flush_tlb_page: after 1 { emit(revoke, mm); }", "L013", "revoke", "'revoked'"],
    ["in flush_tlb_page: after 1 { break; }", "L015", "break", "no loop"],
    ["in flush_tlb_page: after 1 { if (isb(cpu)) return; }", "L015", "isb", "its own"],
    ["void flush_tlb_page(cpu) { isb(cpu); }", "L033", "flush_tlb_page", "(cpu, mm, va)"],
    ["void tlbi(cpu) { isb(cpu); }", "L014", "tlbi", "hardware"],
    ["bool f(mm) { if (ptl(mm)) return true; }", "L033", "f", "without a result"],
    ["void f(cpu) { g(cpu); } void g(cpu) { f(cpu); }", "L033", "f", "circle"],
    ["void f(mmm a) { ; }", "L013", "mmm", "'mm'"],
    ["int ptl(mm);", "L014", "ptl", "already"],
    ["bool f(mm); bool f(mm) = true;", "L014", "f", "already"],
    ["void f(cpu) { bool x; if (x) isb(cpu); }", "L033", "f", "'x'"],
    ["void f(cpu) { cpu x = 1 + cpu; }", "L015", "cpu", "number"],
  ])("%s", (member, code, where, says) => {
    const text = around(`kernel { ${member} }`);
    const found = kernelOf(read(`kernel { ${member} }`), "linux-6.12", "arm64");
    const [first] = !found.ok && "diagnostics" in found ? found.diagnostics : [];
    expect([first?.code, first && at(text, first.span)]).toEqual([code, where]);
    const notes = first!.notes.map((n) => n.message);
    expect([first!.message, ...notes].join("; ")).toContain(says);
  });

  test.each([
    ["kernel { in f; }", ";", "'{' or ':'"],
    ["kernel { in f: remove 1; }", "remove", "'drop'"],
    ["kernel { void f(cpu) { isb(cpu) } }", "}", "';'"],
    ["kernel { void f(cpu) { int n = 1 < 2 < 3; } }", "<", "chain"],
    ["kernel for 6.1 { }", "6.1", "linux-6.12"],
    ["kernel exists { }", "exists", "word of the language"],
  ])("%s", (block, where, says) => {
    const text = around(block);
    const found = parseScenario(text, { dictionary: DICTIONARY });
    const [first] = found.ok ? [] : found.diagnostics;
    expect(first && at(text, first.span)).toBe(where);
    const notes = first!.notes.map((n) => n.message);
    expect([first!.message, ...notes].join("; ")).toContain(says);
  });
});

test("a program may call a routine of its own kernel", () => {
  const block = "kernel { void f(cpu, mm, range, bool hard) { isb(cpu); } void g(desc e) { ; } }";
  expect(read(block, "f(A, x, yes);").bodies).toHaveLength(1);
  expect(() => read(block, "f(A, x);")).toThrow("'f' takes");
  expect(() => read(block, "g(A);")).toThrow("unknown routine 'g'");
});

test("canonical text says the same and is its own canonical text", () => {
  const text = printScenario(
    read(`kernel mine for linux-6.1, linux-6.12 {
      bool f(mm) = true; int n;
      // a comment
      bool g(cpu, mm, desc orig) { desc a, b = orig; l: if (!a.valid) return f(mm);
        else if (a == b) isb(cpu); else { either { isb(cpu); } or { ; } }
        atomic { n = n + 1; } while (n < 3) n++; flush-it: ;
        for_each(va, [va0, TASK_SIZE)) continue; x = any(pfn where a.pfn == x);
        a = { b, .AF = (true || false) && f(mm) }; return (n - (1 - 2)) * 3 == n ? true : false; }
      in h: drop 2; in i { after "x = y;" { isb(cpu); } move l before 3; } }`),
  );
  const again = parseScenario(text, { dictionary: DICTIONARY });
  expect(again.ok || again.diagnostics).toBe(true);
  if (again.ok) expect(printScenario(again.scenario)).toBe(text);
  expect(text).toContain("  in h: drop 2;\n");
});
