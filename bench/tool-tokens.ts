// Tool tokens: what the tools, the view and the notices cost a model. No time is measured: the counts are the same on every machine.
import { parseArgs } from "node:util";
import { resultsFile, writeResults } from "./results.js";
import { print, table } from "./table.js";
import { told } from "./target.js";
import { countTokens, judgeTokens, tokenizer } from "./token-counts.js";

// Takes what every program takes: there is nothing to do less of.
const { values: given } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    repeats: { type: "string" },
    warmups: { type: "string" },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (given.help) {
  process.stdout.write(`node build/bench/tool-tokens.js [--json FILE]

Tokens (${tokenizer}) of the six tools' definitions, of typical results, of the view and of a batch of notices.

  --json FILE  where the counts go (${resultsFile("tool-tokens")}; none with --quick)
  --quick      writes no file: there is nothing to do less of
  --help       this
`);
  process.exit(0);
}

const counted = await countTokens();
const targets = judgeTokens(counted);
print("tool-tokens: what a model reads");
print(
  table(
    ["words", "tokens", "target"],
    counted.map(({ name, tokens }) => [name, String(tokens), told(targets.find(({ what }) => what === name))]),
  ),
);
const json = given.json ?? (given.quick ? undefined : resultsFile("tool-tokens"));
await writeResults(json, { bench: "tool-tokens", tokenizer, targets, counted });
