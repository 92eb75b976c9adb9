// SPDX-License-Identifier: Apache-2.0
// Reads a user's profile; every mistake is said where it stands.
//
//   { "name": "mine", "based_on": "grace", "features": { "cpus": 72 },
//     "quantities": { "cmd_sync_ns": { "value": 300, "low": 280, "high": 330,
//                                      "tag": "M", "source": "dma_map_benchmark" } } }

import { type Diagnostic, quote } from "../base/diagnostic.ts";
import { type JsonMember, type JsonNode, readJson } from "../base/json.ts";
import type { Span } from "../base/span.ts";
import { suggestion } from "../base/suggest.ts";
import { machineKnobs } from "../hardware/machines.ts";
import {
  DEFAULT_FEATURES,
  type Features,
  IOMMUS,
  misfit,
  missingQuantities,
  type Profile,
  type Quantities,
  type Quantity,
  TAGS,
  type Tag,
} from "./profile.ts";
import { PROFILES, profileNamed } from "./profiles.ts";
import { largest, QUANTITY_NAMES, type QuantityName } from "./quantities.ts";
import { near, unknownQuantity } from "./sweep.ts";

export type ProfileRead =
  | { readonly ok: true; readonly profile: Profile }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

const MEMBERS = ["name", "title", "machine", "based_on", "features", "quantities"] as const;
const QUANTITY_MEMBERS = ["value", "low", "high", "tag", "source"] as const;

/** Features that count something: the least and the greatest that is believed. */
export const COUNTED: Readonly<Record<string, readonly [number, number]>> = {
  cpus: [1, 4096],
  nodes: [1, 1024],
  smmus: [1, 256],
  queues: [1, 4096],
  cmdq_max_tlbi_ops: [1, 2 ** 36],
  // A process has at most so many in the model.
  devices: [0, 4],
  tlb_entries: [0, 2 ** 24],
  iotlb_entries: [0, 2 ** 24],
  atc_entries: [0, 2 ** 24],
};

export const WORDS: Readonly<Record<string, readonly string[]>> = {
  iommu: IOMMUS,
  smmu_order: ["sequential", "overlapped"],
  atc_span: ["covering", "exact"],
};

export function readProfile(text: string, file: string): ProfileRead {
  const { root, diagnostic } = readJson(text, file, "P001");
  if (root === undefined) return { ok: false, diagnostics: [diagnostic!] };
  const reader = new ProfileReader();
  const profile = reader.profile(root);
  const { diagnostics } = reader;
  return profile === undefined || diagnostics.length > 0
    ? { ok: false, diagnostics }
    : { ok: true, profile };
}

class ProfileReader {
  readonly diagnostics: Diagnostic[] = [];

  profile(root: JsonNode): Profile | undefined {
    const members = this.members(root, MEMBERS, "a profile");
    if (members === undefined) return undefined;
    const base = this.base(members.get("based_on"));
    const name = this.text(members.get("name")) ?? this.lacking(root, "name");
    const machine = this.machine(members.get("machine")) ?? base?.machine;
    if (machine === undefined && this.diagnostics.length === 0) this.lacking(root, "machine");
    if (name === undefined || machine === undefined) return undefined;
    const profile: Profile = {
      name,
      title: this.text(members.get("title")) ?? base?.title ?? name,
      machine,
      features: this.features(members.get("features"), base?.features ?? DEFAULT_FEATURES),
      quantities: this.quantities(members.get("quantities"), base?.quantities ?? {}),
    };
    if (this.diagnostics.length === 0) this.complete(root, profile);
    return profile;
  }

  private complete(root: JsonNode, profile: Profile): void {
    const why = misfit(profile);
    if (why === undefined) return;
    const lacking = missingQuantities(profile).length > 0;
    const note = lacking ? 'give them, or "based_on" a shipped profile' : undefined;
    this.say("P005", start(root.span), why, note);
  }

  private base(member: JsonMember | undefined): Profile | undefined {
    const name = this.text(member);
    if (member === undefined || name === undefined) return undefined;
    const profile = profileNamed(name);
    if (profile !== undefined) return profile;
    const names = PROFILES.map((p) => p.name);
    this.say("P004", member.value.span, `unknown profile ${quote(name)}`, suggestion(name, names));
    return undefined;
  }

  private machine(member: JsonMember | undefined): string | undefined {
    const name = this.text(member);
    if (member === undefined || name === undefined) return undefined;
    const known = machineKnobs(name);
    if (known.ok) return name;
    const why = known.why === undefined ? "is no part of a machine" : known.why;
    this.say("P004", member.value.span, `${quote(known.unknown)} ${why}`);
    return undefined;
  }

  private features(member: JsonMember | undefined, base: Features): Features {
    const known = Object.keys(DEFAULT_FEATURES) as (keyof Features)[];
    const given: Record<string, unknown> = {};
    for (const [name, { value }] of this.members(member?.value, known, "the features") ?? []) {
      const read = this.feature(name, value);
      if (read !== undefined) given[name] = read;
    }
    return { ...base, ...(given as Partial<Features>) };
  }

