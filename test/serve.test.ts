// SPDX-License-Identifier: Apache-2.0
// What `shootdown serve` answers: its own files and those given, to this host's names alone.

import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { appFor } from "../packages/shootdown/src/cli/serve.ts";
import { shootdown, workFolder } from "./support/cli.ts";

const work = workFolder();
afterAll(work.remove);
mkdirSync(join(work.path, "page/assets"), { recursive: true });
writeFileSync(join(work.path, "page/index.html"), "<html><head></head></html>");
writeFileSync(join(work.path, "page/assets/a.js"), "1");
writeFileSync(join(work.path, "given.txt"), "recorded");
writeFileSync(join(work.path, "secret.txt"), "secret");
mkdirSync(join(work.path, "folder/deep"), { recursive: true });
writeFileSync(join(work.path, "folder/deep/trace.txt"), "deep");
writeFileSync(join(work.path, "folder/.hidden"), "hidden");
writeFileSync(join(work.path, "folder/later.txt"), "later");
symlinkSync("deep/trace.txt", join(work.path, "folder/alias.txt"));
symlinkSync("../secret.txt", join(work.path, "folder/out.txt"));
symlinkSync("..", join(work.path, "folder/up"));
symlinkSync("nowhere", join(work.path, "folder/broken"));
const page = join(work.path, "page");
const app = appFor(page, [join(work.path, "given.txt")]);

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

test("a folder: what lies in it, and no link that leads out", async () => {
  const own = appFor(page, [join(work.path, "folder"), join(work.path, "given.txt")]);
  const get = (path: string) =>
    own.request(`http://127.0.0.1:8080/${path}`, { headers: { host: "localhost" } });
  const list = (await (await get("files.json")).json()) as { name: string; url: string }[];
  expect(list.map((f) => f.name)).toEqual([
    ...["folder/alias.txt", "folder/deep/trace.txt", "folder/later.txt", "given.txt"],
  ]);
  // Where a file lies is nobody's business.
  expect(JSON.stringify(list)).not.toContain(work.path);
  const texts = await Promise.all(list.map(async ({ url }) => (await get(url)).text()));
  expect(texts).toEqual(["deep", "deep", "later", "recorded"]);
  // A file that has become a link since.
  const later = join(work.path, "folder/later.txt");
  rmSync(later);
  symlinkSync("../secret.txt", later);
  expect((await get(list[2]!.url)).status).toBe(404);
  // A folder on the way that has become one.
  renameSync(join(work.path, "folder/deep"), join(work.path, "moved"));
  symlinkSync("../moved", join(work.path, "folder/deep"));
  expect((await get(list[1]!.url)).status).toBe(404);
});

test("what cannot be served is said", () => {
  mkdirSync(join(work.path, "empty"));
  const { status, stderr } = shootdown(["serve", "empty", "gone.txt"], { cwd: work.path });
  expect(status).toBe(2);
  expect(stderr).toContain("empty: error: a folder without files");
  expect(stderr).toContain("gone.txt: error: ");
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
