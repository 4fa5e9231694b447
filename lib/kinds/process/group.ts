// Process group: every process of one task, ended together.
//
// Owns the SIGTERM, the SIGKILL after it, and the question whether anybody is left. POSIX: a process group, known by the id of its leader;
// the number is nobody else's as long as one member lives, so nothing is sent once none does. Windows: the tree below the leader.
// A process that leaves the group (`setsid`: a daemon) is not the task's any more. When this process exits, so do all groups.

import { execFile, spawnSync } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { Alarm, type Clock } from "../../core/clock.js";

const IS_WINDOWS = process.platform === "win32";

export class ProcessGroup {
  readonly #leader: number;
  readonly #clock: Clock;
  /** Asked when they are ended. */
  readonly #killAfterMs: () => number;
  #killing: Alarm | undefined;

  constructor(leader: number, clock: Clock, killAfterMs: () => number) {
    this.#leader = leader;
    this.#clock = clock;
    this.#killAfterMs = killAfterMs;
    keep(this);
  }

  /** SIGTERM to all of them, and SIGKILL when `killAfterMs` has passed. Twice is once. Windows has no such question: they are ended. */
  end(): void {
    if (this.#killing !== undefined) return;
    this.#killing = new Alarm(this.#clock, this.#killAfterMs(), () => this.#send("SIGKILL"));
    if (IS_WINDOWS) execFile("taskkill", treeOf(this.#leader), () => {});
    else this.#send("SIGTERM");
  }

  /** To be called once the leader has exited. Resolves when nobody is left, which without `end` may be never. */
  async gone(): Promise<void> {
    for (let pauseMs = 2; await this.#lives(pauseMs > 16); pauseMs = Math.min(2 * pauseMs, 100)) await pause(pauseMs);
    this.#killing?.cancel();
    letGo(this);
  }

  /** At the exit of this process, where nothing can be waited for. */
  killNow(): void {
    if (IS_WINDOWS) spawnSync("taskkill", treeOf(this.#leader), { windowsHide: true });
    else this.#send("SIGKILL");
  }

  /** `closely`: the dead are told from the living. Most systems collect the dead in no time, and then it need not be asked. */
  async #lives(closely: boolean): Promise<boolean> {
    // Windows finds no tree without its leader.
    if (IS_WINDOWS || !this.#send(0)) return false;
    if (!closely || process.platform !== "linux" || (await hasLivingMember(this.#leader))) return true;
    // The dead are left, and nobody collects them: the first process of a container often does not. One born while we looked dies here.
    this.#send("SIGKILL");
    return false;
  }

  /** False: nobody is left, or nobody whom we may end (a program that became another user). */
  #send(signal: NodeJS.Signals | 0): boolean {
    if (IS_WINDOWS) return false;
    try {
      return process.kill(-this.#leader, signal);
    } catch {
      return false;
    }
  }
}

function treeOf(leader: number): string[] {
  return ["/PID", String(leader), "/T", "/F"];
}

/** Linux: a member that is no zombie. */
async function hasLivingMember(group: number): Promise<boolean> {
  const ids = (await readdir("/proc").catch(() => [])).map(Number).filter(Number.isInteger);
  // None to be seen: then the answer of `kill` stands.
  if (ids.length === 0) return true;
  // Most are younger than their leader, and one is enough.
  const likelyFirst = [...ids.filter((id) => id >= group), ...ids.filter((id) => id < group)];
  for (const id of likelyFirst) {
    const stat = await readFile(`/proc/${id}/stat`, "latin1").catch(() => "");
    // "id (name) state parent group …", where the name may hold anything.
    const [state, , its] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (Number(its) === group && state !== "Z" && state !== "X") return true;
  }
  return false;
}

// ── those that live ──────────────────────────────────────────────────────────

const living = new Set<ProcessGroup>();

function killAll(): void {
  for (const group of living) group.killNow();
}

/** One listener for all, which goes with the last. */
function keep(group: ProcessGroup): void {
  if (living.size === 0) process.on("exit", killAll);
  living.add(group);
}

function letGo(group: ProcessGroup): void {
  living.delete(group);
  if (living.size === 0) process.off("exit", killAll);
}
