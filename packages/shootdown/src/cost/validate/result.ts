// SPDX-License-Identifier: Apache-2.0
// A published result beside the simulated one, and whether it lies in the band.

/** One figure: of a row of a table, of a point of a plot. */
export interface Cell {
  readonly label: string;
  /** Absent where only a rule is known: "no fewer than", "constant". */
  readonly published?: number;
  readonly simulated: number;
  /** What is accepted. */
  readonly band: readonly [number, number];
  /** A parameter was fitted on this very figure. */
  readonly fitted: boolean;
}

export interface Validation {
  /** `V1`, as in docs/COST.md. */
  readonly id: string;
  readonly title: string;
  readonly source: string;
  /** By name; one set of parameters a machine. */
  readonly profile: string;
  readonly unit: string;
  readonly cells: readonly Cell[];
  /** All cells are in their bands. */
  readonly ok: boolean;
  /** The largest relative error of a published figure; absent if there is none. */
  readonly error?: number;
  /** Some figures are not predictions. */
  readonly fitted: boolean;
  /** It has to fail: the model is known not to hold here. */
  readonly negative_control: boolean;
  /** It is not reproduced, and the note says why: documented, not excused. */
  readonly known_outside: boolean;
  /** What was assumed. */
  readonly note: string;
}

type Judged = "ok" | "error" | "fitted" | "negative_control" | "known_outside";
export type Case = Omit<Validation, Judged> & {
  readonly negative_control?: boolean;
  readonly known_outside?: boolean;
};

export function judged(given: Case): Validation {
  const { cells } = given;
  const errors = cells.flatMap(({ published, simulated }) =>
    published === undefined || published === 0 ? [] : [Math.abs(simulated / published - 1)],
  );
  return {
    ...given,
    ok: cells.length > 0 && cells.every(inBand),
    ...(errors.length > 0 ? { error: Math.max(...errors) } : {}),
    fitted: cells.some((cell) => cell.fitted),
    negative_control: given.negative_control ?? false,
    known_outside: given.known_outside ?? false,
  };
}

/** In the band; outside for a negative control, and where it is known to be. */
export const asExpected = ({ ok, negative_control, known_outside }: Validation): boolean =>
  ok !== (negative_control || known_outside);

const inBand = ({ simulated, band }: Cell) => simulated >= band[0] && simulated <= band[1];

/** A figure that may differ by a share of the published one. */
export function near(
  label: string,
  published: number,
  simulated: number,
  share: number,
  fitted = false,
): Cell {
  return { label, published, simulated, band: within(published, share), fitted };
}

export const within = (value: number, share: number): [number, number] => [
  value * (1 - share),
  value * (1 + share),
];
