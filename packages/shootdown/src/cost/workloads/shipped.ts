// SPDX-License-Identifier: Apache-2.0
// The recorded workloads that come with the program: fixtures/workloads/NAME.txt.gz.

export interface Shipped {
  readonly name: string;
  /** Another name of it. */
  readonly also?: string;
  /** One line for lists; the file says more. */
  readonly about: string;
}

export const SHIPPED: readonly Shipped[] = [
  { name: "node", about: "node, arrays made and dropped" },
  { name: "gcc", about: "a configure script in bash and gcc -O2: forks, copies and upgrades" },
  { name: "java", also: "java-gc", about: "java with ParallelGC, byte arrays made and dropped" },
  { name: "python", about: "python3, byte arrays made and dropped" },
  { name: "sqlite", about: "sqlite3 on a mapped file" },
  {
    name: "redis",
    also: "redis-bgsave",
    about: "redis-server with a BGSAVE: fork and copies on write",
  },
  { name: "postgres", about: "postgres, from start to stop, one client" },
];

/** The one of this name, or other name. */
export function shippedNamed(name: string): Shipped | undefined {
  return SHIPPED.find((one) => one.name === name || one.also === name);
}
