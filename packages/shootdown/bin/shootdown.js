#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// The command. This file is old JavaScript on purpose (bin/package.json makes it CommonJS): any
// Node must be able to parse it, so that an old one prints a sentence and not a syntax error.
"use strict";

var wanted = [20, 19];
var have = process.versions.node.split(".");
var major = parseInt(have[0], 10);
var minor = parseInt(have[1], 10);

if (major < wanted[0] || (major === wanted[0] && minor < wanted[1])) {
  process.stderr.write(
    "shootdown: needs Node.js " + wanted.join(".") + " or newer, this is " + process.version + "\n"
  );
  process.exit(2);
}

require("./start.js");
