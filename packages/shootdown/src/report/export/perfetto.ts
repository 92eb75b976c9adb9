// SPDX-License-Identifier: Apache-2.0
// A timeline as a trace of Perfetto: protocol buffers of TrackDescriptor and TrackEvent.
//
//   Trace { packet { track_descriptor { uuid name parent_uuid } }      a lane, before its use
//           packet { timestamp track_event { type track_uuid name } } }   a begin, its end
//
// Packets need not be in the order of their times, and each is complete: the file can be written as
// the recording is read, and what was written so far can be opened. Field numbers are those of
// Perfetto's protos/perfetto/trace (test/support/perfetto.proto has the subset).
import { ProtoWriter } from "./protobuf.ts";
import type { ByteSink, Details, Flow, Instant, Lane, SpanOfTime, Timeline } from "./timeline.ts";

const TRACE = { packet: 1 } as const;
const PACKET = {
  timestamp: 8,
  sequence_id: 10,
  track_event: 11,
  sequence_flags: 13,
  track_descriptor: 60,
} as const;
const TRACK = { uuid: 1, name: 2, parent_uuid: 5 } as const;
const EVENT = {
  debug_annotations: 4,
  type: 9,
  track_uuid: 11,
  categories: 22,
  name: 23,
  flow_ids: 47,
  terminating_flow_ids: 48,
} as const;
const ANNOTATION = { int_value: 4, string_value: 6, name: 10 } as const;
const TYPE = { begin: 1, end: 2, instant: 3 } as const;
/** Nothing is interned, so the sequence may be read from anywhere. */
const STATE_CLEARED = 1;
const SEQUENCE = 1;
/** Lanes that are told apart; the others share the row of their group. */
const MAX_TRACKS = 8192;

export class PerfettoTimeline implements Timeline {
  readonly #sink: ByteSink;
  readonly #tracks = new Map<string, number>();
  readonly #packet = new ProtoWriter();
  readonly #event = new ProtoWriter();
  readonly #inner = new ProtoWriter();
  readonly #frame = new ProtoWriter();
  #begun = false;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  span(lane: Lane, { name, from_ns, to_ns, details, stack }: SpanOfTime): void {
    const track = this.#trackOf(lane);
    this.#emit(TYPE.begin, track, from_ns, { lane, name, details, stack });
    this.#emit(TYPE.end, track, to_ns, undefined);
  }

  instant(lane: Lane, { name, at_ns, details, flow, stack }: Instant): void {
    this.#emit(TYPE.instant, this.#trackOf(lane), at_ns, { lane, name, details, flow, stack });
  }

  finish(): void {
    // An empty trace has no packet at all, which readers take for no trace.
    if (!this.#begun) this.#track("empty", "nothing was recorded", undefined);
  }

  /** The track of a lane: of its row, below that of its name, below that of its group. */
  #trackOf({ key, group, name, row }: Lane): number {
    const known = this.#tracks.get(key);
    if (known !== undefined) return known;
    const top = this.#track(group, group, undefined);
    const middle = name === group ? top : this.#track(`${group}/${name}`, name, top);
    const track = row === "" ? middle : this.#track(`${group}/${name}/${row}`, row, middle);
    if (this.#tracks.size < MAX_TRACKS) this.#tracks.set(key, track);
    return track;
  }

  #track(path: string, name: string, parent: number | undefined): number {
    const known = this.#tracks.get(`/${path}`);
    if (known !== undefined) return known;
    if (this.#tracks.size >= 2 * MAX_TRACKS && parent !== undefined) return parent;
    const uuid = this.#tracks.size + 1;
    this.#tracks.set(`/${path}`, uuid);
    const track = this.#event;
    track.clear();
    track.varint(TRACK.uuid, uuid);
    track.text(TRACK.name, name);
    if (parent !== undefined) track.varint(TRACK.parent_uuid, parent);
    this.#packet.clear();
    this.#packet.message(PACKET.track_descriptor, track);
    this.#write();
    return uuid;
  }

  #emit(
    type: number,
    track: number,
    at_ns: number,
    what:
      | {
          readonly lane: Lane;
          readonly name: string;
          readonly details: Details;
          readonly flow?: Flow | undefined;
          readonly stack: readonly string[] | undefined;
        }
      | undefined,
  ): void {
    const event = this.#event;
    event.clear();
    event.varint(EVENT.type, type);
    event.varint(EVENT.track_uuid, track);
    if (what !== undefined) {
      event.text(EVENT.name, what.name);
      event.text(EVENT.categories, what.lane.group);
      for (const [name, value] of Object.entries(what.details)) this.#annotate(name, value);
      if (what.stack !== undefined) this.#annotate("stack", what.stack.join(" < "));
      const { flow } = what;
      if (flow !== undefined) {
        event.fixed64(flow.end === "from" ? EVENT.flow_ids : EVENT.terminating_flow_ids, flow.id);
      }
    }
    this.#packet.clear();
    this.#packet.varint(PACKET.timestamp, Math.max(0, at_ns));
    this.#packet.message(PACKET.track_event, event);
    this.#write();
  }

  #annotate(name: string, value: string | number): void {
    const inner = this.#inner;
    inner.clear();
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) {
      inner.varint(ANNOTATION.int_value, value);
    } else inner.text(ANNOTATION.string_value, String(value));
    inner.text(ANNOTATION.name, name);
    this.#event.message(EVENT.debug_annotations, inner);
  }

  #write(): void {
    this.#packet.varint(PACKET.sequence_id, SEQUENCE);
    if (!this.#begun) this.#packet.varint(PACKET.sequence_flags, STATE_CLEARED);
    this.#begun = true;
    this.#frame.clear();
    this.#frame.message(TRACE.packet, this.#packet);
    this.#sink.write(this.#frame.bytes);
  }
}
