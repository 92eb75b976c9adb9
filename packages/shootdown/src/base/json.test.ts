// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { expect, test } from "vitest";
import { formatDiagnostic } from "./diagnostic.ts";
import { type JsonNode, readJson } from "./json.ts";

function plain(node: JsonNode): unknown {
  if (node.kind === "object") {
    return Object.fromEntries(node.members.map((m) => [m.name, plain(m.value)]));
  }
  if (node.kind === "array") return node.items.map(plain);
  return node.kind === "null" ? null : node.value;
}

function complaint(text: string): string {
  const { diagnostic } = readJson(text, "p.json", "P001");
  return formatDiagnostic(diagnostic!, text).split("\n")[0]!;
}

test("any JSON is read as JSON.parse reads it", () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(3), (text, indent) => {
      const value = JSON.parse(text) as unknown;
      fc.pre(!text.includes("__proto__"));
      const again = JSON.stringify(value, null, indent);
      expect(plain(readJson(again, "p.json", "P001").root!)).toEqual(JSON.parse(again));
    }),
  );
});

test("what JSON.parse refuses is refused with a place", () => {
  fc.assert(
    fc.property(
      fc.json(),
      fc.nat(),
      fc.constantFrom("", "}", '"', ",", "x", "\n"),
      (t, at, put) => {
        const text = t.slice(0, at % (t.length + 1)) + put + t.slice((at + 1) % (t.length + 1));
        let good = true;
        try {
          JSON.parse(text);
        } catch {
          good = false;
        }
        const { root, diagnostic } = readJson(text, "p.json", "P001");
        if (!good) expect(diagnostic).toBeDefined();
        else if (diagnostic === undefined) expect(root).toBeDefined();
        // A name that stands twice, and 1e999, are JSON for JSON.parse.
        else expect(diagnostic.message).toMatch(/twice|too large/);
      },
    ),
  );
});

test("a mistake is pointed at", () => {
  expect(complaint('{"a": 1,\n "b" 2}')).toBe("p.json:2:6: error: expected ':', found '2' [P001]");
  expect(complaint('{"a": 1, "a": 2}')).toContain('p.json:1:10: error: the name "a" stands');
  expect(complaint("[1, 2")).toContain("p.json:1:6: error: expected ',' or ']'");
  expect(complaint('{"a": "b')).toContain("p.json:1:7: error: string that does not end");
  expect(complaint("[1e999]")).toContain("p.json:1:2: error: a number that is too large");
  expect(complaint("[".repeat(100))).toContain("values inside each other");
  expect(complaint("")).toContain("expected a value");
});

test("spans cover values and names", () => {
  const text = ' {"deep": [1, {"x": true}]}';
  const { root } = readJson(text, "p.json", "P001");
  expect(text.slice(root!.span.offset, root!.span.end)).toBe(text.trim());
  const deep = root!.kind === "object" ? root!.members[0]! : undefined;
  expect(text.slice(deep!.span.offset, deep!.span.end)).toBe('"deep"');
  expect(text.slice(deep!.value.span.offset, deep!.value.span.end)).toBe('[1, {"x": true}]');
});
