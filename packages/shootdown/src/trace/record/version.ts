// SPDX-License-Identifier: Apache-2.0
// Versions of Linux, and intervals of them as the tables write them: "6.6..", "..6.5", "6.9..6.18".

export interface Version {
  readonly major: number;
  readonly minor: number;
}

/** What the tables are made for; what is older or newer may have moved. */
export const OLDEST: Version = { major: 5, minor: 10 };
export const NEWEST: Version = { major: 7, minor: 99 };

/** "linux-6.12", "6.12", "6.12.117+deb12-arm64" and the like; undefined for anything else. */
export function versionOf(name: string): Version | undefined {
  const [, major, minor] = /^(?:linux-)?(\d{1,3})\.(\d{1,3})(?![\d])[\w.+~-]*$/.exec(name) ?? [];
  if (major === undefined || minor === undefined) return undefined;
  return { major: Number(major), minor: Number(minor) };
}

export const versionText = ({ major, minor }: Version): string => `${major}.${minor}`;

export const compareVersions = (a: Version, b: Version): number =>
  a.major - b.major || a.minor - b.minor;

/** An interval, ends included; either may be left out. */
export type Interval = `${string}..${string}`;

/** Whether a version is in an interval; without one every version is. */
export function within(interval: Interval | undefined, version: Version): boolean {
  if (interval === undefined) return true;
  const [from = "", to = ""] = interval.split("..");
  return (
    (from === "" || compareVersions(endOf(from, interval), version) <= 0) &&
    (to === "" || compareVersions(version, endOf(to, interval)) <= 0)
  );
}

function endOf(text: string, interval: string): Version {
  const version = versionOf(text);
  if (version === undefined) throw new Error(`no interval of versions: ${interval}`);
  return version;
}
