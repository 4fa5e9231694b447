// Owner: reads from the name of a lock which process holds it, and finds out whether that process lives.
//
// The name is `lock.<place>.<pid>.<start>.<nonce>`. A place is a host, its boot and its pid namespace; a pid has a
// meaning only there. Systems use pids again, so on Linux the start time of the process is part of the name. The age of
// a lock proves nothing: a process that is busy, or stopped, is alive.

import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { fieldOf } from "../../core/values/safe-read.js";

/** The process that holds a lock. */
export interface Owner {
  /** A digest of the host, its boot and its pid namespace. */
  readonly place: string;
  /** The number of the process in its place. */
  readonly pid: number;
  /** The start time of the process, in clock ticks since the boot; 0 if it is unknown. */
  readonly start: number;
}

/** The beginning of each lock file's name. */
export const LOCK = "lock.";
const NAME = /^lock\.([0-9a-f]{16})\.(\d+)\.(\d+)\.[0-9a-f]+$/;

/** Returns a new, unique name for a lock of this owner. */
export function lockName({ place, pid, start }: Owner): string {
  return `${LOCK}${place}.${pid}.${start}.${randomBytes(8).toString("hex")}`;
}

/** Reads the owner from the name of a lock; `undefined` if errand did not make the name. */
export function ownerOf(name: string): Owner | undefined {
  const [, place, pid, start] = NAME.exec(name) ?? [];
  if (place === undefined) return undefined;
  return { place, pid: Number(pid), start: Number(start) };
}

/** Returns this process as an owner. */
export function thisProcess(): Owner {
  return { place: currentPlace(), pid: process.pid, start: statOf(process.pid)?.start ?? 0 };
}

/**
 * Returns whether the process lives; `undefined` if it belongs to another host, boot or container and cannot be seen
 * from here.
 */
export function isAlive({ place, pid, start }: Owner): boolean | undefined {
  if (place !== currentPlace()) return undefined;
  if (!exists(pid)) return false;
  const stat = statOf(pid);
  if (stat === undefined) return true;
  // A zombie process has ended; only its entry is left until its parent reads the exit code.
  return !"ZX".includes(stat.state) && (start === 0 || start === stat.start);
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Other errors, such as a missing permission, mean that the process exists.
    return fieldOf(error, "code") !== "ESRCH";
  }
}

/**
 * Reads the state and the start time of a process from /proc. The name of the command, in brackets, may contain any
 * character.
 */
function statOf(pid: number): { readonly state: string; readonly start: number } | undefined {
  const text = readText(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  const start = Number(fields[19]);
  return state === undefined || !Number.isSafeInteger(start) ? undefined : { state, start };
}

let knownPlace: string | undefined;

function currentPlace(): string {
  const boot = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8");
  const namespace = (): string => readlinkSync("/proc/self/ns/pid");
  knownPlace ??= createHash("sha256")
    .update(JSON.stringify([hostname(), readText(boot), readText(namespace)]))
    .digest("hex")
    .slice(0, 16);
  return knownPlace;
}

function readText(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
