// SPDX-License-Identifier: Apache-2.0
// The command line's door: names the subcommands and loads only the one that is asked for.

import { Command } from "commander";

/** What a subcommand's file exports: `register` adds its options and action to its command. */
export interface Subcommand {
  register(command: Command): void;
}

interface Entry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Subcommand>;
}

/** One line a subcommand, for example { name: "check", ..., load: () => import("./check.ts") }. */
const SUBCOMMANDS: readonly Entry[] = [];

async function main(argv: readonly string[]): Promise<void> {
  const program = new Command("shootdown")
    .description("Can a CPU, an IOMMU or a device still use a translation the kernel has revoked?")
    .version(__SHOOTDOWN_VERSION__)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  const wanted = argv.slice(2).find((word) => !word.startsWith("-"));
  for (const { name, summary, load } of SUBCOMMANDS) {
    const command = program.command(name).description(summary);
    if (name === wanted) (await load()).register(command);
  }
  await program.parseAsync(argv);
}

await main(process.argv);
