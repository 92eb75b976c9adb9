// SPDX-License-Identifier: Apache-2.0
// What of a test the model has, judged by its text: a shift, a third register or a barrier's domain
// that is not here makes another instruction, whose meaning is not guessed.

import type { HerdTest, Instruction, Operand } from "./ast.ts";
import type { Barrier } from "./program.ts";
import { Unsupported } from "./words.ts";

/** What a head may say of how tests are run; others change what instructions do. */
const VARIANTS = /^(vmsa|kvm|precise|fatal|imprecise|handled)$/i;

/** Whether an access that faults is made again. Throws Unsupported. */
export function faultsAreRetried(variants: readonly string[]): boolean {
  const foreign = variants.find((v) => !VARIANTS.test(v));
  if (foreign !== undefined) throw new Unsupported(`variant ${foreign}`);
  return variants.some((v) => /^(imprecise|handled)$/i.test(v));
}

/** By mnemonic, its operands: `r` register, `i` number, `m` memory, `w` word, `e` SXTW or UXTW. */
const FORMS: readonly (readonly [mnemonic: RegExp, operands: RegExp])[] = [
  [/^(LDR|LDAR|LDAPR|LDXR|LDAXR|STR|STLR)$/, /^rm$/],
  [/^(STXR|STLXR|SWPA?L?|CASA?L?|LD(ADD|CLR|SET|EOR)A?L?)$/, /^rrm$/],
  [/^ST(ADD|CLR|SET|EOR)A?L?$/, /^rm$/],
  [/^(MOV|CMP)$/, /^r[ri]$/],
  [/^(ADD|SUB|AND|ORR|EOR|BIC|LSL|LSR)$/, /^rr[ri]$/],
  [/^(ADD|SUB)$/, /^rrre$/],
  [/^(CSET|ADR|CBZ|CBNZ)$/, /^rw$/],
  [/^CSEL$/, /^rrrw$/],
  [/^MSR$/, /^wr$/],
  [/^TLBI$/, /^wr?$/],
  [/^(DMB|DSB|B|B\.\w\w)$/, /^w$/],
  [/^ISB$/, /^w?$/],
  [/^(NOP|ERET)$/, /^$/],
];

function letterOf(o: Operand): string {
  if (o.k === "word") return EXTENSION.test(o.text) ? "e" : "w";
  return { reg: "r", imm: "i", mem: "m" }[o.k];
}

const EXTENSION = /^[SU]XTW$/i;

/** Whether the model has this instruction, with these operands. */
export function hasForm({ mnemonic, operands }: Instruction): boolean {
  const letters = operands.map(letterOf).join("");
  return FORMS.some(([m, form]) => m.test(mnemonic) && form.test(letters));
}

/** The pages whose accesses may fault: their entry is said, or can be stored to. */
export function suspectsOf(test: HerdTest): ReadonlySet<string> {
  const named = test.registers.flatMap((r) => (r.value.k === "pte" ? [r.value.name] : []));
  return new Set([...test.ptes.keys(), ...named]);
}

/** How many bits an access reads or writes. */
export function widthOf({ mnemonic, operands }: Instruction): 32 | 64 {
  const rt = operands[/^ST\w*XR$/.test(mnemonic) ? 1 : 0];
  return rt?.k === "reg" ? rt.bits : 64;
}

/** Options of barriers; those of the domain NSH order less, and nobody here asks for them. */
const OPTION = /^(?:(?:ISH|OSH)?(?:LD|ST)|ISH|OSH|SY)$/;

/** The barrier that an instruction is; `unknown`: it is one, and the model does not have it. */
export function barrierOf(
  mnemonic: string,
  [option]: readonly Operand[],
): Barrier | "unknown" | undefined {
  const text = option?.k === "word" ? option.text.toUpperCase() : "SY";
  if (mnemonic === "ISB") return text === "SY" ? "ISB" : "unknown";
  if (mnemonic !== "DMB" && mnemonic !== "DSB") return undefined;
  if (!OPTION.test(text)) return "unknown";
  const kind = /(?:LD|ST)$/.exec(text)?.[0];
  return kind === undefined ? mnemonic : (`${mnemonic} ${kind}` as Barrier);
}

/** What a loop that waits for a value is made of. */
export const SPINS = /^(LDR|LDAR|LDAPR|CMP|CSEL|CSET|MOV|NOP|ADD|SUB|AND|ORR|EOR|BIC|LSL|LSR)$/;
export const PRIVILEGED = /^(TLBI|MSR|ERET)$/;
export const BRANCH = /^(B|CBZ|CBNZ|B\.\w\w)$/;
export const ARITHMETIC: ReadonlySet<string> = new Set([
  ...["ADD", "SUB", "AND", "ORR", "EOR", "BIC", "LSL", "LSR"],
]);
export const LOADS: Readonly<Record<string, "A" | "Q" | undefined>> = {
  LDR: undefined,
  LDAR: "A",
  LDAPR: "Q",
  LDXR: undefined,
  LDAXR: "A",
};
