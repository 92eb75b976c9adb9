// SPDX-License-Identifier: Apache-2.0
// `shootdown serve [PATH...]`: the explorer on 127.0.0.1, with the files and folders given.
//
// What is served is a list made at the start: the page's own files, and those given. A path is
// looked up in it and never put together from a request, so there is nothing to traverse.

import { createReadStream, readdirSync, readFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { extname, join, relative } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { serve as listen, type ServerType } from "@hono/node-server";
import type { Command } from "commander";
import { Hono } from "hono";
import { problem, quote } from "../api/index.ts";
import { addCommon, type CommonOptions, reportAll, USAGE } from "./options.ts";
import { out, say } from "./output.ts";
import { SERVED_POLICY } from "./policy.ts";
import { openServed, pathProblems, servedFiles } from "./served-files.ts";

const EXAMPLES = `
The page steps through runs of scenarios: the state at each step, every step that
could come next, the routines; two kernels side by side. PATH is a scenario, a
witness, a recording, or a folder of them; the page lists them. Nothing else is
served, to this machine alone, and nothing is sent anywhere: the search runs in the
browser. From another machine, forward the port as the line that is printed says.

Examples:
  shootdown serve
  shootdown serve --port 8080 my.litmus w/upgrade.w.json trace.txt.gz
  shootdown serve ~/traces

Exit status: 0 ended by Ctrl-C, 2 usage or input error.`;

const HOST = "127.0.0.1";
const PORT_MAX = 65_535;

/** What is in a response besides the file. */
const HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy": SERVED_POLICY,
  // What is asked for by another page is refused; what this one measures may be exact.
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-cache",
};

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
};

interface Options extends CommonOptions {
  readonly port?: string;
}

export function register(command: Command): void {
  command
    .argument("[path...]", "scenarios, witnesses, recordings, and folders of them")
    .option("--port <n>", "port (default: a free one, which is printed)");
  addCommon(command, ["text", "ndjson"]).addHelpText("after", EXAMPLES).action(serve);
}

async function serve(files: readonly string[], options: Options): Promise<void> {
  const port = options.port ?? "0";
  const wrong = [...portProblems(port), ...files.flatMap(pathProblems)];
  if (wrong.length > 0) {
    reportAll(wrong, options.format);
    process.exitCode = USAGE;
    return;
  }
  const app = appFor(fileURLToPath(new URL("./explorer/", import.meta.url)), files);
  const server = listen({ fetch: app.fetch, hostname: HOST, port: Number(port) }, (info) => {
    const url = `http://${HOST}:${info.port}/`;
    const ssh = `ssh -L ${info.port}:${HOST}:${info.port} ${userInfo().username}@${hostname()}`;
    if (options.format === "ndjson") out(`${JSON.stringify({ type: "serve", url, ssh })}\n`);
    else out(`${url}\nfrom another machine: ${ssh}\n`);
    if (process.stderr.isTTY && !options.quiet) say("shootdown: Ctrl-C ends it");
  });
  const ended = new Promise<void>((resolve) => server.on("close", resolve));
  server.on("error", (error) => {
    reportAll([problem(`port ${port}: ${listenText(error)}`)], options.format);
    process.exitCode = USAGE;
    server.close();
  });
  const stop = () => end(server);
  process.once("SIGINT", stop).once("SIGTERM", stop);
  await ended;
}

function end(server: ServerType): void {
  server.close();
  // A page that is open keeps its connection.
  if ("closeAllConnections" in server) server.closeAllConnections();
}

function listenText(error: NodeJS.ErrnoException): string {
  if (error.code === "EADDRINUSE") return "somebody else listens there";
  if (error.code === "EACCES") return "not allowed";
  return error.message;
}

function portProblems(port: string) {
  if (/^\d{1,5}$/.test(port) && Number(port) <= PORT_MAX) return [];
  return [problem(`--port ${quote(port)}: expected a number up to ${PORT_MAX}`)];
}

/** The answers, by path. `home` has the built page. */
export function appFor(home: string, files: readonly string[]): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    // Another site's name that leads here is not this site.
    const host = c.req.header("host") ?? "";
    if (!/^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/.test(host)) {
      return c.text("not this host\n", 403, HEADERS);
    }
    if (c.req.method !== "GET" && c.req.method !== "HEAD") {
      return c.text("GET alone\n", 405, HEADERS);
    }
    await next();
    for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value);
    return undefined;
  });
  for (const path of pagesOf(home)) {
    const type = TYPES[extname(path)] ?? "application/octet-stream";
    const text = () => readFileSync(join(home, path));
    if (path === "index.html") {
      app.get("/", (c) => c.html(withFiles(text().toString("utf8"))));
    } else app.get(`/${path}`, (c) => c.body(text(), 200, { "Content-Type": type }));
  }
  const listed = servedFiles(files).map((file, n) => ({ file, url: `files/${n}` }));
  const list = listed.map(({ file: { name, size }, url }) => ({ name, size, url }));
  app.get("/files.json", (c) => c.json(list));
  for (const { url, file } of listed) {
    app.get(`/${url}`, (c) => {
      const fd = openServed(file);
      if (fd === undefined) return c.text("it is gone\n", 404);
      const body = Readable.toWeb(createReadStream("", { fd })) as ReadableStream<Uint8Array>;
      return c.body(body, 200, { "Content-Type": "application/octet-stream" });
    });
  }
  app.notFound((c) => c.text("not here\n", 404));
  return app;
}

/** Every file of the built page, with "/" between the parts. */
const pagesOf = (home: string): string[] =>
  readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(home, join(entry.parentPath, entry.name)).replaceAll("\\", "/"));

/** Tells the page that it may ask for files: on a plain web server nobody would answer. */
const withFiles = (html: string): string =>
  html.replace("</head>", '  <meta name="shootdown-files" content="files.json" />\n  </head>');
