// Runner: the life of a task's function, from the slot it was granted to its end.
//
// Starts functions (L9), settles them (C1, H1), abandons them (C2), hands them off (D8), and ends tasks leaf first. It decides
// nothing: each step is a command to the loop. Called by the slots (a grant), by stopping and retrying, and by recovery; what
// follows from the end of a task is in `consequences.ts`.

import type { AsyncResource } from "node:async_hooks";
import { Delivery } from "../events/delivery.js";
import { attachedChildrenOf, attachedDescendantsOf } from "../live/family.js";
import { Attempt, type Task } from "../live/task.js";
import { retriable } from "../task/decide.js";
import { messageOf } from "../task/failure.js";
import type { Work } from "../task/kind-parts.js";
import type { Runtime, TaskOutcome, Wait } from "../task/record.js";
import { type Returned, returned, type Settled, type Threw, threw, threwStopped } from "../task/settled.js";
import type { Output } from "../task/state.js";
import type { StopReason } from "../task/status.js";
import { runInside, runUnowned } from "../waits/ambient.js";
import { cancelErrorOf } from "../waits/attempt-signal.js";
import { overError } from "../waits/waits.js";
import { NO_CHILDREN, Retrying, type RetryingDeps } from "./retrying.js";
import { Stopping, type StoppingDeps } from "./stopping.js";

interface RunnerDeps extends Omit<RetryingDeps, "stopBelow">, Omit<StoppingDeps, "abandon" | "endUnstarted"> {
  readonly runtime: Runtime;
  readonly isAmbient: boolean;
  /** Calls a task's function with the context of its attempt. */
  readonly call: (attempt: Attempt, work: Work) => unknown;
  /** Its function is about to run. */
  readonly onStarted: (task: Task) => void;
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
  /** D9: resolves once it is known who has the id of the task; `undefined`: its start waits for nothing more. */
  readonly claimed: (task: Task) => Promise<void> | undefined;
  /** Its function has returned, and it waits for its children. */
  readonly onReturned: (task: Task) => void;
}

export class Runner {
  readonly #deps: RunnerDeps;
  readonly #unsettled = new Set<Attempt>();

  readonly #stopping: Stopping;
  readonly #retrying: Retrying;

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
    this.#stopping = new Stopping({
      ...deps,
      abandon: (attempt) => this.abandon(attempt),
      // D4: it may have run in an earlier process, and has no function here.
      endUnstarted: (task) => {
        if (deps.isParked(task)) this.lose(task, undefined);
        else this.#finish(task, undefined, { how: "unstarted" });
      },
    });
    this.#retrying = new Retrying({
      ...deps,
      stopBelow: (task, reason) => this.#stopping.stopAll(attachedDescendantsOf(task), "cancel", reason),
    });
  }

  /** See `Stopping.stop`. */
  stop(task: Task, code: StopReason, reason: string): void {
    this.#stopping.stop(task, code, reason);
  }

  /** D8: everything that lives. Tasks that were stopped before keep their reason. */
  shutDown(tasks: readonly Task[]): void {
    this.#stopping.stopAll(tasks, "shutdown", "shutdown");
  }

  /** Functions that were given up and have not ended yet. */
  get abandoned(): number {
    return this.#unsettled.size;
  }

  /** A slot is `task`'s: it comes back from its wait, or its function starts. */
  granted(task: Task): void {
    if (task.isResume && task.attempt !== undefined) return this.#deps.waits.resume(task.attempt);
    const start = () => void this.#deps.loop.deliver(new Start(this, task), task.madeSeq);
    const claimed = this.#deps.claimed(task);
    if (claimed === undefined) start();
    // Never claimed: its manager is closed, and its grace decides.
    else claimed.then(start, () => undefined);
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
      const notBeforeAt = this.#retrying.retryAt(task, settled);
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
    const notBeforeAt = this.#retrying.retryAt(attempt.task, SILENT);
    attempt.phase = "abandoned";
    endGrace(attempt);
    this.#unsettled.add(attempt);
    this.#finish(attempt.task, attempt, SILENT, notBeforeAt);
  }

  /** H1: the function is over, so is its context; the task is over when its attached children are. */
  #finish(task: Task, attempt: Attempt | undefined, settled: Settled, notBeforeAt?: number): void {
    const { loop, slots, waits, staysActive } = this.#deps;
    if (attempt !== undefined && notBeforeAt !== undefined) {
      // Stopped since it was asked whether to try again, it is not.
      const failure = retriable(task.id, task.state, settled);
      if (failure !== undefined) return this.#retrying.retry(attempt, settled, notBeforeAt, failure.code);
    }
    task.extras?.retryDelay?.cancel();
    const isShutDown = task.state.stop?.code === "shutdown" && settled.how !== "returned";
    if (isShutDown && staysActive(task)) return this.#park(task, attempt);
    const isReturn = settled.how === "returned" && task.state.stop === undefined;
    task.extras?.deadlines?.settle();
    const errorOf = () => overError(task.id, isReturn, "its function has settled");
    if (attempt !== undefined && (attempt.isWaiting || loop.hasStore)) waits.rejectAll(attempt, errorOf);
    if (task.extras !== undefined) this.#deps.endCorrespondence(task, "withdraw", errorOf);
    const policy = isReturn ? task.traits.children : "cancel";
    if (policy === "detach") this.#detachChildren(task);
    const living = task.family.attached === 0 ? NO_CHILDREN : Array.from(attachedChildrenOf(task), (child) => child.id);
    loop.apply(task, { type: "settle", id: task.id, attempt: task.state.attempt, settled, living });
    if (attempt?.phase !== "abandoned" || !task.lane.holdAbandoned) slots.release(task.lane, task);
    if (task.isOver) return this.#ended(task);
    this.#deps.onReturned(task);
    // One that was stopped was swept with it, and nothing was spawned under it since (H3).
    if (policy === "cancel" && task.state.stop === undefined)
      this.#stopping.stopAll(attachedDescendantsOf(task), "cancel", codeOf(task));
  }

  /** What ran is over, and its record says nothing of it: the next process goes on with the task. */
  #park(task: Task, attempt: Attempt | undefined): void {
    const { slots, waits, onParked } = this.#deps;
    const errorOf = () => overError(task.id, false, "its manager has shut down");
    task.extras?.deadlines?.cancel();
    task.extras?.unfollow?.();
    if (attempt?.isWaiting) waits.rejectAll(attempt, errorOf);
    if (task.extras !== undefined) this.#deps.endCorrespondence(task, "park", errorOf);
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
    this.#deps.endCorrespondence(task, "withdraw", () => overError(task.id, false, "it ended in another process"));
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
    this.#deps.endCorrespondence(task, "withdraw", () => overError(task.id, false, "its process has ended"));
    this.#deps.loop.apply(task, { type: "lose", id: task.id, process, attemptsUsed });
    this.#ended(task);
  }

  #detachChildren(task: Task): void {
    for (const child of [...attachedChildrenOf(task)]) {
      this.#deps.loop.apply(child, { type: "update", patch: { detached: true } });
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

const SILENT = Object.freeze({ how: "silent" });

/** What the children of a task that nobody stopped are cancelled with when it is over. */
function codeOf({ state: { outcome } }: Task): string {
  return outcome?.status === "failed" ? outcome.error.code : "returned";
}
