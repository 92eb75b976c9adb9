// SPDX-License-Identifier: Apache-2.0
// A plan as a shell script for tracefs: what it needs is a shell, cat, sed, mkdir and sleep.
//
// Everything happens in an instance of its own, in a subshell, so that it can be pasted: other
// users of tracing are left alone, and nothing of it stays.

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: of the shell

import { definitionText, GROUP } from "./definition.ts";
import type { Plan, PlannedProbe } from "./plan.ts";

/** In single quotes for any shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** `try NAME DEFINITION... [or DEFINITION...]` */
export const tryLine = ({ event, forms }: PlannedProbe): string =>
  `  try ${event} ${forms
    .map((form) => form.map((one) => quoted(definitionText(one))).join(" "))
    .join(" or ")}`;

/** Events that get a stack, in a recording beside the first. */
const WITH_STACK = [
  "mn_invalidate_secondary",
  "mn_invalidate_range_start",
  "ptep_set_access_flags",
];

const USAGE = [
  "  # sh FILE COMMAND...   records while COMMAND runs; without one until Enter is pressed",
  "  # OUT=trace.txt        where to (with .gz it is compressed)",
  "  # BUFFER_KB=8192       for each CPU",
  "  # RECORD_SECONDS=60    ends by itself",
  "  # RECORD_STREAM=1      writes while it records: for longer than the buffer lasts",
  "  # TRACEFS=FOLDER       where tracefs is, if not in its usual place",
];

/** Finds tracefs. */
export const START = [
  "  set +e -u",
  '  say() { echo "shootdown: $*" >&2; }',
  "  t=${TRACEFS:-/sys/kernel/tracing}",
  '  [ -e "$t/trace_clock" ] || mount -t tracefs none "$t" 2>/dev/null',
  '  [ -e "$t/trace_clock" ] || t=/sys/kernel/debug/tracing',
  '  [ -e "$t/trace_clock" ] || { say "no tracefs: needs root and CONFIG_FTRACE"; exit 2; }',
];

export const KPROBES_THERE = [
  '  [ -e "$t/kprobe_events" ] || { say "no kprobes: needs CONFIG_KPROBE_EVENTS"; exit 2; }',
  '  [ -w "$t/kprobe_events" ] || { say "needs root"; exit 2; }',
];

/** Sets probes one by one, and takes them away. */
export const PROBING = [
  "  have='' missed=''",
  '  put() { printf \'%s\\n\' "$1" 2>/dev/null >> "$t/kprobe_events"; }',
  "  drop() {",
  `    sed -n 's#^[pr][0-9]*:${GROUP}/\\([^ ]*\\).*#\\1#p' "$t/kprobe_events" |`,
  `      while read -r one; do put "-:${GROUP}/$one"; done`,
  "  }",
  "  try() { # NAME DEFINITION... [or DEFINITION...]: the first that this kernel takes",
  "    name=$1; shift",
  '    while [ "$#" -gt 0 ]; do',
  "      good=1",
  '      while [ "$#" -gt 0 ] && [ "$1" != or ]; do',
  '        [ "$good" = 0 ] || put "$1" || good=0',
  "        shift",
  "      done",
  '      [ "$#" = 0 ] || shift',
  '      [ "$good" = 0 ] || { have="$have $name"; return 0; }',
  `      for one in "$name" "\${name}_ret"; do`,
  `        grep -q ":${GROUP}/$one " "$t/kprobe_events" && put "-:${GROUP}/$one"`,
  "      done",
  "    done",
  '    missed="$missed $name"',
  "  }",
];

export const TELL = [
  '  [ -z "$missed" ] || say "this kernel refuses:$missed"',
  '  case " $have " in',
  '    *" mn_invalidate_secondary "*) ;;',
  '    *) say "without mn_invalidate_secondary no invalidation can be found missing" ;;',
  "  esac",
];

/** The monitor reads in a mark which probes of the notifier were set. */
export const MARKED = [
  "  marked=''; for one in $have; do case $one in mn_*) marked=\"$marked $one\" ;; esac; done",
];

const MARK = [
  ...MARKED,
  '  mark() { echo "shootdown: kernel $(uname -r) $(uname -m)"; echo "shootdown: probes$marked"; }',
];

const FINISH = [
  "  finish() {",
  "    trap '' INT TERM HUP",
  '    [ -z "$sleeper" ] || kill "$sleeper" 2>/dev/null',
  '    echo 0 > "$g/tracing_on"',
  '    if [ -n "$reader" ]; then drain; else pack < "$g/trace"; fi',
  `    lost=$(sed -n 's/^overrun: //p' "$g"/per_cpu/cpu*/stats | sed '/^0$/d' | wc -l)`,
  '    [ "$lost" = 0 ] || say "events were overwritten on $lost CPUs: a larger BUFFER_KB"',
  "    while read -r one hits n; do",
  '      case " $have " in *" ${one%_ret} "*) [ "$n" = 0 ] || say "$one: $n calls missed" ;; esac',
  '    done < "$t/kprobe_profile"',
  "    clean",
  '    say "wrote $out: shootdown trace $out"',
  "  }",
];

