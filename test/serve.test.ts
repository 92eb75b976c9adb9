// SPDX-License-Identifier: Apache-2.0
// What `shootdown serve` answers: its own files and those given, to this host's names alone.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { appFor } from "../packages/shootdown/src/cli/serve.ts";
import { workFolder } from "./support/cli.ts";

const work = workFolder();
afterAll(work.remove);
mkdirSync(join(work.path, "page/assets"), { recursive: true });
writeFileSync(join(work.path, "page/index.html"), "<html><head></head></html>");
writeFileSync(join(work.path, "page/assets/a.js"), "1");
writeFileSync(join(work.path, "given.txt"), "recorded");
writeFileSync(join(work.path, "secret.txt"), "secret");
const app = appFor(join(work.path, "page"), [join(work.path, "given.txt")]);

const ask = (path: string, host = "127.0.0.1:8080", method = "GET") =>
  app.request(`http://127.0.0.1:8080${path}`, { method, headers: { host } });

test.each(["/", "/assets/a.js", "/files.json", "/files/0"])("%s is served", async (path) => {
  const answer = await ask(path);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("cross-origin-opener-policy")).toBe("same-origin");
  expect(answer.headers.get("content-security-policy")).not.toContain("'unsafe-eval'");
});

test.each([
  "/secret.txt",
  "/../secret.txt",
  "/%2e%2e/secret.txt",
  "/files/1",
  "/files/../secret.txt",
])("%s is not", async (path) => {
  expect((await ask(path)).status).toBe(404);
});

test.each(["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8080", ""])(
  "a request for the host '%s' is refused",
  async (host) => {
    expect((await ask("/", host)).status).toBe(403);
  },
);

test("nothing but reading", async () => {
  expect((await ask("/", "localhost:8080", "POST")).status).toBe(405);
  expect((await ask("/", "localhost:8080", "HEAD")).status).toBe(200);
});
