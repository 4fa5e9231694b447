// Peer: an optional package, loaded when the first kind needs it.
//
// Owns what a failed load says: whether the package is missing, whether it is there and fails, or whether it is a version that lacks what is
// needed; and always the cause. The call that loads it is written out where it is needed, so that a bundler finds the package by its name.

import * as nodeModule from "node:module";
// The whole module is imported: the line that gives a bundle of modules its `require` declares the name `createRequire` once more.
import { messageOf } from "../core/task/failure.js";
import { fieldOf } from "../core/values/safe-read.js";

export interface Peer {
  readonly name: string;
  /** The versions that errand is tested with, in words. */
  readonly versions: string;
  /** The purpose of the package, as a clause: "A process is started by". */
  readonly use: string;
  /** The argument of `npm install` on this runtime. */
  readonly install: string;
  /** Why a version that is installed may not load. */
  readonly hint?: string;
}

/** The error for a load that failed. A module that is missing below the package is a package that fails. */
export function peerError(peer: Peer, cause: unknown): Error {
  const { name, use, install, hint } = peer;
  const why = firstLineOf(cause);
  if (isMissing(name, cause))
    return new Error(`${use} the package ${name}, which is not installed (${why}): npm install ${install}`, { cause });
  const more = hint === undefined ? "" : `; ${hint}`;
  return new Error(`${use} the package ${name}, which is installed and could not be loaded: ${why}${more}`, { cause });
}

/** The error for a version that loads and has not what errand needs. */
export function unfitError({ name, versions, use, install }: Peer, missing: string): Error {
  return new Error(
    `${use} the package ${name}, and the version that is installed has no ${missing}: errand needs ${name} ${versions}: npm install ${install}`,
  );
}

/** Loads it at once, after a plain `require` has failed with `tried`: a module of Node has none, and a CommonJS bundle has no URL. */
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

function firstLineOf(cause: unknown): string {
  const [line = ""] = String(cause).split("\n");
  return line;
}
