// What a package's code is able to do: evaluate text as code, start processes, use the network.
//
// Reads tokens, so a word in a comment or a string counts for nothing. It finds the plain ways of doing these things; code that hides
// what it does is not found. Tokenizing a megabyte takes a tenth of a second, so the scan gives the process a turn every few
// milliseconds: that is when a Ctrl-C gets through.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";

import jsTokens from "js-tokens";

import { listFiles } from "./packages.js";

export type Ability = "evaluates code" | "starts processes" | "uses the network";

export interface CodeScan {
  readonly files: number;
  /** The files in which each was seen. */
  readonly seen: { readonly [ability in Ability]: readonly string[] };
}

const CODE = /\.[cm]?js$/u;
const TURN_MS = 5;
const MODULES = new Map<string, Ability>([
  ["vm", "evaluates code"],
  ["child_process", "starts processes"],
  ...["cluster", "execa", "cross-spawn"].map((name) => [name, "starts processes"] as const),
  ...["net", "tls", "http", "https", "http2", "dgram", "undici", "ws", "node-fetch", "axios"].map(
    (name) => [name, "uses the network"] as const,
  ),
]);
const GLOBALS = new Map<string, Ability>([
  ["eval", "evaluates code"],
  ["Function", "evaluates code"],
  ["fetch", "uses the network"],
  ["WebSocket", "uses the network"],
  ["EventSource", "uses the network"],
  ["XMLHttpRequest", "uses the network"],
]);
// Most files hold none of these words, and then there is nothing to tokenize.
const WORTH_READING = new RegExp(`\\b(?:${[...MODULES.keys(), ...GLOBALS.keys()].join("|")})\\b`, "u");

export async function scanCode(
  folder: string,
  signal: AbortSignal,
  onFile?: (read: number, of: number) => void,
): Promise<CodeScan> {
  const seen: Record<Ability, string[]> = { "evaluates code": [], "starts processes": [], "uses the network": [] };
  const files = (await listFiles(folder, signal)).filter((file) => CODE.test(file));
  for (const [index, file] of files.entries()) {
    const code = await readFile(join(folder, file), { encoding: "utf8", signal });
    if (WORTH_READING.test(code)) for (const ability of await abilitiesOf(code, signal)) seen[ability].push(file);
    onFile?.(index + 1, files.length);
  }
  return { files: files.length, seen };
}

export async function abilitiesOf(code: string, signal?: AbortSignal): Promise<Set<Ability>> {
  const found = new Set<Ability>();
  const open: (Ability | undefined)[] = []; // For each open parenthesis, what the call it belongs to would be able to do.
  let called: Ability | undefined;
  let [beforeLast, last, token] = ["", "", ""]; // The token in hand and those before it, blanks and comments left out.
  let turnEndsAt = performance.now() + TURN_MS;
  for (const { type, value } of jsTokens(code)) {
    if (type === "WhiteSpace" || type === "LineTerminatorSequence" || type.endsWith("Comment")) continue;
    [beforeLast, last, token] = [last, token, value];

    // require("net") · import("net") · import "net" · … from "net"
    const imported = last === "from" || last === "import" || (last === "(" && /^_*require$|^import$/u.test(beforeLast));
    if (type === "StringLiteral" && imported) {
      const ability = MODULES.get(token.slice(1, -1).replace(/^node:/u, ""));
      if (ability !== undefined) found.add(ability);
    }
    // fetch(…) · new WebSocket(…), but not api.fetch(…), and not fetch(…) {, which defines one's own.
    if (called !== undefined && token !== "{") found.add(called);
    called = token === ")" ? open.pop() : undefined;
    if (token === "(") open.push(beforeLast === "." || beforeLast === "?." ? undefined : GLOBALS.get(last));

    if (performance.now() > turnEndsAt) {
      await nextTurn(undefined, { signal });
      turnEndsAt = performance.now() + TURN_MS;
    }
  }
  return called === undefined ? found : found.add(called);
}
