// SPDX-License-Identifier: Apache-2.0
// A plan as a shell script around `trace-cmd record`, which cannot define probes by itself.

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: of the shell

import { GROUP } from "./definition.ts";
import { KPROBES_THERE, MARKED, PROBING, START, TELL, tryLine } from "./form-tracefs.ts";
import type { Plan } from "./plan.ts";

const USAGE = [
  "  # sh FILE COMMAND...   records while COMMAND runs; without one until Ctrl-C",
  "  # OUT=trace.dat        where trace-cmd writes; the text is trace.txt beside it",
  "  # BUFFER_KB=8192       for each CPU",
];

/** Lines of a shell script; `said` are remarks for its head. */
export function traceCmdForm(plan: Plan, said: readonly string[]): string[] {
  const calls = plan.calls.flatMap((call) => [`enter_${call}`, `exit_${call}`]);
  return [
    "#!/bin/sh",
    ...said.map((text) => `# ${text}`.trimEnd()),
    "(",
    ...USAGE,
    ...START,
    ...KPROBES_THERE,
    '  command -v trace-cmd > /dev/null || { say "no trace-cmd"; exit 2; }',
    "  out=${OUT:-trace.dat} kb=${BUFFER_KB:-8192}",
    ...PROBING,
    "  drop",
    "  trap 'drop' EXIT",
    "  trap ':' INT TERM HUP",
    ...plan.probes.map(tryLine),
    `  [ "$#" -gt 0 ] || set -- sh -c 'echo "recording; Ctrl-C ends it" >&2; sleep 86400'`,
    ...TELL,
    ...MARKED,
    "  export t marked",
    `  set -- sh -c 'echo "shootdown: probes$marked" > "$t/trace_marker"; exec "$@"' sh "$@"`,
    `  for one in ${plan.events.map(({ path }) => path).join(" ")}; do`,
    '    [ -e "$t/events/$one" ] && set -- -e "$(echo "$one" | tr / :)" "$@"',
    "  done",
    ...(calls.length === 0
      ? []
      : [
          `  for one in ${calls.join(" ")}; do`,
          '    [ -e "$t/events/syscalls/sys_$one" ] && set -- -e "syscalls:sys_$one" "$@"',
          "  done",
        ]),
    `  trace-cmd record -q -C mono -b "$kb" -o "$out" -e ${GROUP} "$@"`,
    "  status=$?",
    '  text=$(dirname "$out")/trace.txt',
    '  trace-cmd report -i "$out" > "$text" && say "wrote $text: shootdown trace $text"',
    '  exit "$status"',
    ")",
  ];
}
