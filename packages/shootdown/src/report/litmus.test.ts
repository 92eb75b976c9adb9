// SPDX-License-Identifier: Apache-2.0
// Tests of herd in every format, decided and not.

import { expect, test } from "vitest";
import { KtapReporter } from "./check-ktap.ts";
import { MailReporter } from "./check-mail.ts";
import { NdjsonReporter } from "./check-ndjson.ts";
import { TextReporter } from "./check-text.ts";
import { CheckTally, checkStatus, type LitmusResult } from "./result.ts";

const named = { type: "litmus", file: "MP.litmus", test: "MP", mode: "protocol" } as const;
const states = ["1:X0=0;  ~Fault(P1:L0,x);", "1:X0=1; Fault(P1:L0,x,D-MMU:Translation);"];
const decided: LitmusResult = {
  ...{ ...named, supported: true, ets2: false, observation: "Sometimes", verdict: "Allowed" },
  ...{ states, positive: 1, seconds: 0.25 },
};
const refused: LitmusResult = { ...named, supported: false, reason: "instruction LDXP" };

test("text", () => {
  const text = new TextReporter({ width: 80 });
  expect(text.litmus(decided)).toBe(
    "MP.litmus\n  -     Allowed (Sometimes): 1 of 2 final states, protocol\n",
  );
  expect(text.litmus(refused)).toBe("MP.litmus\n  ?     not checked:\n        instruction LDXP\n");
  const verbose = new TextReporter({ width: 80, verbose: true }).litmus({ ...decided, ets2: true });
  expect(verbose).toContain("final states, protocol with ets2\n        1:X0=0;");
  const quiet = new TextReporter({ width: 80, quiet: true });
  expect([quiet.litmus(decided), quiet.litmus(refused)]).toEqual(["", text.litmus(refused)]);
});

test("ndjson, with the states byte for byte", () => {
  const line = (result: LitmusResult) => JSON.parse(new NdjsonReporter().litmus(result));
  expect(line(decided)).toEqual(decided);
  expect(line(refused)).toEqual(refused);
});

test("ktap and mail", () => {
  const ktap = new KtapReporter();
  expect(ktap.litmus(decided)).toBe(
    "# Allowed (Sometimes): 1 of 2 final states, protocol\nok 1 MP.litmus\n",
  );
  expect(ktap.litmus(refused)).toBe("ok 2 MP.litmus # SKIP instruction LDXP\n");
  const mail = new MailReporter("1");
  expect(mail.litmus(decided)).toContain("1:X0=1; Fault(P1:L0,x,D-MMU:Translation);\n");
  expect(mail.litmus(refused)).toBe("MP.litmus: not checked: instruction LDXP\n\n");
});

test("counts and the status", () => {
  const tally = new CheckTally();
  tally.litmus(decided);
  expect(checkStatus(tally.summary(0))).toBe(0);
  tally.litmus(refused);
  expect(tally.summary(0)).toMatchObject({ runs: 0, decided: 1, unsupported: 1 });
  expect(checkStatus(tally.summary(0))).toBe(3);
});
