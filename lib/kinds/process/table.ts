// Process table: in which process groups a program and what it started live.
//
// Owns how the system is asked. Linux: /proc says the session of each process. Elsewhere no tool says it everywhere, and `ps` says who
// started whom: the members are found by descent from the program and from the groups that were known before. Sends no signal.

import { execFile, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";

/** A program that leads a session. Its number is no other program's as long as one process of the session lives. */
export interface Leader {
  readonly pid: number;
  /** Tells it from a later program of the same number; `undefined` where the system does not say. */
  readonly startedAt: string | undefined;
}

/** The living processes of the system at one moment. */
export interface Table {
  /** The groups with a living process of the leader's session. `known`: those that had one before. */
  groupsOf(leader: Leader, known: ReadonlySet<number>): ReadonlySet<number>;
}

const IS_LINUX = process.platform === "linux";

export function leaderOf(pid: number): Leader {
  return { pid, startedAt: IS_LINUX ? statOf(pid)?.startedAt : undefined };
}

let reading: Promise<unknown> = Promise.resolve();
let next: Promise<Table> | undefined;

/** One reading serves all that ask before it begins: a hundred programs that end together read the table a few times. */
export function readTable(): Promise<Table> {
  next ??= reading.then(() => {
    next = undefined;
    const table = IS_LINUX ? readProc() : readPs();
    reading = table.catch(() => {});
    return table;
  });
  return next;
}

/** At the exit of this process, where nothing can be waited for. */
export function readTableNow(): Table {
  if (!IS_LINUX) return new Descent(spawnSync("ps", PS, { encoding: "utf8" }).stdout ?? "");
  return new Sessions(pids().map(statOf));
}

// ── Linux ────────────────────────────────────────────────────────────────────

interface Stat {
  readonly pid: number;
  readonly group: number;
  readonly session: number;
  readonly startedAt: string;
}

/** So many entries are read before this process does something else: one takes some ten microseconds. */
const AT_ONCE = 50;

async function readProc(): Promise<Table> {
  const ids = pids();
  const stats: (Stat | undefined)[] = [];
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    if (from > 0) await turn();
    for (const id of ids.slice(from, from + AT_ONCE)) stats.push(statOf(id));
  }
  return new Sessions(stats);
}

function pids(): number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

/** `undefined`: there is no such process, or it is dead and waits to be collected. */
function statOf(pid: number): Stat | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // "pid (name) state parent group session …", where the name may hold anything. Fields are counted from the state on.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = "", , group = "", session = ""] = fields;
  // A process whose first thread has ended looks dead, and lives as long as another thread does.
  const isDead = (state === "Z" || state === "X") && Number(fields[17]) <= 1;
  return isDead ? undefined : { pid, group: Number(group), session: Number(session), startedAt: fields[19] ?? "" };
}

class Sessions implements Table {
  readonly #groups = new Map<number, Set<number>>();
  readonly #startedAt = new Map<number, string>();
  readonly #isEmpty: boolean;

  constructor(stats: readonly (Stat | undefined)[]) {
    for (const stat of stats) {
      if (stat === undefined) continue;
      this.#startedAt.set(stat.pid, stat.startedAt);
      const groups = this.#groups.get(stat.session);
      if (groups === undefined) this.#groups.set(stat.session, new Set([stat.group]));
      else groups.add(stat.group);
    }
    this.#isEmpty = this.#startedAt.size === 0;
  }

  groupsOf({ pid, startedAt }: Leader, known: ReadonlySet<number>): ReadonlySet<number> {
    // There is no /proc to be read: then a signal says whether the known groups live.
    if (this.#isEmpty) return known;
    // Another program has the number by now, so nothing of the session was left.
    if (startedAt !== undefined && (this.#startedAt.get(pid) ?? startedAt) !== startedAt) return NONE;
    return this.#groups.get(pid) ?? NONE;
  }
}

const NONE: ReadonlySet<number> = new Set();

// ── other POSIX systems ──────────────────────────────────────────────────────

/** The same on Linux, macOS and the BSDs. */
const PS: readonly string[] = ["-A", "-o", "pid=", "-o", "ppid=", "-o", "pgid=", "-o", "stat="];

export function readPs(): Promise<Table> {
  return new Promise((resolve) => {
    // A `ps` that fails shows nothing: then the known groups are asked by signal.
    execFile("ps", PS, { timeout: 5_000, maxBuffer: 2 ** 26 }, (_error, stdout) => resolve(new Descent(stdout)));
  });
}

interface Entry {
  readonly pid: number;
  readonly group: number;
  /** The process leads a session: one that does so below the program has left it, with all below. */
  readonly leads: boolean;
}

class Descent implements Table {
  readonly #entries: Entry[] = [];
  readonly #children = new Map<number, Entry[]>();

  constructor(ps: string) {
    for (const [, pid, parent, group, state = ""] of ps.matchAll(/^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)/gm)) {
      if (state.startsWith("Z")) continue;
      const entry = { pid: Number(pid), group: Number(group), leads: state.includes("s") };
      this.#entries.push(entry);
      const siblings = this.#children.get(Number(parent));
      if (siblings === undefined) this.#children.set(Number(parent), [entry]);
      else siblings.push(entry);
    }
  }

  groupsOf({ pid }: Leader, known: ReadonlySet<number>): ReadonlySet<number> {
    if (this.#entries.length === 0) return known;
    const belongs = (entry: Entry) => entry.pid === pid || !entry.leads;
    const members = new Set(this.#entries.filter((entry) => known.has(entry.group) && belongs(entry)));
    for (const { pid: parent } of members)
      for (const child of this.#children.get(parent) ?? []) if (belongs(child)) members.add(child);
    return new Set(Array.from(members, ({ group }) => group));
  }
}
