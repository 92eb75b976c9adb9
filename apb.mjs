import { rolldown } from "/tmp/wt/audit/node_modules/rolldown/dist/index.mjs";
import { constants } from "/tmp/wt/audit/scripts/constants.mjs";
const build = await rolldown({ input: { main: process.argv[2] }, platform: "node", external: (id) => !id.startsWith(".") && !id.startsWith("/"), transform: { define: constants() } });
await build.write({ dir: process.argv[3], format: "esm", entryFileNames: "[name].mjs" });
