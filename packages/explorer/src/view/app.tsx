// SPDX-License-Identifier: Apache-2.0
// The page: what is run, its verdict, the stage, and beside it what is so and what can be.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Configuration } from "../engine/engine.ts";
import { linkOf } from "../model/link-of.ts";
import type { Store } from "../model/store.ts";
import { BesideView, SideTabs } from "./beside.tsx";
import { Editor } from "./editor.tsx";
import { FilesPanel, takeDrops } from "./files.tsx";
import { GalleryPanel } from "./gallery.tsx";
import { Help } from "./help.tsx";
import { keysOf } from "./keys.ts";
import { LateCost, LateRecording } from "./late.tsx";
import { MovesPanel } from "./moves.tsx";
import { Said } from "./said.tsx";
import { Setup } from "./setup.tsx";
import { SourcePanel } from "./source.tsx";
import { Stage } from "./stage.tsx";
import { StatePanel } from "./state.tsx";

const LEFT = ["scenarios", "text", "files"] as const;
const RIGHT = ["state", "next", "source"] as const;

/** `alone`: one file with one run in it, and no more to load. */
export function App({ store, alone }: { readonly store: Store; readonly alone: boolean }) {
  const names = alone ? (["text"] as const) : LEFT;
  const [left, setLeft] = useState<(typeof LEFT)[number] | null>(alone ? null : "scenarios");
  const [right, setRight] = useState<(typeof RIGHT)[number]>("state");
  const [help, setHelp] = useState(false);
  const [cost, setCost] = useState(false);
  const recording = store.recording.value;
  const beside = store.compare.besides.value !== null && !recording;
  // Two runs need the room.
  useEffect(() => {
    if (beside) setLeft(null);
  }, [beside]);
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
      <Head
        store={store}
        help={() => setHelp(true)}
        cost={alone ? undefined : () => setCost((c) => !c)}
        run={!cost && !recording}
      />
      {!alone && !recording && !cost && (
        <Setup
          store={store}
          pick={(of, change, what) => <Pickers store={store} of={of} change={change} what={what} />}
        />
      )}
      <main class={`left-${left ?? "none"}${recording || cost ? " wide" : ""}`}>
        {!cost && (
          <aside class="left" aria-label="What is run">
            <Tabs
              names={names}
              chosen={left}
              choose={(name) => setLeft(name === left ? null : name)}
            />
            {left === "scenarios" && <GalleryPanel store={store} done={() => undefined} />}
            {left === "text" && <Editor store={store} alone={alone} />}
            {left === "files" && <FilesPanel store={store} />}
          </aside>
        )}
        {cost ? (
          <LateCost close={() => setCost(false)} />
        ) : recording ? (
          <LateRecording
            key={recording.name}
            recording={recording}
            close={() => store.closeRecording()}
          />
        ) : beside ? (
          <BesideView store={store} />
        ) : (
          <Stage store={store} />
        )}
        {!recording && !cost && (
          <aside class="right" aria-label="What is so">
            {beside && <SideTabs store={store} />}
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

function Head(props: {
  readonly store: Store;
  readonly help: () => void;
  /** None in a file that is alone. */
  readonly cost: (() => void) | undefined;
  /** A run is shown. */
  readonly run: boolean;
}) {
  const { store, help, cost, run } = props;
  const change = (configuration: Configuration) => {
    store.configuration.value = configuration;
    void store.run();
  };
  return (
    <header>
      <h1>shootdown</h1>
      <b class="test">{store.parsed.value?.test ?? ""}</b>
      <Pickers store={store} of={store.configuration.value} change={change} what="" />
      {store.running.value ? (
        <button type="button" onClick={() => store.stop()}>
          stop
        </button>
      ) : (
        <button type="button" class="run" onClick={() => void store.run()}>
          run
        </button>
      )}
      {run && <Said store={store} />}
      <span class="space" />
      {cost && (
        <button type="button" onClick={cost}>
          cost
        </button>
      )}
      <CopyLink store={store} />
      <button type="button" onClick={help} aria-label="Help">
        ?
      </button>
    </header>
  );
}

/** Machine and kernel of a run; `what` is before their names. */
function Pickers(props: {
  readonly store: Store;
  readonly of: Configuration;
  readonly change: (configuration: Configuration) => void;
  readonly what: string;
}) {
  const { store, of, change, what } = props;
  const parsed = store.parsed.value;
  const names = store.known.value.names;
  const listed = (kind: string, own: readonly string[]) => [
    ...new Set([...own, ...names.filter((n) => n.kind === kind).map((n) => n.name)]),
  ];
  const machines = listed("machines", parsed?.expectations.map((e) => e.machine) ?? []);
  const kernels = listed("kernels", parsed?.expectations.map((e) => e.kernel) ?? []);
  return (
    <>
      <Picker
        label={`${what}machine`}
        value={of.machine}
        all={machines}
        change={(machine) => change({ ...of, machine })}
      />
      <Picker
        label={`${what}kernel`}
        value={of.kernel}
        all={kernels}
        change={(kernel) => change({ ...of, kernel })}
      />
    </>
  );
}

function Picker(props: {
  readonly label: string;
  readonly value: string;
  readonly all: readonly string[];
  readonly change: (value: string) => void;
}) {
  const { label, value, all, change } = props;
  const list = `all-${label.replace(" ", "-")}`;
  const box = useRef<HTMLInputElement>(null);
  // Set when the value changes and not when this is drawn again: somebody may be typing.
  useLayoutEffect(() => {
    if (box.current) box.current.value = value;
  }, [value]);
  return (
    <label>
      {label}
      <input
        ref={box}
        list={list}
        size={20}
        spellcheck={false}
        onChange={(e) => change(e.currentTarget.value.trim())}
      />
      <datalist id={list}>
        {all
          .filter((name) => !name.startsWith("+"))
          .map((name) => (
            <option key={name} value={name} />
          ))}
      </datalist>
    </label>
  );
}

function CopyLink({ store }: { readonly store: Store }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    const url = new URL(location.href);
    url.hash = await linkOf(store);
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
