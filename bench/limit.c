/* SPDX-License-Identifier: Apache-2.0
 * What the host does around a module that explores: begins, goes from level to level, makes the
 * table and the pool larger. The same as explore.ts and store.ts in src/explore/fast, for one
 * thread and without free steps. Put behind what limit.ts writes.
 */

#include <stdio.h>

#define W(at) (*(u32 *)(memory + (at)))

static const double LOAD = 0.72;
static u32 size = 1 << 10, pad = 64;
static uint64_t states, transitions;

u32 host_intern(u32 sort, u32 value) { abort(); }
u32 host_fail(u32 reason) { abort(); }

static void count(void) {
  states += W(OWN_ADDED);
  transitions += W(OWN_TRANSITIONS);
  W(OWN_ADDED) = W(OWN_TRANSITIONS) = 0;
  W(OWN_QUOTA) = (u32)(size * LOAD) - states;
}

static u32 table_end(void) { return W(ALL_TABLE) + (size + pad) * SLOT; }

static void set_table(void) {
  W(ALL_SIZE) = size;
  W(ALL_LAST) = table_end() - SLOT;
}

static void reserve(uint64_t bytes) {
  uint64_t pages = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
  if (pages > MEMORY_MAXIMUM) abort();
  if (pages > memory_pages) memory_pages = pages;
}

static void grow_table(void) {
  count();
  u32 aside = f_longest(table_end()), before = table_end(), old = W(ALL_POOL);
  double factor = size < 1 << 16 ? 4 : size < 1 << 22 ? 2 : 1.35;
  u32 more = (u32)(size * factor + 0.999), more_pad = pad + 16;
  u32 pool = W(ALL_TABLE) + (more + more_pad) * SLOT, limit = W(ALL_LIMIT);
  reserve((uint64_t)pool + limit + aside);
  memmove(memory + pool, memory + old, W(ALL_USED));
  memset(memory + before, 0, pool - before);
  W(ALL_POOL) = pool;
  size = more;
  pad = more_pad;
  set_table();
  f_sweep(before, pool + limit);
  count();
}

static void grow_pool(void) {
  u32 pool = W(ALL_POOL), limit = W(ALL_LIMIT);
  u32 least = W(ALL_USED) + CHUNK_BYTES, wanted = limit + limit / 8;
  reserve((uint64_t)pool + (wanted > least ? wanted : least));
  W(ALL_LIMIT) = memory_pages * PAGE_BYTES - pool;
}

static void grow(u32 code) {
  if (code == CODE_TABLE) grow_table();
  else if (code == CODE_POOL) grow_pool();
  else abort();
}

static void begin(void) {
  memory_init();
  memcpy(memory + DATA_AT, data, DATA_WORDS * 4);
  W(ALL_TABLE) = TABLE_START;
  W(ALL_POOL) = TABLE_START + (size + pad) * SLOT;
  W(ALL_LIMIT) = memory_pages * PAGE_BYTES - W(ALL_POOL);
  set_table();
  count();
  memcpy(memory + BUFFER, initial, WORDS * 4);
  for (u32 code; (code = f_insert(ME, 0, BUFFER + WORDS * 4, 0)) != CODE_DONE;) grow(code);
  count();
}

/* The list of states found becomes the next level. */
static u32 take_level(void) {
  u32 head = W(OWN_OUT + LIST_HEAD);
  if (head != 0) W(W(ALL_POOL) + W(OWN_OUT + LIST_TAIL) - 1 + CHUNK_UNTIL) = W(OWN_OUT + LIST_TO);
  for (u32 at = 0; at < LIST_BYTES; at += 4) W(OWN_OUT + at) = 0;
  return head;
}

int main(void) {
  begin();
  for (u32 level; (level = take_level()) != 0;) {
    W(ALL_LEVEL) = level;
    for (u32 code; (code = f_run(ME, -1)) != CODE_DONE;) {
      if (code != CODE_BUDGET) grow(code);
    }
    count();
  }
  uint64_t bytes = (uint64_t)memory_pages * PAGE_BYTES;
  printf("{\"states\":%llu,\"transitions\":%llu,\"bytes\":%llu}\n", (unsigned long long)states,
         (unsigned long long)transitions, (unsigned long long)bytes);
  return W(OWN_FOUND) != 0;
}
