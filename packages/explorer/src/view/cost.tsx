// SPDX-License-Identifier: Apache-2.0
// What placements cost: a workload, kernels and profiles are chosen; the report grows below.

import { useEffect, useRef, useState } from "preact/hooks";
import { COST_KERNELS, COST_SECTIONS_STYLE, PROFILES, SHIPPED_WORKLOADS } from "shootdown";
import { Cost } from "../model/cost.ts";

const FIRST_PROFILE = "grace";

export function CostView({ close }: { readonly close: () => void }) {
  const [cost] = useState(() => new Cost());
  const [named, setNamed] = useState("java");
  const [file, setFile] = useState<File | null>(null);
  const [kernels, setKernels] = useState<readonly string[]>(COST_KERNELS.slice(0, 3));
  const [profiles, setProfiles] = useState<readonly string[]>([FIRST_PROFILE]);
  const [plots, setPlots] = useState(false);
  useEffect(() => () => cost.stop(), []);
  const running = cost.running.value;
  const shipped = new URL("./workloads/", document.baseURI).href;
  const run = () => cost.run({ workload: file ?? named, shipped, kernels, profiles, plots });
  return (
    <section class="recording cost-view" aria-label="Cost">
      <div class="tabs">
        <b>What invalidations cost</b>
        <button type="button" onClick={close}>
          close
        </button>
      </div>
      <div class="choices">
        <label>
          workload{" "}
          <input
            list="workloads"
            size={24}
            spellcheck={false}
            value={named}
            onInput={(e) => {
              setNamed(e.currentTarget.value.trim());
              setFile(null);
            }}
          />
          <datalist id="workloads">
            {SHIPPED_WORKLOADS.map((w) => (
              <option key={w.name} value={w.name} />
            ))}
            <option value="synthetic:java,ops=10000" />
            <option value="synthetic:dma,threads=32,ops=10000" />
          </datalist>
        </label>
        <label>
          or a file{" "}
          <input type="file" onChange={(e) => setFile(e.currentTarget.files?.[0] ?? null)} />
        </label>
        <Several label="kernels" all={COST_KERNELS} chosen={kernels} choose={setKernels} />
        <Several
          label="profiles"
          all={PROFILES.map((p) => p.name)}
          chosen={profiles}
          choose={setProfiles}
        />
        <label>
          <input
            type="checkbox"
            checked={plots}
            onChange={(e) => setPlots(e.currentTarget.checked)}
          />{" "}
          plots
        </label>
        {running ? (
          <button type="button" onClick={() => cost.stop()}>
            stop
          </button>
        ) : (
          <button
            type="button"
            class="run"
            disabled={kernels.length === 0 || profiles.length === 0}
            onClick={run}
          >
            compare
          </button>
        )}
      </div>
      <p role="status">{running ? `${cost.doing.value} ...` : ""}</p>
      {cost.error.value !== null && <pre class="bad">{cost.error.value}</pre>}
      <Report html={cost.html.value} />
    </section>
  );
}

/** In a tree of its own: the report has its own style. */
function Report({ html }: { readonly html: string }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const { current } = box;
    if (!current) return;
    const tree = current.shadowRoot ?? current.attachShadow({ mode: "open" });
    // All that comes from a workload is escaped by the printer.
    tree.innerHTML = `<style>${COST_SECTIONS_STYLE}</style><div class="cost-report">${html}</div>`;
  }, [html]);
  return <div ref={box} class="report" />;
}

function Several(props: {
  readonly label: string;
  readonly all: readonly string[];
  readonly chosen: readonly string[];
  readonly choose: (names: readonly string[]) => void;
}) {
  const { label, all, chosen, choose } = props;
  return (
    <fieldset>
      <legend>{label}</legend>
      {all.map((name) => (
        <label key={name}>
          <input
            type="checkbox"
            checked={chosen.includes(name)}
            onChange={(e) => {
              const on = e.currentTarget.checked;
              choose(all.filter((n) => (n === name ? on : chosen.includes(n))));
            }}
          />{" "}
          {name}
        </label>
      ))}
    </fieldset>
  );
}
