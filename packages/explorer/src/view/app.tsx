// SPDX-License-Identifier: Apache-2.0
// The page: what is run, its verdict, the stage, and beside it what is so and what can be.

import { useEffect, useState } from "preact/hooks";
import type { Store } from "../model/store.ts";
import { Editor } from "./editor.tsx";
import { FilesPanel, takeDrops } from "./files.tsx";
import { GalleryPanel } from "./gallery.tsx";
import { Help } from "./help.tsx";
import { keysOf } from "./keys.ts";
import { MovesPanel } from "./moves.tsx";
import { RecordingView } from "./recording.tsx";
import { SourcePanel } from "./source.tsx";
import { Stage } from "./stage.tsx";
import { StatePanel } from "./state.tsx";
import { VERDICTS } from "./words.ts";

const LEFT = ["scenarios", "text", "files"] as const;
const RIGHT = ["state", "next", "source"] as const;

/** `alone`: one file with one run in it, and no more to load. */
export function App({ store, alone }: { readonly store: Store; readonly alone: boolean }) {
  const names = alone ? (["text"] as const) : LEFT;
  const [left, setLeft] = useState<(typeof LEFT)[number] | null>(alone ? null : "scenarios");
  const [right, setRight] = useState<(typeof RIGHT)[number]>("state");
  const [help, setHelp] = useState(false);
  const recording = store.recording.value;
  useEffect(() => {
    const search = () => {
      setLeft("scenarios");
      requestAnimationFrame(() => document.getElementById("search")?.focus());
    };
    const pressed = keysOf(store, { search, help: () => setHelp((h) => !h), panel: setRight });
    addEventListener("keydown", pressed);
    const stop = takeDrops((file) => void store.openFile(file.name, file));
    return () => {
      removeEventListener("keydown", pressed);
      stop();
    };
  }, []);
  return (
    <div class="page">
      <Head store={store} help={() => setHelp(true)} />
      <main class={`left-${left ?? "none"}${recording ? " wide" : ""}`}>
        <aside class="left">
          <Tabs
            names={names}
            chosen={left}
            choose={(name) => setLeft(name === left ? null : name)}
          />
          {left === "scenarios" && <GalleryPanel store={store} done={() => undefined} />}
          {left === "text" && <Editor store={store} alone={alone} />}
          {left === "files" && <FilesPanel store={store} />}
        </aside>
        {recording ? (
          <RecordingView
            key={recording.name}
            recording={recording}
            close={() => store.closeRecording()}
          />
        ) : (
          <Stage store={store} />
        )}
        {!recording && (
          <aside class="right">
            <Tabs names={RIGHT} chosen={right} choose={setRight} />
            <div class="panel" role="tabpanel" aria-label={right}>
              {right === "state" && <StatePanel store={store} />}
              {right === "next" && <MovesPanel store={store} />}
              {right === "source" && <SourcePanel store={store} />}
            </div>
          </aside>
        )}
      </main>
      {help && <Help close={() => setHelp(false)} />}
    </div>
  );
}

function Tabs<T extends string>(props: {
  readonly names: readonly T[];
  readonly chosen: T | null;
  readonly choose: (name: T) => void;
}) {
  return (
    <div class="tabs" role="tablist">
      {props.names.map((name) => (
        <button
          key={name}
          type="button"
          role="tab"
          aria-selected={props.chosen === name}
          onClick={() => props.choose(name)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

function Head({ store, help }: { readonly store: Store; readonly help: () => void }) {
  const { machine, kernel, set } = store.configuration.value;
  const parsed = store.parsed.value;
  const names = store.names.value;
  const change = (part: { machine?: string; kernel?: string }) => {
    store.configuration.value = { machine, kernel, set, ...part };
    void store.run();
  };
  const listed = (kind: string, own: readonly string[]) => [
    ...new Set([...own, ...names.filter((n) => n.kind === kind).map((n) => n.name)]),
  ];
  const machines = listed("machines", parsed?.expectations.map((e) => e.machine) ?? []);
  const kernels = listed("kernels", parsed?.expectations.map((e) => e.kernel) ?? []);
  return (
    <header>
      <h1>shootdown</h1>
      <b class="test">{parsed?.test ?? ""}</b>
      <Picker
        label="machine"
        value={machine}
        all={machines}
        change={(m) => change({ machine: m })}
      />
      <Picker label="kernel" value={kernel} all={kernels} change={(k) => change({ kernel: k })} />
      {store.running.value ? (
        <button type="button" onClick={() => store.stop()}>
          stop
        </button>
      ) : (
        <button type="button" class="run" onClick={() => void store.run()}>
          run
        </button>
      )}
      <Said store={store} />
      <span class="space" />
      <CopyLink store={store} />
      <button type="button" onClick={help} aria-label="Help">
        ?
      </button>
    </header>
  );
}

function Picker(props: {
  readonly label: string;
  readonly value: string;
  readonly all: readonly string[];
  readonly change: (value: string) => void;
}) {
  const { label, value, all, change } = props;
  return (
    <label>
      {label}
      <input
        list={`all-${label}`}
        value={value}
        size={20}
        spellcheck={false}
        onChange={(e) => change(e.currentTarget.value.trim())}
      />
      <datalist id={`all-${label}`}>
        {all
          .filter((name) => !name.startsWith("+"))
          .map((name) => (
            <option key={name} value={name} />
          ))}
      </datalist>
    </label>
  );
}

/** The verdict, and why. */
function Said({ store }: { readonly store: Store }) {
  const verdict = store.verdict.value;
  const message = store.message.value;
  const problems = store.problems.value;
  if (store.running.value) return <output>searching…</output>;
  if (message !== "") return <output class="bad">{message}</output>;
  if (problems.length > 0) {
    return <output class="bad">{problems[0]!.message}</output>;
  }
  if (!verdict) return <output />;
  const { run, why } = verdict;
  // What the page was built with has no time.
  const time = run.seconds > 0 ? ` in ${run.seconds.toFixed(2)} s` : "";
  const count = `${run.states.toLocaleString("en")} states${time}`;
  const tone = run.observed === "never" ? "good" : "bad";
  return (
    <output title={why ?? ""}>
      <b class={tone}>
        {tone === "good" ? "✓" : "!"} {run.property} {VERDICTS[run.observed] ?? run.observed}
      </b>{" "}
      <small>
        {run.limit ?? (run.exhaustive ? "every run searched" : "")} {count}
      </small>
      {why && <span class="because">{why}</span>}
    </output>
  );
}

function CopyLink({ store }: { readonly store: Store }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    const url = new URL(location.href);
    url.hash = await store.link();
    await navigator.clipboard?.writeText(url.href).catch(() => undefined);
    history.replaceState(null, "", url);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return (
    <button type="button" onClick={() => void copy()}>
      {done ? "copied" : "copy link"}
    </button>
  );
}
