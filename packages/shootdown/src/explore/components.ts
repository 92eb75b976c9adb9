// SPDX-License-Identifier: Apache-2.0
// Strongly connected components of a graph given by its steps (Tarjan), without recursion.

/**
 * The components of all nodes below `size` that can be reached from `roots`. Single nodes are
 * components too.
 */
export function components(
  size: number,
  roots: Iterable<number>,
  next: (node: number) => readonly number[],
): number[][] {
  // 0 not seen; n: the nth that was seen.
  const index = new Int32Array(size);
  const low = new Int32Array(size);
  const onStack = new Uint8Array(size);
  const stack: number[] = [];
  const found: number[][] = [];
  let count = 0;
  const open = (node: number) => {
    index[node] = ++count;
    low[node] = count;
    stack.push(node);
    onStack[node] = 1;
    return { node, to: next(node), at: 0 };
  };
  for (const root of roots) {
    if (index[root] !== 0) continue;
    const path = [open(root)];
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const to = top.to[top.at++];
      if (to !== undefined) {
        if (index[to] === 0) path.push(open(to));
        else if (onStack[to]) low[top.node] = Math.min(low[top.node]!, index[to]!);
        continue;
      }
      path.pop();
      const below = path.at(-1);
      if (below) low[below.node] = Math.min(low[below.node]!, low[top.node]!);
      if (low[top.node] !== index[top.node]) continue;
      const members: number[] = [];
      for (let node = -1; node !== top.node; ) {
        node = stack.pop()!;
        onStack[node] = 0;
        members.push(node);
      }
      found.push(members);
    }
  }
  return found;
}
