// Process session: every process of one task, ended together.
//
// Owns the SIGTERM, the SIGKILL after it, and the question whether a process is left. POSIX: the program leads a session of its own, and
// every process group of that session is ended, also those that a shell with job control or `timeout` made. The number of a group or a
// session is no other's as long as one member lives, so nothing is sent once none does. Windows: the tree below the program.
// A process that makes a session of its own (`setsid`: a daemon) has left the task. When this process exits, so do all sessions.

import { execFile, spawnSync } from "node:child_process";
import { Alarm, type Timekeeper } from "../../core/time/clock.js";
import { outsidePause } from "../../core/time/outside-time.js";
import { type Leader, leaderOf, readTable, readTableNow, type Table } from "./table.js";

const IS_WINDOWS = process.platform === "win32";
/** Elsewhere what a program started is found by descent, so that it must be looked up before the program ends. */
const KNOWS_SESSIONS = process.platform === "linux";

export class ProcessSession {
  readonly #leader: Leader;
  readonly #clock: Timekeeper;
  /** Asked when they are ended. */
  readonly #killAfterMs: () => number;
  #killing: Alarm | undefined;
  /** Sessions with a member at the last reading of the table, from which members are found. */
  #groups: ReadonlySet<number>;
  /** Processes that were sent SIGTERM. */
  readonly #asked = new Set<number>();
  #hasExited = false;
  #phase: "running" | "ending" | "killing" | "over" = "running";

  constructor(pid: number, clock: Timekeeper, killAfterMs: () => number) {
    this.#leader = leaderOf(pid);
    this.#groups = new Set([pid]);
    this.#clock = clock;
    this.#killAfterMs = killAfterMs;
    keep(this);
  }

  /** SIGTERM to all of them, and SIGKILL when `killAfterMs` has passed. A second call has no effect. Windows knows no SIGTERM: they are ended. */
  end(): void {
    if (this.#phase !== "running") return;
    this.#phase = "ending";
    this.#killing = new Alarm(this.#clock, this.#killAfterMs(), () => this.#kill());
    if (IS_WINDOWS) execFile("taskkill", treeOf(this.#leader.pid), () => {});
    else {
      if (KNOWS_SESSIONS) this.#signalLeader();
      void this.#sweep();
    }
  }

  /** To be called once the leader has exited: ends what it left running, and resolves when no process is left. */
  async ended(): Promise<void> {
    this.#hasExited = true;
    this.end();
    for (let pauseMs = 2; await this.#sweep(); pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS))
      await outsidePause(pauseMs);
    this.#phase = "over";
    this.#killing?.cancel();
    letGo(this);
  }

  /** At the exit of this process, where nothing can be waited for. */
  killNow(table: Table | undefined): void {
    if (IS_WINDOWS) spawnSync("taskkill", treeOf(this.#leader.pid), { windowsHide: true });
    this.#phase = "killing";
    if (table === undefined) return;
    this.#groups = table.groupsOf(this.#leader, this.#groups);
    this.#signalAll();
  }

  #kill(): void {
    if (this.#phase !== "ending") return;
    this.#phase = "killing";
    this.#signalLeader();
    void this.#sweep();
  }

  /** Signals the leader's group in the same call. Once the leader was collected its number may be another's: then the table is read first. */
  #signalLeader(): void {
    if (!this.#hasExited) this.#signal(this.#leader.pid);
  }

  /** Looks up who is left and sends them what is due; whether there is a process that this one may end. What was born meanwhile, the next finds. */
  async #sweep(): Promise<boolean> {
    // Windows finds no tree without its leader.
    if (IS_WINDOWS) return false;
    const table = await readTable();
    if (this.#phase === "over") return false;
    this.#groups = table.groupsOf(this.#leader, this.#groups);
    return this.#signalAll();
  }

  #signalAll(): boolean {
    let isLeft = false;
    for (const group of this.#groups) isLeft = this.#signal(group) || isLeft;
    return isLeft;
  }

  #signal(group: number): boolean {
    switch (this.#phase) {
      case "killing":
        return send(group, "SIGKILL");
      case "ending": {
        if (this.#asked.has(group)) return send(group, 0);
        this.#asked.add(group);
        // One that is stopped hears SIGTERM when it continues.
        return send(group, "SIGTERM") && (send(group, "SIGCONT") || true);
      }
      case "running":
        return send(group, 0);
      case "over":
        return false;
      default:
        return this.#phase satisfies never;
    }
  }
}

const LONGEST_PAUSE_MS = 100;

/** False: no process is left in the group, or none that this process may end (a program that became another user). */
function send(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}

function treeOf(pid: number): string[] {
  return ["/PID", String(pid), "/T", "/F"];
}

// ── those that live ──────────────────────────────────────────────────────────

const living = new Set<ProcessSession>();

function killAll(): void {
  const table = IS_WINDOWS ? undefined : readTableNow();
  for (const session of living) session.killNow(table);
}

/** One listener for all, which goes with the last. */
function keep(session: ProcessSession): void {
  if (living.size === 0) process.on("exit", killAll);
  living.add(session);
}

function letGo(session: ProcessSession): void {
  living.delete(session);
  if (living.size === 0) process.off("exit", killAll);
}
