// SPDX-License-Identifier: Apache-2.0
// What a first picture does not need, loaded when it is shown.

import { useEffect, useState } from "preact/hooks";
import type { Recording } from "../model/recording.ts";
import type { CostView } from "./cost.tsx";
import type { RecordingView } from "./recording.tsx";

type Shown = typeof RecordingView;

export function LateRecording(props: {
  readonly recording: Recording;
  readonly close: () => void;
}) {
  const [view, setView] = useState<{ readonly Shown: Shown } | null>(null);
  useEffect(() => {
    void import("./recording.tsx").then((m) => setView({ Shown: m.RecordingView }));
  }, []);
  return view ? <view.Shown {...props} /> : <section class="recording" aria-busy="true" />;
}

export function LateCost(props: { readonly close: () => void }) {
  const [view, setView] = useState<{ readonly Shown: typeof CostView } | null>(null);
  useEffect(() => {
    void import("./cost.tsx").then((m) => setView({ Shown: m.CostView }));
  }, []);
  return view ? <view.Shown {...props} /> : <section class="recording" aria-busy="true" />;
}
