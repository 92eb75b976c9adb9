// SPDX-License-Identifier: Apache-2.0
// Writes logs as casemate does, for tests: page tables of four levels, and what is done with them.
import { checkTrace } from "../../packages/shootdown/src/trace/check.ts";
import { type Finding, traceStatus } from "../../packages/shootdown/src/trace/finding.ts";
import { bytesOf } from "../../packages/shootdown/src/trace/importers/bytes.ts";

/** Root 0x40000000, tables 0x40001000 and 0x40002000, leaves in 0x40003000; frames at 0x8....... */
export const ROOT = 0x40000000;
export const [L1, L2, L3] = [0x40001000, 0x40002000, 0x40003000];
export const hex = (value: number | bigint) => `0x${value.toString(16)}`;

export class Log {
  readonly lines: string[] = [];
  tid = 0;

  #add(op: string, ...parts: readonly string[]): this {
    const id = this.lines.length;
    const head = `(${op} (id ${id}) (tid ${this.tid})`;
    this.lines.push([head, ...parts, `(src "t.c:${id + 1}"))`].join(" "));
    return this;
  }
  as(tid: number): this {
    this.tid = tid;
    return this;
  }
  write(at: number, value: number | bigint): this {
    return this.#add(
      "mem-write",
      "(mem-order plain)",
      `(address ${hex(at)})`,
      `(value ${hex(value)})`,
    );
  }
  init(at: number): this {
    return this.#add("mem-init", `(address ${hex(at)})`, "(size 0x1000)");
  }
  dsb(kind = "ish"): this {
    return this.#add("barrier", "dsb", `(kind ${kind})`);
  }
  tlbi(op: string, addr?: number, level?: number): this {
    const by = addr === undefined ? [] : [`(addr ${hex(addr)})`];
    return this.#add("tlbi", op, ...by, ...(level === undefined ? [] : [`(level ${level})`]));
  }
  reg(name: string, value: number | bigint): this {
    return this.#add("sysreg-write", `(sysreg ${name})`, `(value ${hex(value)})`);
  }
  hint(kind: string, location: number, value: number): this {
    return this.#add(
      "hint",
      `(kind ${kind})`,
      `(location ${hex(location)})`,
      `(value ${hex(value)})`,
    );
  }
  lock(op: "lock" | "unlock", address: number): this {
    return this.#add(op, `(address ${hex(address)})`);
  }
  /** Four levels with one leaf at address 0, and one at 0x1000. */
  tables(): this {
    for (const table of [ROOT, L1, L2, L3]) this.init(table);
    this.write(L3, 0x80000703).write(L3 + 8, 0x80001703);
    return this.write(L2, L3 + 3)
      .write(L1, L2 + 3)
      .write(ROOT, L1 + 3);
  }
  el2(): this {
    return this.tables().reg("ttbr0_el2", ROOT);
  }
  stage2(vmid = 0n): this {
    return this.tables().reg("vttbr_el2", (vmid << 48n) + BigInt(ROOT));
  }
}

export const el2 = () => new Log().el2();
export const stage2 = (vmid = 0n) => new Log().stage2(vmid);

export async function check(log: Log | string) {
  const findings: Finding[] = [];
  const text = typeof log === "string" ? log : `${log.lines.join("\n")}\n`;
  const result = await checkTrace(bytesOf(text), { onFinding: (one) => findings.push(one) });
  if (!result.ok) throw new Error(result.error.message);
  return { findings, summary: result.summary, status: traceStatus(result) };
}
