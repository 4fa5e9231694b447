// Model life: how the functions of the model start, end and are stopped, and the time that passes (§1, §4, §5).
//
// What a call decides is done in the call; what is delivered after it (starts, aborts, ended waits, functions that settle) stands in
// queues that `rest` empties. Knows of waits only that there are some: `model-waits.ts` says what they are.

import type { StopReason } from "errand";
import { ModelSlots } from "./model-line.js";
import {
  type ModelReader,
  type ModelRequest,
  type ModelTask,
  type ModelWait,
  no,
  outcomeOf,
  type Result,
  type Settled,
  type Timer,
  textOf,
  threw,
} from "./model-state.js";
import { ModelTurn } from "./model-turn.js";
import type { Rules } from "./steps.js";

export abstract class ModelLife extends ModelTurn {
  readonly slots: ModelSlots<ModelTask>;
  readonly tasks = new Map<string, ModelTask>();
  readonly waits = new Map<string, ModelWait>();
  readonly readers = new Map<string, ModelReader>();
  readonly requests: ModelRequest[] = [];
  /** Signals of the user, with those that follow them. */
  readonly signals = new Map<string, { isAborted: boolean; followers: (ModelTask | ModelWait)[] }>();
  now = 0;
  isClosed = false;
  droppedWrites = 0;
  protected readonly rules: Rules;
  protected watchers: (ModelWait | ModelReader)[] = [];
  protected idlers: ModelWait[] = [];
  protected receivers: ModelWait[] = [];
  protected timers: Timer[] = [];
  /** H3: tasks, or the session, whose `cancelAll()` is under way, once for each. */
  protected cancelling: (ModelTask | "session")[] = [];
  protected count = 0;

  constructor(rules: Rules) {
    super();
    this.rules = rules;
    this.slots = new ModelSlots(rules, (task, isResume) => {
      if (isResume) this.resume(task);
      else this.deliver(() => this.start(task));
    });
  }

  // What waits have to say to it.
  protected abstract resume(task: ModelTask): void;
  protected abstract tellEnd(task: ModelTask): void;
  protected abstract rejectAll(task: ModelTask, result: Result): void;
  protected abstract closeMailbox(task: ModelTask, result: Result): void;
  protected abstract close(request: ModelRequest, status: Exclude<ModelRequest["status"], "open">): void;

  get living(): ModelTask[] {
    return [...this.tasks.values()].filter((task) => !task.isOver);
  }

  /** Of the user; made when it is first named. */
  protected signal(name: string): { isAborted: boolean; followers: (ModelTask | ModelWait)[] } {
    const signal = this.signals.get(name) ?? { isAborted: false, followers: [] };
    this.signals.set(name, signal);
    return signal;
  }

  // ── who is attached to whom ──────────────────────────────────────────────

  protected attached(task: ModelTask): ModelTask[] {
    return this.living.filter((each) => each.parent === task && !each.isDetached);
  }

  /** The living attached descendants, each before what is below it. */
  protected below(task: ModelTask): ModelTask[] {
    const found = this.attached(task);
    for (const each of found) found.push(...this.attached(each));
    return found;
  }

  // ── a function's life ────────────────────────────────────────────────────

  protected start(task: ModelTask): void {
    if (task.outcome !== undefined) return;
    if (this.slots.lane(task.lane).isPaused) return this.slots.putBack(task);
    task.phase = "open";
    task.status = "running";
    this.fact(`started ${task.name}`);
    this.run(task);
    const { body, first = [] } = task.options;
    this.perform(first);
    if ((body !== "returns" && body !== "throws") || task.isTold) return;
    task.isTold = true;
    this.settled(task, body === "returns" ? { how: "returned" } : threw(undefined));
  }

  /** Its function will end so, unless it is ending already. */
  protected end(task: ModelTask, settled: Settled): void {
    if (task.isTold) return;
    task.isTold = true;
    this.soon(() => {
      this.settled(task, settled);
      this.drain();
    });
  }

  protected settled(task: ModelTask, settled: Settled): void {
    task.isSilent = true;
    if (task.phase === "open") {
      task.phase = "settled";
      this.finish(task, settled);
    } else {
      this.slots.release(task); // C2: of a lane with holdAbandoned.
      this.fact(`lateSettled ${task.name} ${settled.how}`);
    }
  }

  /** H1: the function is over; the task is over when its attached children are. */
  protected finish(task: ModelTask, settled: Settled): void {
    const isReturn = settled.how === "returned" && task.stop === undefined;
    this.hold(task);
    this.rejectAll(task, no(isReturn ? "TASK_TERMINATED" : "SCOPE_CANCELLED"));
    for (const request of this.requests) if (request.task === task) this.close(request, "withdrawn"); // S4
    this.closeMailbox(task, no(isReturn ? "TASK_TERMINATED" : "SCOPE_CANCELLED"));
    const policy = isReturn ? task.children : "cancel";
    if (policy === "detach") {
      for (const child of this.attached(task)) {
        child.isDetached = true;
        this.fact(`detached ${child.name}`);
      }
    }
    task.outcome = outcomeOf(task, settled);
    if (settled.how === "silent") this.fact(`abandoned ${task.name}`);
    const isLast = this.attached(task).length === 0;
    if (isLast) this.over(task);
    else {
      this.fact(`returned ${task.name} ${textOf(task.outcome)}`);
      if (task.status !== "queued") task.status = "blocked";
    }
    if (settled.how !== "silent" || !this.slots.lane(task.lane).holdAbandoned) this.slots.release(task);
    if (isLast) this.ended(task);
    else if (policy === "cancel" && task.stop === undefined) {
      const words = task.outcome.status === "succeeded" ? "returned" : task.outcome.why;
      this.stopAll(this.below(task), "cancel", words);
    }
  }

