// SPDX-License-Identifier: Apache-2.0
// Numbers and names of the system calls of mm, as x86-64 and arm64 have them.

/** Bits or values by their names in a recording, with and without prefix. */
type Names = Readonly<Record<string, number>>;

export const PROT: Names = { NONE: 0, READ: 1, WRITE: 2, EXEC: 4, BTI: 16, MTE: 32, SEM: 8 };

export const MAP: Names = {
  SHARED: 1,
  PRIVATE: 2,
  SHARED_VALIDATE: 3,
  FIXED: 0x10,
  ANONYMOUS: 0x20,
  ANON: 0x20,
  "32BIT": 0x40,
  GROWSDOWN: 0x100,
  DENYWRITE: 0x800,
  EXECUTABLE: 0x1000,
  LOCKED: 0x2000,
  NORESERVE: 0x4000,
  POPULATE: 0x8000,
  NONBLOCK: 0x10000,
  STACK: 0x20000,
  HUGETLB: 0x40000,
  SYNC: 0x80000,
  FIXED_NOREPLACE: 0x100000,
  UNINITIALIZED: 0x4000000,
};

export const MADV: Names = {
  NORMAL: 0,
  RANDOM: 1,
  SEQUENTIAL: 2,
  WILLNEED: 3,
  DONTNEED: 4,
  FREE: 8,
  REMOVE: 9,
  DONTFORK: 10,
  DOFORK: 11,
  MERGEABLE: 12,
  UNMERGEABLE: 13,
  HUGEPAGE: 14,
  NOHUGEPAGE: 15,
  DONTDUMP: 16,
  DODUMP: 17,
  WIPEONFORK: 18,
  KEEPONFORK: 19,
  COLD: 20,
  PAGEOUT: 21,
  POPULATE_READ: 22,
  POPULATE_WRITE: 23,
  DONTNEED_LOCKED: 24,
  COLLAPSE: 25,
  HWPOISON: 100,
  SOFT_OFFLINE: 101,
};

/** What vfork() is to clone(). */
export const VFORK = 0x4100;

export const MREMAP: Names = { MAYMOVE: 1, FIXED: 2, DONTUNMAP: 4 };

export const CLONE: Names = {
  VM: 0x100,
  FS: 0x200,
  FILES: 0x400,
  SIGHAND: 0x800,
  PIDFD: 0x1000,
  PTRACE: 0x2000,
  VFORK: 0x4000,
  PARENT: 0x8000,
  THREAD: 0x10000,
  NEWNS: 0x20000,
  SYSVSEM: 0x40000,
  SETTLS: 0x80000,
  PARENT_SETTID: 0x100000,
  CHILD_CLEARTID: 0x200000,
  DETACHED: 0x400000,
  UNTRACED: 0x800000,
  CHILD_SETTID: 0x1000000,
  NEWCGROUP: 0x2000000,
  NEWUTS: 0x4000000,
  NEWIPC: 0x8000000,
  NEWUSER: 0x10000000,
  NEWPID: 0x20000000,
  NEWNET: 0x40000000,
  IO: 0x80000000,
};

/** The system calls that are followed; the rest is counted. */
export const FOLLOWED = [
  ...(["mmap", "mmap2", "munmap", "mprotect", "pkey_mprotect", "madvise", "mremap"] as const),
  ...(["brk", "clone", "clone3", "fork", "vfork", "execve", "execveat"] as const),
  ...(["exit", "exit_group"] as const),
] as const;
export type Followed = (typeof FOLLOWED)[number];

const followed: ReadonlySet<string> = new Set(FOLLOWED);
export const isFollowed = (name: string): name is Followed => followed.has(name);

/**
 * "PROT_READ|PROT_WRITE", "READ|WRITE", "0x3" or "21<<MAP_HUGE_SHIFT" as a number; undefined for a
 * word that is none of these.
 */
export function parseFlags(text: string, names: Names, prefix: string): number | undefined {
  let bits = 0;
  // strace -X verbose writes the names behind the number.
  for (const part of text.replace(/ *\/\*.*\*\/$/, "").split("|")) {
    const word = part.trim();
    if (/^(?:0x[\da-f]{1,8}|\d{1,10})$/i.test(word)) bits = or(bits, Number(word));
    else if (/^\d+<<(?:MAP_)?HUGE_SHIFT$|^HUGE_\d+[MGK]B$|^SIG[A-Z\d]+$/.test(word)) continue;
    else {
      const name = word.startsWith(prefix) ? word.slice(prefix.length) : word;
      const value = Object.hasOwn(names, name) ? names[name] : undefined;
      // A flag that is newer than this table, spelled as flags are, changes nothing here.
      if (value === undefined && !(word.startsWith(prefix) && /^[A-Z\d_]+$/.test(name))) {
        return undefined;
      }
      bits = or(bits, value ?? 0);
    }
  }
  return bits;
}

const or = (a: number, b: number): number => (a | b) >>> 0;

/** Whether all bits of a flag are set; numbers of up to 32 bits. */
export const has = (bits: number, flag: number): boolean => (bits & flag) >>> 0 === flag;
