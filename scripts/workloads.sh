#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Records the shipped workloads again: system calls of mm and page faults of one program at a time,
# by the kernel's own events, and writes them as packages/shootdown/fixtures/workloads/NAME.txt.gz.
#
#   scripts/workloads.sh            all
#   scripts/workloads.sh gcc java   these
#   scripts/workloads.sh run OUT.trace.txt PROGRAM ARGUMENT...      any program: the trace alone
#
# Needs root, x86-64 (exceptions:page_fault_user), tracefs, and the Debian packages nodejs, gcc,
# default-jdk-headless, python3, sqlite3, redis-server, postgresql. NODE, JAVA, PYTHON, PGBIN name
# other places of them. Addresses are random, so that no two recordings are the same.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
tracefs=/sys/kernel/tracing
[ -e $tracefs/instances ] || mount -t tracefs nodev $tracefs
instance=$tracefs/instances/shootdown-workload
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"; [ ! -d $instance ] || rmdir $instance' EXIT

NODE=${NODE:-node}
JAVA=${JAVA:-java}
PYTHON=${PYTHON:-/usr/bin/python3}
PGBIN=${PGBIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)}

events="exceptions/page_fault_user exceptions/page_fault_kernel task/task_newtask
sched/sched_process_exec sched/sched_process_exit"
for call in mmap munmap mprotect pkey_mprotect madvise mremap brk clone clone3 fork vfork \
  execve execveat; do
  events="$events syscalls/sys_enter_$call syscalls/sys_exit_$call"
done

# What the shell does before it becomes the program: only it and what it starts is recorded.
alone="echo \$\$ > $instance/set_event_pid; echo 1 > $instance/tracing_on; exec \"\$@\""

# record OUT PROGRAM ARGUMENT...: the program, from its first line on, and all it starts
begin() {
  mkdir $instance
  echo 0 > $instance/tracing_on
  echo mono > $instance/trace_clock
  echo 65536 > $instance/buffer_size_kb
  echo 1 > $instance/options/event-fork
  for event in $events; do echo 1 > "$instance/events/$event/enable"; done
}
end() {
  echo 0 > $instance/tracing_on
  cat $instance/trace > "$1"
  if grep -hE '^(overrun|dropped events): [1-9]' $instance/per_cpu/cpu*/stats; then
    echo "events were lost: $1" >&2
    exit 1
  fi
  rmdir $instance
}
record() {
  out=$1
  shift
  begin
  sh -c "$alone" sh "$@" > "$work/stdout" 2>&1 ||
    { cat "$work/stdout" >&2; exit 1; }
  end "$out"
}

version() { "$@" 2>&1 | head -n 1 | tr -d '\r' | cut -c1-60; }

# keep NAME TITLE WHAT: the trace as a workload, beside what made it
keep() {
  node "$root/scripts/run-ts.mjs" "$root/scripts/workloads.ts" "$work/trace" "$@" \
    "$root/packages/shootdown/fixtures/workloads/$1.txt.gz"
}

node_() {
  cat > "$work/churn.js" <<'JS'
let kept = [];
for (let round = 0; round < 24; round++) {
  kept = kept.slice(-2);
  const rows = [];
  for (let i = 0; i < 1200; i++) rows.push(new Array(200).fill(i * round));
  kept.push(rows, new Float64Array(20000 + 1000 * round));
}
JS
  record "$work/trace" "$NODE" --max-old-space-size=48 "$work/churn.js"
  keep node "node, arrays made and dropped" "node $(version "$NODE" --version), churn.js"
}

gcc_() {
  cat > "$work/small.c" <<'C'
#include <stdio.h>
int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
int main(void) { printf("%d\n", fib(9)); return 0; }
C
  cat > "$work/configure" <<'SH'
# As configure scripts do: what a command prints is asked for in a subshell.
cc=$(command -v gcc); dir=$(dirname "$PWD")
for f in -O2 -Wall -fPIC; do
  name=$(echo "$f" | tr -d -)
  [ -n "$name" ] && flags="$flags $f"
done
for h in stdio stdlib string unistd stdint; do
  upper=$(printf '%s' "$h" | tr a-z A-Z)
  defs="$defs -DHAVE_${upper}_H=$( (test -e "/usr/include/$h.h" && echo 1) || echo 0)"
done
version=$($cc -dumpversion)
$cc $flags $defs -o small small.c
SH
  record "$work/trace" bash -c 'cd "$1" && . ./configure' bash "$work"
  keep gcc "a configure script in bash, gcc -O2 of one file at its end: forks, copies, upgrades" \
    "$(version gcc --version), bash, configure, small.c"
}

