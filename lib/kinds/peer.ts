// Peer: errors for optional packages, which are loaded when a kind first needs them.
//
// The message says whether the package is missing, fails to load, or is a version without a required function; `cause`
// is kept. Each call that loads a package is written at its place of use, so that a bundler finds the package by name.

import * as nodeModule from "node:module";
// The whole module is imported: the banner that gives an ES module bundle its `require` declares the name
// `createRequire` too.
import { messageOf } from "../core/task/failure.js";
import { fieldOf } from "../core/values/safe-read.js";

/** An optional package and the texts for its errors. */
export interface Peer {
  /** The name of the package. */
  readonly name: string;
  /** The versions that errand is tested with, as text. */
  readonly versions: string;
  /** The purpose of the package, as a clause: "A process is started by". */
  readonly use: string;
  /** The argument of `npm install` on this runtime. */
  readonly install: string;
  /** The reason why an installed version may fail to load. */
  readonly hint?: string;
}

/**
 * The error for a package that did not load. A missing dependency of the package counts as a failure of the package.
 */
export function peerError(peer: Peer, cause: unknown): Error {
  const { name, use, install, hint } = peer;
  const why = firstLineOf(cause);
  if (isMissing(name, cause))
    return new Error(`${use} the package ${name}, which is not installed (${why}): npm install ${install}`, { cause });
  // The version is right where the bundle is what fails.
  const advice = isWithoutRequire(cause)
    ? `keep ${name} external in the bundle, or give the bundle a \`require\` (createRequire of node:module)`
    : hint;
  const more = advice === undefined ? "" : `; ${advice}`;
  return new Error(`${use} the package ${name}, which is installed and could not be loaded: ${why}${more}`, { cause });
}

/** The error for a version that loads and lacks a function that errand needs. */
export function unfitError({ name, versions, use, install }: Peer, missing: string): Error {
  return new Error(
    `${use} the package ${name}, and the version that is installed has no ${missing}: errand needs ${name} ${versions}: npm install ${install}`,
  );
}

/**
 * Loads a package synchronously after a plain `require` failed with `tried`: an ES module has no `require`, and a
 * CommonJS bundle has no `import.meta.url`. Throws `peerError`.
 */
export function requirePeer(peer: Peer, tried: unknown): unknown {
  const url: string | undefined = import.meta.url;
  if (url === undefined) throw peerError(peer, tried);
  try {
    return nodeModule.createRequire(url)(peer.name);
  } catch (cause) {
    throw peerError(peer, cause);
  }
}

function isMissing(name: string, cause: unknown): boolean {
  const code = fieldOf(cause, "code");
  const isNotFound = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
  return isNotFound && /^Cannot find (?:package|module) '([^']+)'/.exec(messageOf(cause))?.[1] === name;
}

/**
 * Whether a package in a bundle of ES modules needs a `require`, which such a bundle lacks: what esbuild, rolldown and
 * Node say about that.
 */
function isWithoutRequire(cause: unknown): boolean {
  return /^(?:Dynamic require of |Calling `require` for |require is not defined)/.test(messageOf(cause));
}

function firstLineOf(cause: unknown): string {
  const [line = ""] = String(cause).split("\n");
  return line;
}
