// Process table: finds the process groups of a program and of the processes that it started.
//
// Owns how the system is read. Linux: /proc names the session of each process. Elsewhere no tool does so everywhere,
// but `ps` names the parent of each process: members are found by descent from the program and from the groups known
// before. Sends no signal.

import { execFile, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";

/** A program that leads a session. Its process id is not reused while one process of the session lives. */
export interface Leader {
  /** The process id of the program, and the id of its session and group. */
  readonly pid: number;
  /**
   * The start time, which distinguishes it from a later program with the same id; `undefined` where the system does not
   * report it.
   */
  readonly startedAt: string | undefined;
}

/** The living processes of the system at one moment. */
export interface Table {
  /** The groups with a living process of the leader's session. `known`: the groups found before. */
  groupsOf(leader: Leader, known: ReadonlySet<number>): ReadonlySet<number>;
}

const IS_LINUX = process.platform === "linux";

/** Identifies the running program `pid`. */
export function leaderOf(pid: number): Leader {
  return { pid, startedAt: IS_LINUX ? statOf(pid)?.startedAt : undefined };
}

let reading: Promise<unknown> = Promise.resolve();
let next: Promise<Table> | undefined;

/**
 * Reads the process table. Calls made before a reading begins share it: a hundred programs that end together read the
 * table a few times.
 */
export function readTable(): Promise<Table> {
  next ??= reading.then(() => {
    next = undefined;
    const table = IS_LINUX ? readProc() : readPs();
    reading = table.catch(() => {});
    return table;
  });
  return next;
}

/** Reads the table synchronously, at the exit of this process. */
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

/** The number of entries read before the event loop gets a turn; one entry takes about ten microseconds. */
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

/** `undefined`: the process does not exist, or is dead and waits to be collected. */
function statOf(pid: number): Stat | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The format is "pid (name) state parent group session …". The name may contain any character, so fields are counted
  // from the state.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state = "", , group = "", session = ""] = fields;
  // A process whose first thread has ended looks dead, but lives while another thread does.
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
    // /proc is not readable: signals then show whether the known groups live.
    if (this.#isEmpty) return known;
    // Another program has this id now, so the session had no process left.
    if (startedAt !== undefined && (this.#startedAt.get(pid) ?? startedAt) !== startedAt) return NONE;
    return this.#groups.get(pid) ?? NONE;
  }
}

const NONE: ReadonlySet<number> = new Set();

// ── other POSIX systems ──────────────────────────────────────────────────────

/** Options that Linux, macOS and the BSDs share. */
const PS: readonly string[] = ["-A", "-o", "pid=", "-o", "ppid=", "-o", "pgid=", "-o", "stat="];

/** Reads the table by `ps`; resolves with an empty table when `ps` fails. */
export function readPs(): Promise<Table> {
  return new Promise((resolve) => {
    // A `ps` that fails yields an empty table: the known groups are then checked by signal.
    execFile("ps", PS, { timeout: 5_000, maxBuffer: 2 ** 26 }, (_error, stdout) => resolve(new Descent(stdout)));
  });
}

interface Entry {
  readonly pid: number;
  readonly group: number;
  /** The process leads a session. Below the program, such a process has left the task with its descendants. */
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