  protected over(task: ModelTask): void {
    if (task.outcome === undefined) throw new Error(`${task.name} has no outcome`);
    task.isOver = true;
    task.status = task.outcome.status;
    this.fact(`ended ${task.name} ${textOf({ ...task.outcome, isAbandoned: false })}`);
  }

  /** Tells who waited for it, then ends those above it that waited for nothing else. */
  protected ended(task: ModelTask): void {
    task.endOrder = ++this.count;
    this.timers = this.timers.filter(({ of }) => of !== task);
    for (const signal of this.signals.values()) signal.followers = signal.followers.filter((each) => each !== task);
    this.tellEnd(task);
    const { parent } = task;
    if (task.isDetached || parent?.outcome === undefined || parent.isOver || this.attached(parent).length > 0) return;
    this.over(parent);
    this.ended(parent);
  }

  // ── stopping ─────────────────────────────────────────────────────────────

  /** H2: the task and what is attached below it, in one turn. */
  protected stop(task: ModelTask, reason: StopReason, words: string): void {
    if (task.isOver || task.stop !== undefined) return; // S5
    const below = this.below(task);
    if (reason === "cancel") return this.stopAll([task, ...below], reason, words);
    this.stopAll([task], reason, words);
    this.stopAll(below, "cancel", words);
  }

  protected stopAll(tasks: readonly ModelTask[], reason: StopReason, words: string): void {
    const stopped = tasks.filter((task) => !task.isOver && task.outcome === undefined && task.stop === undefined);
    for (const task of stopped) {
      task.stop = { reason, words };
      this.fact(`stopped ${task.name} ${reason} ${words}`);
      if (task.phase === "unstarted") this.slots.leave(task); // L5
      this.rejectAll(task, no(`TASK_CANCELLED ${words}`)); // C3
    }
    const started = stopped.filter((task) => task.phase === "open");
    const obedient = started.filter((task) => task.options.body === "obeys");
    for (const task of obedient) this.deliver(() => this.soon(() => this.end(task, { how: "threw" })));
    if (reason !== "shutdown") {
      const graceOf = (task: ModelTask) => task.options.graceMs ?? this.rules.graceMs ?? 5_000;
      for (const ms of new Set(started.map(graceOf))) {
        this.graceOver(
          started.filter((task) => graceOf(task) === ms),
          ms,
        );
      }
    }
    for (const task of stopped.toReversed()) if (task.phase === "unstarted") this.finish(task, { how: "unstarted" });
  }

  /** C2: those that have not settled by then are abandoned, leaf first. */
  protected graceOver(tasks: readonly ModelTask[], ms: number): void {
    this.timer(tasks, "grace", ms, () => {
      for (const task of tasks.toReversed()) {
        if (task.phase !== "open") continue;
        task.phase = "abandoned";
        this.finish(task, { how: "silent" });
      }
    });
  }

  // ── time ─────────────────────────────────────────────────────────────────

  protected timer(of: object, what: Timer["what"], ms: number, fire: () => void): void {
    this.timers.push({ of, what, dueAt: this.now + ms, order: ++this.count, fire });
  }

  protected advance(until: number): void {
    for (;;) {
      const due = this.timers.filter(({ dueAt }) => dueAt <= until);
      const [first] = due.toSorted((a, b) => a.dueAt - b.dueAt || a.order - b.order);
      if (first === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== first);
      this.now = Math.max(this.now, first.dueAt);
      first.fire();
      this.rest();
    }
    this.now = until;
  }

  /** C6: `timeoutMs` and `stallTimeoutMs` run only in `running`. */
  protected run(task: ModelTask): void {
    const { timeoutMs, stallTimeoutMs } = task.options;
    task.runningSince = this.now;
    task.signAt = this.now;
    if (timeoutMs !== undefined) this.timer(task, "run", task.leftMs, () => this.stop(task, "timeout", "timeout"));
    if (stallTimeoutMs !== undefined) this.watchStall(task, stallTimeoutMs);
  }

  protected watchStall(task: ModelTask, ms: number): void {
    const quietMs = this.now - task.signAt;
    if (quietMs >= ms) this.stop(task, "stalled", "stalled");
    else this.timer(task, "stall", ms - quietMs, () => this.watchStall(task, ms));
  }

  protected hold(task: ModelTask): void {
    if (task.runningSince === undefined) return;
    task.leftMs -= this.now - task.runningSince;
    task.runningSince = undefined;
    this.timers = this.timers.filter(({ of, what }) => of !== task || what === "total");
  }
}
