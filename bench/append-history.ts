// Append history: adds the ratios of this version to bench/results/history.jsonl, and prints how they went. `npm run bench:history`
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { entriesIn, entryOf, trendOf, withEntry } from "./history.js";
import { lines } from "./line-targets.js";
import { documented } from "./results.js";
import { print, table } from "./table.js";

const file = join(documented, "history.jsonl");
/** So many versions fit on a terminal. */
const shown = 6;

const { values: given } = parseArgs({
  options: {
    replace: { type: "boolean", default: false },
    show: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (given.help) {
  process.stdout.write(`npm run bench:history -- [options]

Adds one line to ${file}: the version of package.json, and every ratio that the results files judge, for each
line of Node. Run it after npm run bench and before a release. Then prints the last ${shown} versions.

  --replace  measured this version again: the new line takes the place of the old one
  --show     adds nothing, and prints
  --help     this
`);
  process.exit(0);
}

const text = existsSync(file) ? readFileSync(file, "utf8") : "";
function renewed(): string {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { readonly version: string };
  try {
    return withEntry(text, entryOf(version, documented), given.replace);
  } catch (error) {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  }
}
const kept = given.show ? text : renewed();
if (!given.show) writeFileSync(file, kept);
const entries = entriesIn(kept);
for (const line of lines) {
  const rows = trendOf(entries, line, shown);
  if (rows.length === 0) continue;
  print(`Node ${line}`);
  print(table(["ratio", ...entries.slice(-shown).map(({ version }) => version)], rows));
}
