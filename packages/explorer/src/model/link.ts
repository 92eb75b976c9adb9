// SPDX-License-Identifier: Apache-2.0
// The link is the state: scenario, configuration, step and branch, in the fragment of the address.
//
//   #s=permission-upgrade/upgrade.litmus&m=arm64+smmuv3&k=linux-6.1&at=17
//   #t=<deflated text, base64url>&m=..&k=..&set=hafdbs:no&keep=8&b=3.0.12&at=11
//   #s=..&m=..&k=linux-6.1&vs=arm64+smmuv3,linux-6.12,hafdbs:no&at=12     beside another

interface Of {
  readonly machine: string;
  readonly kernel: string;
  readonly set: Readonly<Record<string, string>>;
}

/** What a link says. */
export interface Link {
  /** Path of a shipped scenario, if its text is as it is shipped. */
  readonly scenario: string | null;
  /** Else its text. */
  readonly text: string | null;
  readonly machine: string | null;
  readonly kernel: string | null;
  readonly set: Readonly<Record<string, string>>;
  /** The position of the cursor. */
  readonly at: number;
  /** Steps of the witness that are kept; null: all of them. */
  readonly keep: number | null;
  /** Steps of one's own, each by its number among the moves. */
  readonly branch: readonly number[];
  /** Another configuration beside this one. */
  readonly beside: Of | null;
}

/** Where a run that is opened again was. */
export interface Target {
  readonly keep?: number | null;
  readonly branch?: readonly number[];
  readonly at?: number | null;
}

export const NO_LINK: Link = {
  ...{ scenario: null, text: null, machine: null, kernel: null, set: {} },
  ...{ at: 0, keep: null, branch: [], beside: null },
};

/** Whether a link says no more than a position in what the page begins with anyway. */
export function isOfFirst(link: Link, first: string, { machine, kernel, set }: Of): boolean {
  const { scenario, text, keep, branch, beside } = link;
  if (text !== null || keep !== null || branch.length > 0 || beside) return false;
  if (scenario === null) return link.machine === null && link.kernel === null;
  const pairs = (of: Of["set"]) => Object.entries(of).sort().join();
  const same = scenario === first && link.machine === machine && link.kernel === kernel;
  return same && pairs(link.set) === pairs(set);
}

/** No link is longer: what a mail or a tracker would cut. */
export const LINK_CHARS_MAX = 32_000;

/** The fragment without its "#"; the text is deflated. */
export async function writeLink(link: Link): Promise<string> {
  const parts: [string, string][] = [];
  if (link.scenario !== null) parts.push(["s", link.scenario]);
  else if (link.text !== null) parts.push(["t", await packed(link.text)]);
  if (link.machine !== null) parts.push(["m", link.machine]);
  if (link.kernel !== null) parts.push(["k", link.kernel]);
  const set = setText(link.set);
  if (set.length > 0) parts.push(["set", set.join(",")]);
  if (link.keep !== null) parts.push(["keep", `${link.keep}`]);
  if (link.branch.length > 0) parts.push(["b", link.branch.join(".")]);
  if (link.beside) {
    const { machine, kernel, set: knobs } = link.beside;
    parts.push(["vs", [machine, kernel, ...setText(knobs)].join()]);
  }
  if (link.at > 0) parts.push(["at", `${link.at}`]);
  return parts.map(([name, value]) => `${name}=${encoded(value)}`).join("&");
}

/** Reads a fragment; what makes no sense is left out. Never throws. */
export async function readLink(fragment: string): Promise<Link> {
  const parts = new Map(
    fragment
      .replace(/^#/, "")
      .split("&")
      .flatMap((part): [string, string][] => {
        const at = part.indexOf("=");
        return at < 0 ? [] : [[part.slice(0, at), decoded(part.slice(at + 1))]];
      }),
  );
  const number = (name: string): number | null => {
    const text = parts.get(name);
    return text !== undefined && /^\d{1,7}$/.test(text) ? Number(text) : null;
  };
  const text = parts.get("t");
  const branch = parts.get("b") ?? "";
  const [machine, kernel, ...knobs] = (parts.get("vs") ?? "").split(",");
  return {
    scenario: parts.get("s") ?? null,
    text: text === undefined ? null : await unpacked(text),
    machine: parts.get("m") ?? null,
    kernel: parts.get("k") ?? null,
    set: setOf((parts.get("set") ?? "").split(",")),
    at: number("at") ?? 0,
    keep: number("keep"),
    branch: /^\d{1,5}(\.\d{1,5})*$/.test(branch) ? branch.split(".").map(Number) : [],
    beside: machine && kernel ? { machine, kernel, set: setOf(knobs) } : null,
  };
}

const setText = (set: Of["set"]): string[] =>
  Object.entries(set).map(([name, value]) => `${name}:${value}`);

const setOf = (pairs: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    pairs.flatMap((pair): [string, string][] => {
      const [name, value] = pair.split(":");
      return name && value ? [[name, value]] : [];
    }),
  );

/** Readable in an address: only what would end a part is escaped. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/%(2B|2F|3A|2C)/g, (hex) => decodeURIComponent(hex));

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

async function packed(text: string): Promise<string> {
  const bytes = await through(new TextEncoder().encode(text), new CompressionStream("deflate-raw"));
  const binary = Array.from(bytes, (b) => String.fromCharCode(b)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

async function unpacked(text: string): Promise<string | null> {
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
    const plain = await through(bytes, new DecompressionStream("deflate-raw"));
    return new TextDecoder("utf-8", { fatal: true }).decode(plain);
  } catch {
    return null;
  }
}

async function through(
  bytes: Uint8Array<ArrayBuffer>,
  stream: CompressionStream | DecompressionStream,
): Promise<Uint8Array> {
  const out = new Blob([bytes]).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(out).arrayBuffer());
}
