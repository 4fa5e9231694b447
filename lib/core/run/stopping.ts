// Stopping: one call stops a whole subtree (H2, C3).
//
// Owns nothing. In one turn every task gets its stop, its waits reject and its signal aborts. Tasks that never started
// end, leaf first; functions that run share one grace and are abandoned after it (C2). Called by the runner. Calls the
// loop, the slots and the waits, and calls the runner back for each task that ends.

import type { Slots } from "../lanes/slots.js";
import { attachedDescendantsOf } from "../live/family.js";
import { Grace } from "../live/grace.js";
import type { Attempt, Run, Task } from "../live/task.js";
import type { Loop } from "../loop.js";
import type { Command } from "../task/commands.js";
import type { StopReason } from "../task/status.js";
import { abortSignal, cancelErrorOf } from "../waits/attempt-signal.js";
import type { Waits } from "../waits/waits.js";

/** The parts that a stop needs. */
export interface StoppingDeps {
  readonly loop: Loop;
  readonly slots: Slots<Run>;
  readonly waits: Waits;
  /** The default time that a function has to settle, in milliseconds. */
  readonly graceMs: number;
}

/** The ends of tasks that were stopped. */
interface StoppedEnds {
  /** The grace of `attempt` is over. */
  abandon(attempt: Attempt): void;
  /** `task` was stopped before it started: it ends. */
  endUnstarted(task: Task): void;
}

/** Stops of tasks. */
export class Stopping {
  readonly #deps: StoppingDeps;
  readonly #ends: StoppedEnds;

  constructor(deps: StoppingDeps, ends: StoppedEnds) {
    this.#deps = deps;
    this.#ends = ends;
  }

  /**
   * Asks a task and its living attached descendants to stop (H2). A task that has ended, or was stopped before, does
   * not change (S5).
   */
  stop(task: Task, code: StopReason, reason: string): void {
    if (task.isOver || task.state.stop !== undefined) return;
    const below = attachedDescendantsOf(task);
    if (code === "cancel") this.stopAll([task, ...below], "cancel", reason);
    else {
      this.stopAll([task], code, reason);
      this.stopAll(below, "cancel", code);
    }
  }

  /**
   * Stops `tasks`, which are listed parents before children. Tasks that have settled or were stopped before are
   * skipped.
   */
  stopAll(tasks: readonly Task[], code: StopReason, reason: string): void {
    const { loop, slots, waits } = this.#deps;
    const stop = Object.freeze({ code, reason, at: loop.clock.now() });
    const command: Command = { type: "stop", stop };
    const started: Attempt[] = [];
    const unstarted: Task[] = [];
    for (const task of tasks) {
      if (loop.apply(task, command) !== undefined) continue;
      const { run, attempt } = task;
      if (attempt === undefined) {
        if (run !== undefined) slots.leave(task.lane, run);
        unstarted.push(task);
      } else {
        started.push(attempt);
        waits.rejectAll(attempt, cancelErrorOf);
      }
    }
    if (started.length > 0) {
      loop.call(() => started.forEach(abortSignal), 0);
      // A manager that shuts down gives all of them one common grace (D8).
      if (code !== "shutdown") this.#giveGrace(started);
    }
    for (let i = unstarted.length - 1; i >= 0; i--) {
      const task = unstarted[i];
      if (task !== undefined) this.#ends.endUnstarted(task);
    }
  }

  #giveGrace(attempts: readonly Attempt[]): void {
    const groups = new Map<number, Attempt[]>();
    for (const attempt of attempts) {
      const ms = attempt.task.traits.limits?.graceMs ?? this.#deps.graceMs;
      const group = groups.get(ms);
      if (group === undefined) groups.set(ms, [attempt]);
      else group.push(attempt);
    }
    for (const [ms, group] of groups) {
      const abandonAll = () => group.toReversed().forEach((attempt) => this.#ends.abandon(attempt));
      const grace = new Grace(this.#deps.loop.clock, ms, group.length, abandonAll);
      for (const attempt of group) attempt.grace = grace;
    }
  }
}
