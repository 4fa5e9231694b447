// Reading JSON that nobody vouches for: package manifests, lockfiles, policies.
//
// Everything comes out as `unknown` behind an object; the two readers below take out what has the right shape and nothing else.

import { readFile } from "node:fs/promises";
import { basename } from "node:path";

export type JsonObject = { readonly [key: string]: unknown };

export async function readJson(path: string, signal?: AbortSignal): Promise<JsonObject> {
  const value = parse(path, await readFile(path, { encoding: "utf8", signal }));
  if (!isObject(value)) throw new SyntaxError(`${basename(path)} holds no JSON object`);
  return value;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The object itself, or an empty one: `objectOf(manifest.scripts).install` is safe whatever the manifest says. */
export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/u, ""));
  } catch (error) {
    throw new SyntaxError(`${basename(path)} is not valid JSON: ${error instanceof Error ? error.message : ""}`);
  }
}
