// What code is able to do: found by its tokens, in snippets and in packages that are really installed here.

import { fileURLToPath } from "node:url";

import { expect, test } from "vitest";

import { abilitiesOf, scanCode } from "../../examples/audit/scan.js";

test.each([
  ["eval(text)", ["evaluates code"]],
  ["new Function('return 1')()", ["evaluates code"]],
  ["import vm from 'node:vm'", ["evaluates code"]],
  ["const { exec } = require('child_process')", ["starts processes"]],
  ["await import('node:child_process')", ["starts processes"]],
  ["import 'node:net'; fetch(url)", ["uses the network"]],
  ['export { get } from "https"', ["uses the network"]],
  ["if (eval(f(x))) {}", ["evaluates code"]],
  ["new WebSocket(url); eval(x)", ["uses the network", "evaluates code"]],
])("%s is seen", async (code, abilities) => {
  expect([...(await abilitiesOf(code))]).toEqual(abilities);
});

test.each([
  "// eval(text)",
  "/* fetch(url) */",
  "const s = 'eval(text)'",
  "api.fetch(url)",
  "function fetch() {}",
  "class Cache { async fetch(key = f()) { return key } }",
  "x = /eval(y)/",
  "require('./net')",
])("%s is nothing", async (code) => {
  expect([...(await abilitiesOf(code))]).toEqual([]);
});

test("a real package's abilities name the files they were seen in", async () => {
  const folder = fileURLToPath(new URL("../../node_modules/tinyexec", import.meta.url));
  const steps: string[] = [];
  const { files, seen } = await scanCode(folder, new AbortController().signal, (read, of) =>
    steps.push(`${read}/${of}`),
  );
  expect(seen["starts processes"].length).toBeGreaterThan(0);
  expect(seen["uses the network"]).toEqual([]);
  expect(steps.at(-1)).toBe(`${files}/${files}`);
});

test("a scan stops in the middle of a file when its signal aborts", async () => {
  const code = "eval;f(x);\n".repeat(500_000);
  await expect(abilitiesOf(code, AbortSignal.timeout(20))).rejects.toMatchObject({ name: "AbortError" });
});