java_() {
  cat > "$work/Churn.java" <<'JAVA'
import java.util.ArrayList;
public class Churn {
  public static void main(String[] a) {
    ArrayList<byte[]> kept = new ArrayList<>();
    for (int i = 0; i < 4000; i++) {
      kept.add(new byte[8192]);
      if (kept.size() > 400) kept.subList(0, 300).clear();
    }
  }
}
JAVA
  record "$work/trace" "$JAVA" -XX:+UseParallelGC -Xmx64m "$work/Churn.java"
  keep java "java, ParallelGC: a source compiled and run, byte arrays made and dropped" \
    "$(version "$JAVA" -version), Churn.java"
}

python_() {
  cat > "$work/churn.py" <<'PY'
kept = []
for i in range(400):
    kept.append(bytearray(4096 * (1 + i * 7 % 60)))
    if len(kept) > 12:
        del kept[:8]
PY
  record "$work/trace" "$PYTHON" -S -E "$work/churn.py"
  keep python "python3, byte arrays of 4 to 240 KB made and dropped" \
    "$(version "$PYTHON" --version), churn.py"
}

sqlite_() {
  cat > "$work/load.sql" <<'SQL'
PRAGMA mmap_size=268435456;
CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20000)
  INSERT INTO t SELECT i, printf('%08d row of a table', i * 7919 % 20000) FROM n;
CREATE INDEX x ON t (b);
SELECT count(*), max(b) FROM t WHERE b > '00010000';
DELETE FROM t WHERE a % 3 = 0;
VACUUM;
SQL
  record "$work/trace" sqlite3 "$work/load.db" ".read $work/load.sql"
  keep sqlite "sqlite3, a file of 1 MB mapped; insert, index, delete, vacuum" \
    "sqlite3 $(sqlite3 --version | cut -d ' ' -f 1), load.sql"
}

redis_() {
  port=17379
  begin
  sh -c "$alone" sh redis-server --port $port \
    --save '' --appendonly no --dir "$work" > "$work/stdout" 2>&1 &
  server=$!
  until redis-cli -p $port ping > /dev/null 2>&1; do sleep 0.1; done
  redis-benchmark -p $port -q -n 6000 -r 3000 -d 512 -t set > /dev/null
  redis-cli -p $port bgsave > /dev/null
  redis-benchmark -p $port -q -n 4000 -r 3000 -d 512 -t set > /dev/null
  while redis-cli -p $port info persistence | grep -q rdb_bgsave_in_progress:1; do sleep 0.1; done
  redis-cli -p $port shutdown nosave || true
  wait $server || true
  end "$work/trace"
  keep redis "redis-server, 10000 SETs and a BGSAVE between them: fork, then copies on write" \
    "$(version redis-server --version | cut -d ' ' -f 1-3), redis-benchmark"
}

postgres_() {
  install -d -o postgres "$work/pg"
  as() { runuser -u postgres -- "$@"; }
  as "$PGBIN/initdb" -D "$work/pg/data" -N > /dev/null
  begin
  sh -c "$alone" sh runuser -u postgres -- \
    "$PGBIN/postgres" -D "$work/pg/data" -k "$work/pg" -c listen_addresses= \
    -c shared_buffers=4MB -c max_connections=10 > "$work/stdout" 2>&1 &
  server=$!
  until as "$PGBIN/pg_isready" -q -h "$work/pg"; do sleep 0.1; done
  as psql -q -h "$work/pg" -c 'CREATE TABLE t AS SELECT i, i % 97 AS m FROM generate_series(1,
    20000) i' -c 'CREATE INDEX ON t (m)' -c 'SELECT m, count(*) FROM t GROUP BY m' postgres \
    > /dev/null
  as "$PGBIN/pg_ctl" -D "$work/pg/data" -m fast -s stop
  wait $server || true
  end "$work/trace"
  keep postgres "postgres, started, one client: table, index, query; stopped" \
    "$(version "$PGBIN/postgres" --version), psql"
}

if [ "${1-}" = run ]; then
  out=$2
  shift 2
  record "$out" "$@"
  exit
fi
[ $# -gt 0 ] || set -- node gcc java python sqlite redis postgres
for name in "$@"; do "${name}_"; done
