// SPDX-License-Identifier: Apache-2.0
// The scenario library: bugs of real kernels, and stories of others.

import { testLibrary } from "./support/library.ts";

testLibrary((file) => /^(museum|stories)\b/.test(file));
