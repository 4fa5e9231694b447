// Runner: the life of a task's function, from the slot it was granted to its end.
//
// Starts functions (L9), settles them (C1, H1), stops whole subtrees in one command (H2, C3), gives them grace and abandons them
// (C2), and ends tasks leaf first. It decides nothing: each step is a command to the loop, and what follows from the facts is
// done here, once.

import type { AsyncResource } from "node:async_hooks";
import { Delivery } from "../events/delivery.js";
import type { Slots } from "../lanes/slots.js";
import { extrasOf } from "../live/extras.js";
import { attachedChildrenOf, attachedDescendantsOf } from "../live/family.js";
import { Grace } from "../live/grace.js";
import { RetryDelay } from "../live/retry-delay.js";
import { Attempt, type Task } from "../live/task.js";
import type { Loop } from "../loop.js";
import type { Command } from "../task/commands.js";
import { retriable } from "../task/decide.js";
import { messageOf } from "../task/failure.js";
import type { Work } from "../task/kind-parts.js";
import type { Runtime, TaskFailure, TaskOutcome, Wait } from "../task/record.js";
import { backoffOf, checkedAnswer, checkedBackoff, type RetryPolicy } from "../task/retry.js";
import { type Returned, returned, type Settled, type Threw, threw, threwStopped } from "../task/settled.js";
import type { Output } from "../task/state.js";
import type { StopReason } from "../task/status.js";
import { runOutside } from "../values/outside.js";
import { runInside, runUnowned } from "../waits/ambient.js";
import { abortSignal, cancelErrorOf } from "../waits/attempt-signal.js";
import { overError, type Waits } from "../waits/waits.js";

interface RunnerDeps {
  readonly loop: Loop;
  readonly slots: Slots<Task>;
  readonly waits: Waits;
  readonly runtime: Runtime;
  readonly isAmbient: boolean;
  readonly graceMs: number;
  /** Calls a task's function with the context of its attempt. */
  readonly call: (attempt: Attempt, work: Work) => unknown;
  /** The attempt of `task` is over: nobody hears answers or messages any more. */
  readonly closeDesk: (task: Task, errorOf: () => Error) => void;
  /** As `closeDesk`, but what was asked stays asked: the next process goes on with it. */
  readonly parkDesk: (task: Task, errorOf: () => Error) => void;
  /** As `closeDesk`, but the next attempt hears messages, and answers to what has a key (A3). */
  readonly clearDesk: (task: Task, errorOf: () => Error) => void;
  /** Whether a failed attempt of it is to be followed by another. */
  readonly retryOf: (task: Task) => RetryPolicy | undefined;
  /** `retryIf` threw: the task is not tried again. */
  readonly onRetryFailed: (task: Task, error: unknown) => void;
  /** `backoffMs` threw, or said nothing that can be waited for: the task is tried again after the default pause. */
  readonly onBackoffFailed: (task: Task, error: unknown) => void;
  /** Its function is about to run. */
  readonly onStarted: (task: Task) => void;
  /** It stands in line again. */
  readonly enter: (task: Task) => void;
  /** Called once for each task that has ended, in the call in which it did. */
  readonly onEnd: (task: Task) => void;
  /** D8: this manager shuts down, and the next one may go on with it. */
  readonly staysActive: (task: Task) => boolean;
  /** It stays active, and is nothing of this process any more. */
  readonly onParked: (task: Task) => void;
  /** The task is active, and this process cannot run it (D4). */
  readonly isParked: (task: Task) => boolean;
  /** Resolves once every fact up to `seq` is stored. */
  readonly durable: (seq: number) => Promise<void>;
  /** Its function has returned, and it waits for its children. */
  readonly onReturned: (task: Task) => void;
}

