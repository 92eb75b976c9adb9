// SPDX-License-Identifier: Apache-2.0
// The scenario library: what operations of Linux leave behind.

import { testLibrary } from "./support/library.ts";

testLibrary((file) => /^linux.after\b/.test(file));
