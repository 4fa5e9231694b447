// What the tools cost a model: within their bounds, and as the results file has it (§9).

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { countTokens, judgeTokens, tokenizer } from "../../bench/token-counts.js";

const counted = await countTokens();

test("§9 the six definitions, a receipt and a list of ten keep their bounds", () => {
  const targets = judgeTokens(counted);
  expect(targets).toHaveLength(3);
  expect(targets.filter(({ verdict }) => verdict === "MISSED")).toEqual([]);
});

test("the results file has these counts; `npm run bench -- tool-tokens` writes it", () => {
  const file = new URL("../../bench/results/tool-tokens.json", import.meta.url);
  const results: unknown = JSON.parse(readFileSync(file, "utf8"));
  expect(results).toMatchObject({ bench: "tool-tokens", tokenizer, counted });
});