function clean(stacks: boolean): string[] {
  return [
    "  clean() {",
    `    for one in "$g"${stacks ? ' "$g-stacks"' : ""}; do`,
    '      [ -d "$one" ] || continue',
    '      echo 0 > "$one/tracing_on"; echo 0 > "$one/events/enable"; rmdir "$one"',
    "    done",
    "    drop",
    "  }",
  ];
}

const STACKS = [
  '  mkdir "$g-stacks" && echo mono > "$g-stacks/trace_clock"',
  '  echo "$kb" > "$g-stacks/buffer_size_kb"; echo 1 > "$g-stacks/options/stacktrace"',
  `  for one in ${WITH_STACK.join(" ")}; do`,
  `    echo 1 2>/dev/null > "$g-stacks/events/${GROUP}/$one/enable"`,
  "  done",
];

const RUN = [
  "  trap 'finish; exit 130' INT TERM HUP",
  '  if [ -n "${RECORD_STREAM:-}" ]; then',
  "    stream &",
  "    reader=$!",
  "  fi",
  '  echo 1 > "$g/tracing_on"',
  '  mark > "$g/trace_marker"',
  "  status=0",
  '  if [ "$#" -gt 0 ]; then "$@"; status=$?',
  '  elif [ -n "${RECORD_SECONDS:-}" ]; then',
  '    sleep "$RECORD_SECONDS" &',
  "    sleeper=$!",
  '    wait "$sleeper"',
  '  else say "recording; Enter ends it"; read -r _ < /dev/tty; fi',
  "  finish",
  '  exit "$status"',
];

/**
 * Reading trace_pipe with cat may never end: it may ask the kernel to copy, and then a pipe that
 * was emptied is only ever waited for. Hence dd, and an end by hand when the buffers are empty.
 */
const SAVE = [
  '  pack() { case $out in *.gz) gzip -c ;; *) cat ;; esac > "$out"; }',
  "  stream() {",
  '    { grep "^#" "$g/trace"; dd if="$g/trace_pipe" bs=65536 2>/dev/null &',
  '      echo $! > "$out.pid"; wait; } | pack',
  "  }",
  "  drain() {",
  '    n=0; while [ "$n" -lt 300 ]; do',
  `      sed -n 's/^entries: *//p' "$g"/per_cpu/cpu*/stats | grep -qv '^0$' || break`,
  "      n=$((n + 1)); sleep 1",
  "    done",
  '    kill "$(cat "$out.pid")" 2>/dev/null; wait "$reader"; rm -f "$out.pid"',
  "  }",
];

/** Lines of a shell script; `said` are remarks for its head. */
export function tracefsForm(plan: Plan, said: readonly string[]): string[] {
  const stacks = plan.parts.includes("stacks");
  const calls = plan.calls.flatMap((call) => [`sys_enter_${call}`, `sys_exit_${call}`]);
  return [
    "#!/bin/sh",
    ...said.map((line) => `# ${line}`.trimEnd()),
    "(",
    ...USAGE,
    ...START,
    ...KPROBES_THERE,
    `  g=$t/instances/${GROUP} out=\${OUT:-trace.txt} kb=\${BUFFER_KB:-8192} reader='' sleeper=''`,
    // In a subshell: a redirection that fails for `:` would end the shell itself.
    '  if [ "$#" = 0 ] && [ -z "${RECORD_SECONDS:-}" ]; then',
    "    (: < /dev/tty) 2>/dev/null ||",
    '      { say "no terminal: give a COMMAND or RECORD_SECONDS"; exit 2; }',
    "  fi",
    ...PROBING,
    ...clean(stacks),
    ...SAVE,
    ...FINISH.flatMap((line) =>
      stacks && line === "    clean"
        ? ['    cat "$g-stacks/trace" > "$(dirname "$out")/stacks.txt"', line]
        : [line],
    ),
    "  clean",
    '  mkdir "$g" || { say "no instances in this tracefs"; exit 2; }',
    '  echo 0 > "$g/tracing_on"; echo mono > "$g/trace_clock"; echo "$kb" > "$g/buffer_size_kb"',
    ...plan.probes.map(tryLine),
    `  echo 1 > "$g/events/${GROUP}/enable"`,
    `  for one in ${plan.events.map(({ path }) => path).join(" ")}; do`,
    '    if [ -e "$g/events/$one/enable" ]; then echo 1 > "$g/events/$one/enable"',
    '    else missed="$missed $one"; fi',
    "  done",
    ...(calls.length === 0
      ? []
      : [
          "  # system calls, as far as this machine has them",
          `  for one in ${plan.calls.join(" ")}; do`,
          "    for way in enter exit; do",
          '      [ -e "$g/events/syscalls/sys_${way}_$one/enable" ] || continue',
          '      echo 1 > "$g/events/syscalls/sys_${way}_$one/enable"',
          "    done",
          "  done",
        ]),
    ...(stacks ? STACKS : []),
    ...TELL,
    ...MARK,
    ...RUN,
    ")",
  ];
}
