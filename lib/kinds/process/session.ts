// Process session: ends all processes of one task together.
//
// Owns SIGTERM, the later SIGKILL, and the check whether a process is left. On POSIX the program leads a session of its
// own. Every process group of that session is ended, also groups made by a shell with job control or by `timeout`. The
// id of a group or session is not reused while one member lives, so nothing is sent after the last member has ended.
// On Windows the process tree below the program is ended. A process that creates a new session (`setsid`: a
// daemon) has left the task. When this process exits, all sessions are killed.

import { execFile, spawnSync } from "node:child_process";
import { type Clock, LONGEST_MS } from "../../core/time/clock.js";
import { outsidePause } from "../../core/time/outside-time.js";
import { type Leader, leaderOf, readTable, readTableNow, type Table } from "./table.js";

const IS_WINDOWS = process.platform === "win32";
/**
 * Other systems find the processes by descent from the program, so the process table must be read before the program
 * ends.
 */
const KNOWS_SESSIONS = process.platform === "linux";

/** The processes of one program. */
export class ProcessSession {
  readonly #leader: Leader;
  readonly #clock: Clock;
  /** Milliseconds from SIGTERM to SIGKILL; called when the session is ended. */
  readonly #killAfterMs: () => number;
  /** The timer of SIGKILL. */
  #killing: unknown;
  /** The groups with a living member when the table was last read; by descent, further members are found from them. */
  #groups: ReadonlySet<number>;
  /** Groups that were sent SIGTERM. */
  readonly #terminated = new Set<number>();
  #hasExited = false;
  #phase: "running" | "ending" | "killing" | "over" = "running";

  constructor(pid: number, clock: Clock, killAfterMs: () => number) {
    this.#leader = leaderOf(pid);
    this.#groups = new Set([pid]);
    this.#clock = clock;
    this.#killAfterMs = killAfterMs;
    register(this);
  }

  /**
   * Sends SIGTERM to all processes, and SIGKILL after `killAfterMs`. A second call has no effect. Windows has no
   * SIGTERM: its processes are ended at once.
   */
  end(): void {
    if (this.#phase !== "running") return;
    this.#phase = "ending";
    const ms = this.#killAfterMs();
    if (ms <= LONGEST_MS) this.#killing = this.#clock.setTimeout(() => this.#kill(), ms);
    if (IS_WINDOWS) execFile("taskkill", treeOf(this.#leader.pid), () => {});
    else {
      if (KNOWS_SESSIONS) this.#signalLeader();
      void this.#sweep();
    }
  }

  /**
   * Call this after the leader has exited. Ends the processes that it left running, and resolves when no process is
   * left.
   */
  async ended(): Promise<void> {
    this.#hasExited = true;
    this.end();
    for (let pauseMs = 2; await this.#sweep(); pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS))
      await outsidePause(pauseMs);
    this.#phase = "over";
    if (this.#killing !== undefined) this.#clock.clearTimeout(this.#killing);
    unregister(this);
  }

  /** Kills all processes synchronously, at the exit of this process. */
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

  /**
   * Signals the group of the leader without reading the table. After the leader was collected its id may belong to
   * another program, so the table is read first then.
   */
  #signalLeader(): void {
    if (!this.#hasExited) this.#signal(this.#leader.pid);
  }

  /**
   * Reads which groups are left, signals them, and returns whether a process is left that this process may signal. A
   * process that was started meanwhile is found by the next sweep.
   */
  async #sweep(): Promise<boolean> {
    // Windows finds no process tree without its leader.
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
        if (this.#terminated.has(group)) return send(group, 0);
        this.#terminated.add(group);
        // A stopped process handles SIGTERM only after it continues.
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

/**
 * Returns false when the group has no process left, or no process that this process may signal (a program that changed
 * its user).
 */
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

// ── living sessions ──────────────────────────────────────────────────────────

const living = new Set<ProcessSession>();

function killAll(): void {
  const table = IS_WINDOWS ? undefined : readTableNow();
  for (const session of living) session.killNow(table);
}

/** Adds the session; one exit listener serves all sessions and is removed with the last one. */
function register(session: ProcessSession): void {
  if (living.size === 0) process.on("exit", killAll);
  living.add(session);
}

function unregister(session: ProcessSession): void {
  living.delete(session);
  if (living.size === 0) process.off("exit", killAll);
}