  private feature(name: string, node: JsonNode): unknown {
    const words = WORDS[name];
    const range = COUNTED[name];
    if (words !== undefined) {
      if (node.kind === "string" && words.includes(node.value)) return node.value;
      const note = node.kind === "string" ? suggestion(node.value, words) : undefined;
      const all = words.map((word) => `"${word}"`).join(", ");
      this.say("P003", node.span, `'${name}' is one of ${all}`, note);
    } else if (range === undefined) {
      if (node.kind === "boolean") return node.value;
      this.say("P003", node.span, `'${name}' is true or false`);
    } else {
      const [least, most] = range;
      const whole = node.kind === "number" && Number.isInteger(node.value);
      if (whole && node.value >= least && node.value <= most) return node.value;
      this.say("P003", node.span, `'${name}' is a whole number from ${least} to ${most}`);
    }
    return undefined;
  }

  private quantities(member: JsonMember | undefined, base: Quantities): Quantities {
    const given: Partial<Record<QuantityName, Quantity>> = {};
    if (member === undefined) return base;
    const node = member.value;
    if (node.kind !== "object") this.say("P003", node.span, "the quantities are an object");
    for (const one of node.kind === "object" ? node.members : []) {
      const name = QUANTITY_NAMES.find((known) => known === one.name);
      if (name === undefined) this.say("P004", one.span, unknownQuantity(one.name), near(one.name));
      else given[name] = this.quantity(name, one.value) ?? base[name]!;
    }
    return { ...base, ...given };
  }

  private quantity(name: QuantityName, node: JsonNode): Quantity | undefined {
    const members = this.members(node, QUANTITY_MEMBERS, `'${name}'`);
    if (members === undefined) return undefined;
    const value = this.number(name, members.get("value")) ?? this.lacking(node, "value");
    const tag = this.tag(members.get("tag")) ?? this.lacking(node, "tag");
    const source = this.text(members.get("source")) ?? this.lacking(node, "source");
    if (value === undefined || tag === undefined || source === undefined) return undefined;
    const low = this.number(name, members.get("low")) ?? value;
    const high = this.number(name, members.get("high")) ?? value;
    if (low > value) this.say("P003", members.get("low")!.value.span, "'low' is above 'value'");
    if (high < value) this.say("P003", members.get("high")!.value.span, "'high' is below 'value'");
    return { value, low, high, tag, source };
  }

  private number(name: QuantityName, member: JsonMember | undefined): number | undefined {
    if (member === undefined) return undefined;
    const node = member.value;
    const unit = name.endsWith("_share") ? "a share from 0 to 1" : "nanoseconds";
    if (node.kind !== "number") return this.say("P003", node.span, `'${name}' is ${unit}`);
    if (node.value < 0) return this.say("P003", node.span, `${name} cannot be negative`);
    if (node.value <= largest(name)) return node.value;
    return this.say("P003", node.span, `${name} is at most ${largest(name)}`);
  }

  private tag(member: JsonMember | undefined): Tag | undefined {
    const text = this.text(member);
    if (member === undefined || text === undefined) return undefined;
    const tag = (Object.keys(TAGS) as Tag[]).find((known) => known === text);
    if (tag !== undefined) return tag;
    const all = Object.entries(TAGS).map(([letter, means]) => `${letter} (${means})`);
    return this.say("P004", member.value.span, `unknown tag ${quote(text)}`, all.join(", "));
  }

  private text(member: JsonMember | undefined): string | undefined {
    if (member === undefined) return undefined;
    const node = member.value;
    if (node.kind === "string" && node.value.trim() !== "") return node.value;
    return this.say("P003", node.span, `'${member.name}' is a text`);
  }

  /** The members by name; those that nobody knows are reported. */
  private members(
    node: JsonNode | undefined,
    known: readonly string[],
    what: string,
  ): Map<string, JsonMember> | undefined {
    if (node === undefined) return undefined;
    if (node.kind !== "object") return this.say("P003", node.span, `${what} is an object {...}`);
    const found = new Map<string, JsonMember>();
    for (const member of node.members) {
      const { name, span } = member;
      if (known.includes(name)) found.set(name, member);
      else this.say("P004", span, `unknown member ${quote(name)}`, suggestion(name, known));
    }
    return found;
  }

  private lacking(node: JsonNode, name: string): undefined {
    // A member that is there and wrong has been reported.
    const there = node.kind === "object" && node.members.some((member) => member.name === name);
    if (!there) this.say("P005", start(node.span), `'${name}' is missing`);
  }

  private say(code: string, span: Span, message: string, note?: string): undefined {
    const notes = note === undefined ? [] : [{ message: note }];
    this.diagnostics.push({ code, span, message, notes });
  }
}

/** The first character of a value: a whole object would mark everything. */
function start(span: Span): Span {
  return { ...span, end: span.offset + 1 };
}
