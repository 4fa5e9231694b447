// Owner: which process holds a lock, told by the lock's name; and whether it still lives.
//
// `lock.<place>.<pid>.<start>.<nonce>`. A place is a host, its boot and its pid namespace: there, and only there, a pid says something. A
// pid is used again, so the start of its process goes with it where the system tells (Linux). Never by age: a process that is busy, or
// stopped, is alive.

import { createHash, randomBytes } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { fieldOf } from "../../core/values/safe-read.js";

export interface Owner {
  readonly place: string;
  readonly pid: number;
  /** In ticks since the boot; 0 where it cannot be known. */
  readonly start: number;
}

export const LOCK = "lock.";
const NAME = /^lock\.([0-9a-f]{16})\.(\d+)\.(\d+)\.[0-9a-f]+$/;

/** Never the same twice. */
export function lockName({ place, pid, start }: Owner): string {
  return `${LOCK}${place}.${pid}.${start}.${randomBytes(8).toString("hex")}`;
}

/** `undefined`: somebody else's idea of a lock. */
export function ownerOf(name: string): Owner | undefined {
  const [, place, pid, start] = NAME.exec(name) ?? [];
  if (place === undefined) return undefined;
  return { place, pid: Number(pid), start: Number(start) };
}

export function thisProcess(): Owner {
  return { place: here(), pid: process.pid, start: statOf(process.pid)?.start ?? 0 };
}

/** `undefined`: it is of another host, or another container, and cannot be seen from here. */
export function isAlive({ place, pid, start }: Owner): boolean | undefined {
  if (place !== here()) return undefined;
  if (!exists(pid)) return false;
  const stat = statOf(pid);
  if (stat === undefined) return true;
  // A zombie has ended, and waits for its parent to be told.
  return !"ZX".includes(stat.state) && (start === 0 || start === stat.start);
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Any other refusal is of a process that is there.
    return fieldOf(error, "code") !== "ESRCH";
  }
}

/** Of /proc: the command's name, in brackets, may have anything in it. */
function statOf(pid: number): { readonly state: string; readonly start: number } | undefined {
  const text = readText(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  const start = Number(fields[19]);
  return state === undefined || !Number.isSafeInteger(start) ? undefined : { state, start };
}

let known: string | undefined;

function here(): string {
  const boot = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8");
  const namespace = (): string => readlinkSync("/proc/self/ns/pid");
  known ??= createHash("sha256")
    .update(JSON.stringify([hostname(), readText(boot), readText(namespace)]))
    .digest("hex")
    .slice(0, 16);
  return known;
}

function readText(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
