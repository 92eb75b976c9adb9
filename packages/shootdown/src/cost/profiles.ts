// SPDX-License-Identifier: Apache-2.0
// The profiles that are shipped: five kinds of machine, and those of published measurements.

import type { Profile } from "./profile.ts";
import { amd_invlpgb } from "./profiles/amd-invlpgb.ts";
import { grace } from "./profiles/grace.ts";
import { kunpeng_920 } from "./profiles/kunpeng-920.ts";
import { n1_server } from "./profiles/n1-server.ts";
import { n2_btm } from "./profiles/n2-btm.ts";
import { sapphire_rapids } from "./profiles/sapphire-rapids.ts";
import {
  ampere_32,
  qti_sm8150,
  snapdragon_888,
  thunderx2,
  vhe_host,
} from "./profiles/small-arm64.ts";

/** What a comparison runs on when nothing is said. */
export const FIVE: readonly Profile[] = [n1_server, n2_btm, grace, sapphire_rapids, amd_invlpgb];

export const PROFILES: readonly Profile[] = [
  ...FIVE,
  kunpeng_920,
  ampere_32,
  thunderx2,
  snapdragon_888,
  vhe_host,
  qti_sm8150,
];

export const profileNamed = (name: string): Profile | undefined =>
  PROFILES.find((profile) => profile.name === name);
