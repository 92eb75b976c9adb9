// SPDX-License-Identifier: Apache-2.0
// The scenario library, but for kernels and their bugs.

import { testLibrary } from "./support/library.ts";

testLibrary((file) => !/^(museum|linux|stories)\b/.test(file));