export class Runner {
  readonly #deps: RunnerDeps;
  readonly #unsettled = new Set<Attempt>();

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
  }

  /** Functions that were given up and have not ended yet. */
  get abandoned(): number {
    return this.#unsettled.size;
  }

  /** A slot is `task`'s: it comes back from its wait, or its function starts. */
  granted(task: Task): void {
    if (task.isResume && task.attempt !== undefined) this.#deps.waits.resume(task.attempt);
    else this.#deps.loop.deliver(new Start(this, task), task.madeSeq);
  }

  /** Calls the function, unless the task was stopped, or its lane paused, since it was granted its slot. */
  start(task: Task): void {
    const { loop, slots, waits, runtime } = this.#deps;
    const { work, context } = task;
    // Over, or stopped since and waiting for its children alone: its slot is gone.
    if (work === undefined || context === undefined || task.state.stop !== undefined) return;
    // The lane has other bounds by now (L10): the task stands in line again.
    if (!task.holdsSlot) return;
    if (task.lane.paused) return slots.putBack(task.lane, task);
    const isRetry = task.state.details.notBeforeAt !== undefined;
    if (loop.apply(task, { type: "start", runtime }) !== undefined) return;
    slots.started(task.lane, task);
    const attempt = new Attempt(task, loop.seq, isRetry, waits);
    task.attempt = attempt;
    if (task.extras?.startsStored) this.#runOnceStored(attempt, work, context);
    else this.#run(attempt, work, context);
  }

  /** D4: a function that ends its process at once would leave no trace of its start, and would be started for ever. */
  #runOnceStored(attempt: Attempt, work: Work, context: AsyncResource): void {
    const { loop, durable } = this.#deps;
    const run = () => {
      if (attempt.phase === "open" && attempt.stop === undefined) this.#run(attempt, work, context);
      else this.#settled(attempt, thrownBy(attempt, cancelErrorOf(attempt)));
      loop.drain();
    };
    // Never stored: its manager is closed, and its grace decides.
    durable(loop.seq).then(run, () => undefined);
  }

  #run(attempt: Attempt, work: Work, context: AsyncResource): void {
    const { isAmbient } = this.#deps;
    const { task } = attempt;
    task.extras?.deadlines?.run();
    if (task.extras !== undefined) this.#deps.onStarted(task);
    let value: unknown;
    try {
      value = isAmbient
        ? context.runInAsyncScope(runInside, undefined, attempt, work, this.#deps.call)
        : context.runInAsyncScope(() => runUnowned(() => this.#deps.call(attempt, work)));
      if ((typeof value === "object" && value !== null) || typeof value === "function") {
        // A thenable of any make: `Promise.resolve` calls its `then` once.
        // What it gave is told at once: telling may run code of its own, which may stop the task while it is open yet (H1, S5).
        Promise.resolve(value).then(
          (result: unknown) => this.#settledLater(attempt, returned(result)),
          (error: unknown) => this.#settledLater(attempt, thrownBy(attempt, error)),
        );
        return;
      }
    } catch (error) {
      this.#settled(attempt, thrownBy(attempt, error));
      return;
    }
    this.#settled(attempt, returned(value));
  }

  /** At the top of a microtask: what follows is delivered here and now. */
  #settledLater(attempt: Attempt, settled: Returned | Threw): void {
    this.#settled(attempt, settled);
    this.#deps.loop.drain();
  }

  #settled(attempt: Attempt, settled: Returned | Threw): void {
    const { task } = attempt;
    if (attempt.phase === "open") {
      // Asked while it is open: `retryIf` is a user's, and may stop it.
      const notBeforeAt = this.#retryAt(task, settled);
      attempt.phase = "settled";
      endGrace(attempt);
      this.#finish(task, attempt, settled, notBeforeAt);
      return;
    }
    // Settled before: a thenable of its own make called back twice.
    if (!this.#unsettled.delete(attempt)) return;
    this.#deps.slots.release(task.lane, attempt.holder);
    const message = settled.how === "threw" ? { message: messageOf(settled.error) } : {};
    this.#deps.loop.apply(task, { type: "lateSettle", attempt: attempt.number, settled: settled.how, ...message });
  }

  /** C2: the grace is over and the function has not settled. */
  abandon(attempt: Attempt): void {
    if (attempt.phase !== "open") return;
    const notBeforeAt = this.#retryAt(attempt.task, SILENT);
    attempt.phase = "abandoned";
    endGrace(attempt);
    this.#unsettled.add(attempt);
    this.#finish(attempt.task, attempt, SILENT, notBeforeAt);
  }

  /** When the task may run again, if this end of its function is one to try again after (C1, §10). */
  #retryAt(task: Task, settled: Settled): number | undefined {
    const { loop, retryOf, onRetryFailed } = this.#deps;
    const failure = retriable(task.id, task.state, settled);
    const retry = failure === undefined ? undefined : retryOf(task);
    if (failure === undefined || retry === undefined) return undefined;
    const attempt = task.state.details.used + 1;
    if (attempt >= retry.limits.maxAttempts) return undefined;
    try {
      const isRefused =
        retry.retryIf !== undefined && !checkedAnswer(runOutside(() => retry.retryIf?.(failure, attempt)));
      if (isRefused) return undefined;
    } catch (error) {
      onRetryFailed(task, error);
      return undefined;
    }
    return loop.clock.now() + (this.#backoffSaid(task, retry, failure) ?? backoffOf(retry.limits, task.id, attempt));
  }

  /** The pause that the user's function returned; `undefined`: none, or none that can be waited for. */
  #backoffSaid(task: Task, retry: RetryPolicy, failure: TaskFailure): number | undefined {
    if (retry.backoffOf === undefined) return undefined;
    try {
      return checkedBackoff(runOutside(() => retry.backoffOf?.(failure, task.state.details.used + 1)));
    } catch (error) {
      this.#deps.onBackoffFailed(task, error);
      return undefined;
    }
  }

  /** H7: the next attempt stands in line when its time has come, and what this one left below it has ended. */
  #retry(attempt: Attempt, settled: Settled, notBeforeAt: number, code: string): void {
    const { task, number, stop } = attempt;
    const { loop, slots, waits, clearDesk, enter } = this.#deps;
    const errorOf = () => overError(task.id, false, "its function has settled");
    waits.rejectAll(attempt, errorOf);
    if (task.extras !== undefined) clearDesk(task, errorOf);
    const command = { type: "settle", id: task.id, attempt: number, settled, living: NOBODY, notBeforeAt } as const;
    loop.apply(task, command);
    task.madeSeq = loop.seq;
    task.attempt = undefined;
    // Whatever the old function still does, it is not with the slot of the next one.
    attempt.past = { stop, holder: slots.handOver(task) };
    if (attempt.phase !== "abandoned" || !task.lane.holdAbandoned) slots.release(task.lane, attempt.holder);
    task.extras?.deadlines?.again();
    this.#stopAll(attachedDescendantsOf(task), "cancel", code);
    const desk = extrasOf(task);
    const left = { ms: notBeforeAt - loop.clock.now(), at: notBeforeAt };
    desk.retryDelay = new RetryDelay(loop.clock, left, attachedChildrenOf(task), () => {
      desk.retryDelay = undefined;
      enter(task);
    });
  }

  /** H1: the function is over, so is its context; the task is over when its attached children are. */
  #finish(task: Task, attempt: Attempt | undefined, settled: Settled, notBeforeAt?: number): void {
    const { loop, slots, waits, staysActive } = this.#deps;
    if (attempt !== undefined && notBeforeAt !== undefined) {
      // Stopped since it was asked whether to try again, it is not.
      const failure = retriable(task.id, task.state, settled);
      if (failure !== undefined) return this.#retry(attempt, settled, notBeforeAt, failure.code);
    }
    task.extras?.retryDelay?.cancel();
    const isShutDown = task.state.stop?.code === "shutdown" && settled.how !== "returned";
    if (isShutDown && staysActive(task)) return this.#park(task, attempt);
    const isReturn = settled.how === "returned" && task.state.stop === undefined;
    task.extras?.deadlines?.settle();
    const errorOf = () => overError(task.id, isReturn, "its function has settled");
    if (attempt !== undefined && (attempt.isWaiting || loop.hasStore)) waits.rejectAll(attempt, errorOf);
    if (task.extras !== undefined) this.#deps.closeDesk(task, errorOf);
    const policy = isReturn ? task.traits.children : "cancel";
    if (policy === "detach") this.#detachChildren(task);
    const living = task.family.attached === 0 ? NOBODY : Array.from(attachedChildrenOf(task), (child) => child.id);
    loop.apply(task, { type: "settle", id: task.id, attempt: task.state.attempt, settled, living });
    if (attempt?.phase !== "abandoned" || !task.lane.holdAbandoned) slots.release(task.lane, task);
    if (task.isOver) return this.#ended(task);
    this.#deps.onReturned(task);
    // One that was stopped was swept with it, and nothing was spawned under it since (H3).
    if (policy === "cancel" && task.state.stop === undefined)
      this.#stopAll(attachedDescendantsOf(task), "cancel", codeOf(task));
  }

  /** What ran is over, and its record says nothing of it: the next process goes on with the task. */
  #park(task: Task, attempt: Attempt | undefined): void {
    const { slots, waits, onParked } = this.#deps;
    const errorOf = () => overError(task.id, false, "its manager has shut down");
    task.extras?.deadlines?.cancel();
    task.extras?.unfollow?.();
    if (attempt?.isWaiting) waits.rejectAll(attempt, errorOf);
    if (task.extras !== undefined) this.#deps.parkDesk(task, errorOf);
    slots.release(task.lane, task);
    task.work = undefined;
    task.context = undefined;
    task.attempt = undefined;
    onParked(task);
  }

  /** D9: another process has its id, so it does not start: it leaves the line, and gives back a slot that it was granted. */
  standBy(task: Task, wait: Wait): void {
    this.#withdraw(task);
    this.#deps.loop.apply(task, { type: "park", blockedOn: Object.freeze([wait]) });
  }

  /** D9: the work of a task that never started here was done in another process, and ended so. */
  deliver(task: Task, outcome: TaskOutcome, output: Output | undefined): void {
    if (task.isOver) return;
    this.#withdraw(task);
    this.#deps.closeDesk(task, () => overError(task.id, false, "it ended in another process"));
    if (this.#deps.loop.apply(task, { type: "deliver", outcome, output }) === undefined) this.#ended(task);
  }

  #withdraw(task: Task): void {
    task.extras?.retryDelay?.cancel();
    this.#deps.slots.leave(task.lane, task);
    this.#deps.slots.release(task.lane, task);
  }

  /** D4: the process that ran it has ended. One that has returned ends with the last of its children. */
  lose(task: Task, process: Runtime | undefined, attemptsUsed?: number): void {
    if (task.isOver || (task.state.outcome !== undefined && task.family.attached > 0)) return;
    this.#deps.closeDesk(task, () => overError(task.id, false, "its process has ended"));
    this.#deps.loop.apply(task, { type: "lose", id: task.id, process, attemptsUsed });
    this.#ended(task);
  }

  #detachChildren(task: Task): void {
    for (const child of [...attachedChildrenOf(task)]) {
      this.#deps.loop.apply(child, { type: "update", patch: { detached: true } });
    }
  }

  /**
   * Asks a task and its living attached descendants to stop (H2): every one of them gets its intent, its signal and its rejected
   * waits in this turn, then those that never started end, leaf first. Over, or stopped before, it changes nothing (S5).
   */
  stop(task: Task, code: StopReason, reason: string): void {
    if (task.isOver || task.state.stop !== undefined) return;
    const below = attachedDescendantsOf(task);
    if (code === "cancel") this.#stopAll([task, ...below], "cancel", reason);
    else {
      this.#stopAll([task], code, reason);
      this.#stopAll(below, "cancel", code);
    }
  }

  /** D8: everything that lives. Those that were stopped before keep their reason. */
  shutDown(tasks: readonly Task[]): void {
    this.#stopAll(tasks, "shutdown", "shutdown");
  }

  /** `tasks`: each before what is below it. Those that are settled or stopped already are passed over. */
  #stopAll(tasks: readonly Task[], code: StopReason, reason: string): void {
    const { loop, slots, waits } = this.#deps;
    const stop = Object.freeze({ code, reason, at: loop.clock.now() });
    const command: Command = { type: "stop", stop };
    const started: Attempt[] = [];
    const unstarted: Task[] = [];
    for (const task of tasks) {
      if (loop.apply(task, command) !== undefined) continue;
      const { attempt } = task;
      if (attempt === undefined) {
        slots.leave(task.lane, task);
        unstarted.push(task);
      } else {
        started.push(attempt);
        waits.rejectAll(attempt, cancelErrorOf);
      }
    }
    if (started.length > 0) {
      loop.call(() => started.forEach(abortSignal), 0);
      // A manager that shuts down gives all of them one grace of its own (D8).
      if (code !== "shutdown") this.#giveGrace(started);
    }
    for (let i = unstarted.length - 1; i >= 0; i--) {
      const task = unstarted[i];
      if (task === undefined) continue;
      // D4: it may have run in an earlier process, and has no function here.
      if (this.#deps.isParked(task)) this.lose(task, undefined);
      else this.#finish(task, undefined, { how: "unstarted" });
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
      const abandonAll = () => group.toReversed().forEach((attempt) => this.abandon(attempt));
      const grace = new Grace(this.#deps.loop.clock, ms, group.length, abandonAll);
      for (const attempt of group) attempt.grace = grace;
    }
  }

  /** `first` is over: so is everyone above it that waited for nothing else. */
  #ended(first: Task): void {
    const { loop, onEnd } = this.#deps;
    for (let task: Task | undefined = first; task !== undefined; ) {
      const { parent, isAttached, extras: desk }: Task = task;
      task.work = undefined;
      task.context = undefined;
      task.attempt = undefined;
      desk?.deadlines?.cancel();
      desk?.unfollow?.();
      onEnd(task);
      task = undefined;
      if (parent === undefined || !isAttached) continue;
      parent.touch();
      if (parent.family.attached === 0 && parent.state.outcome !== undefined && !parent.isOver) {
        loop.apply(parent, { type: "end" });
        task = parent;
      }
    }
  }
}

class Start extends Delivery {
  readonly #runner: Runner;
  readonly #task: Task;

  constructor(runner: Runner, task: Task) {
    super();
    this.#runner = runner;
    this.#task = task;
  }

  deliver(): void {
    this.#runner.start(this.#task);
  }
}

function thrownBy({ task }: Attempt, error: unknown): Threw {
  const { stop } = task.state;
  return stop === undefined ? threw(error) : threwStopped(error, stop.code);
}

/** The grace holds all that were stopped together: an attempt that is out of it lets go of them. */
function endGrace(attempt: Attempt): void {
  attempt.grace?.settled();
  attempt.grace = undefined;
}

const NOBODY: readonly string[] = Object.freeze([]);
const SILENT = Object.freeze({ how: "silent" });

/** What the children of a task that nobody stopped are cancelled with when it is over. */
function codeOf({ state: { outcome } }: Task): string {
  return outcome?.status === "failed" ? outcome.error.code : "returned";
}
