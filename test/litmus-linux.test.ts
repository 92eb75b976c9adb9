// SPDX-License-Identifier: Apache-2.0
// The scenario library: operations of Linux.

import { testLibrary } from "./support/library.ts";

testLibrary((file) => /^linux\b(?!.after)/.test(file));
