// SPDX-License-Identifier: Apache-2.0
// Several recordings of one run: a door of its own, for most recordings are one file.

export { checkRecording } from "../trace/recording.ts";
