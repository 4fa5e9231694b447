// Runner: the life of a task's function, from its granted slot to its end.
//
// Owns the abandoned functions that have not settled. Starts functions (L9), settles them (C1, H1), abandons them (C2),
// leaves them for the next process (D8), and ends tasks leaf first. The runner decides nothing: each step is a command
// to the loop. Called by the slots (a grant), by stopping and retrying, and by recovery. Follow-up work of an end is in
// `consequences.ts`.

import type { Messages } from "../inbox/messages.js";
import { attachedChildrenOf, attachedDescendantsOf } from "../live/family.js";
import { AttemptOf, type Starter } from "../live/run.js";
import type { Attempt, Run, Task } from "../live/task.js";
import type { Command } from "../task/commands.js";
import { retriable } from "../task/decide.js";
import type { Ending } from "../task/ending.js";
import { thrownInWords } from "../task/failure.js";
import type { Work } from "../task/kind-parts.js";
import { limitMsOf } from "../task/limit-failure.js";
import type { Runtime, Wait } from "../task/record.js";
import { type Returned, returned, type Settled, type Threw, threw, threwStopped } from "../task/settled.js";
import type { Output } from "../task/state.js";
import type { StopReason } from "../task/status.js";
import { runInside, runUnowned } from "../waits/ambient.js";
import { cancelErrorOf } from "../waits/attempt-signal.js";
import { overError } from "../waits/waits.js";
import type { Handoff } from "./handoff.js";
import { NO_CHILDREN, Retrying, type RetryingDeps } from "./retrying.js";
import { Stopping, type StoppingDeps } from "./stopping.js";

interface RunnerDeps extends RetryingDeps, StoppingDeps {
  readonly runtime: Runtime;
  readonly isAmbient: boolean;
  /** Calls a task's function with the context of its attempt. */
  call(attempt: Attempt, work: Work): unknown;
  readonly messages: Messages;
  readonly handoff: Handoff;
  /** The ids that this process shares with others; `undefined`: it shares none. */
  readonly standbys: StartIds | undefined;
  /** A task was stopped whose work outside an earlier attempt has left: its kind may have to clean it up (D4). */
  windDown(task: Task): void;
  readonly consequences: {
    /** Called once for each task that has ended, inside the call that ended it. */
    endedHere(task: Task): void;
  };
}

/** The part of the shared ids of several processes that a start needs (D9). */
interface StartIds {
  /** Resolves once the claim of the task's id is decided; `undefined`: the start waits for nothing more. */
  claimed(task: Task): Promise<void> | undefined;
}

/** Runs the functions of one manager's tasks. */
export class Runner implements Starter<Task> {
  readonly #deps: RunnerDeps;
  readonly #unsettled = new Set<Attempt>();
  /** The command that starts an attempt in this process; all attempts share it. */
  readonly #startCommand: Command;
  readonly #stopping: Stopping;
  readonly #retrying: Retrying;

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
    this.#startCommand = Object.freeze({ type: "start", runtime: deps.runtime });
    this.#stopping = new Stopping(deps, this);
    this.#retrying = new Retrying(deps, (task, reason) =>
      this.#stopping.stopAll(attachedDescendantsOf(task), "cancel", reason),
    );
  }

  /**
   * A task ends that was stopped before it started. It may have run in an earlier process, and has no function here
   * (D4).
   */
  endUnstarted(task: Task): void {
    if (this.#deps.handoff.has(task)) this.lose(task, undefined);
    else this.#finish(task, undefined, { how: "unstarted" });
  }

  /** See `Stopping.stop`. */
  stop(task: Task, code: StopReason, reason: string): void {
    this.#stopping.stop(task, code, reason);
  }

  /** Stops all living tasks. A task that was stopped before keeps its reason (D8). */
  shutDown(tasks: readonly Task[]): void {
    this.#stopping.stopAll(tasks, "shutdown", "shutdown");
  }

  /** The number of abandoned functions that have not settled. */
  get abandoned(): number {
    return this.#unsettled.size;
  }

  /** The task has got a slot: its wait returns, or its function starts. */
  granted(run: Run): void {
    const { task, attempt } = run;
    if (attempt !== undefined) return this.#deps.waits.resume(attempt);
    const claimed = this.#deps.standbys?.claimed(task);
    if (claimed === undefined) this.#deps.loop.deliver(run, task.madeSeq);
    // The claim failed because the manager is closed: its grace time ends the task.
    else
      claimed.then(
        () => this.#deps.loop.deliver(run, task.madeSeq),
        () => undefined,
      );
  }

  /** Calls the function, unless the task was stopped, or its lane was paused, since the grant. */
  start(run: Run): void {
    const { loop, slots, waits } = this.#deps;
    const { task } = run;
    // The task has ended, or was stopped and waits only for its children: its slot is released.
    if (task.run !== run || task.state.stop !== undefined) return;
    // A slot that was taken back and granted again delivers the start once more.
    if (task.state.status !== "queued") return;
    // The lane got other bounds: the task stands in line again (L10).
    if (!run.holdsSlot) return;
    if (task.lane.paused) return slots.putBack(task.lane, run);
    const isRetry = task.state.details.notBeforeAt !== undefined;
    const { isLeft } = task.state.details;
    if (loop.apply(task, this.#startCommand) !== undefined) return;
    const attempt = new AttemptOf<Task>(run, loop.seq, isRetry, waits);
    run.attempt = attempt;
    if (task.extras?.startsStored) this.#runOnceStored(attempt, isLeft);
    else this.#run(attempt);
  }

  /**
   * Runs the function once its start is stored. A function that ends its process at once would otherwise leave no trace
   * of its start, and would start again in every process (D4). A function that is stopped before that is never called,
   * so the work that an earlier attempt has left outside is wound down here.
   */
  #runOnceStored(attempt: Attempt, isLeft: boolean): void {
    const { loop, handoff } = this.#deps;
    const run = () => {
      const isStopped = attempt.phase !== "open" || attempt.stop !== undefined;
      if (isStopped) this.#settled(attempt, thrownBy(attempt, cancelErrorOf(attempt)));
      else this.#run(attempt);
      // The next process resumes the task when this one leaves it.
      if (isStopped && isLeft && !handoff.has(attempt.task)) this.#deps.windDown(attempt.task);
      loop.drain();
    };
    // The start is never stored when the manager closes: the grace then ends the attempt.
    loop.stored.until(loop.seq).then(run, () => undefined);
  }

  #run(attempt: Attempt): void {
    const { isAmbient, slots } = this.#deps;
    const { task, run } = attempt;
    const { work } = run;
    // L7: the rate counts calls of functions, and no start whose function is not called yet.
    slots.started(task.lane, run);
    task.extras?.deadlines?.run();
    if (task.extras !== undefined) this.#deps.messages.started(task);
    let value: unknown;
    try {
      value = run.runInAsyncScope(isAmbient ? runInside : runUnowned, undefined, attempt, work, this.#deps);
      if ((typeof value === "object" && value !== null) || typeof value === "function") {
        // `Promise.resolve` calls the `then` of any thenable once. The result is read in the callback itself: reading
        // may run user code, which may stop the task while the attempt is open (H1, S5).
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

  /** Runs at the top of a microtask, so the deliveries follow immediately. */
  #settledLater(attempt: Attempt, settled: Returned | Threw): void {
    const { loop } = this.#deps;
    loop.holdDrain();
    try {
      this.#settled(attempt, settled);
    } finally {
      loop.drain();
    }
  }

  #settled(attempt: Attempt, settled: Returned | Threw): void {
    const { task } = attempt;
    if (attempt.phase === "open") {
      // `retryIf` is user code and may stop the task, so it runs while the attempt is open.
      const notBeforeAt = this.#retrying.retryAt(task, settled);
      attempt.phase = "settled";
      endGrace(attempt);
      this.#finish(task, attempt, settled, notBeforeAt);
      return;
    }
    // The attempt was settled before: a foreign thenable called back twice.
    if (!this.#unsettled.delete(attempt)) return;
    this.#deps.slots.release(task.lane, attempt.holder);
    const message = settled.how === "threw" ? { message: thrownInWords(settled.error) } : {};
    this.#deps.loop.apply(task, { type: "lateSettle", attempt: attempt.number, settled: settled.how, ...message });
  }

  /** The grace is over and the function has not settled: the attempt ends without it (C2). */
  abandon(attempt: Attempt): void {
    if (attempt.phase !== "open") return;
    const notBeforeAt = this.#retrying.retryAt(attempt.task, SILENT);
    attempt.phase = "abandoned";
    endGrace(attempt);
    this.#unsettled.add(attempt);
    this.#finish(attempt.task, attempt, SILENT, notBeforeAt);
  }

  /** The function and its context are over. The task ends now or with its last attached child (H1). */
  #finish(task: Task, attempt: Attempt | undefined, settled: Settled, notBeforeAt?: number): void {
    const { loop, slots, waits, handoff } = this.#deps;
    if (attempt !== undefined && notBeforeAt !== undefined) {
      // A stop since the answer of `retryIf` leaves no failure to retry.
      const failure = retriable(task.state, settled, limitMsOf(task));
      if (failure !== undefined) return this.#retrying.retry(attempt, settled, notBeforeAt, failure.code);
    }
    task.extras?.retryDelay?.cancel();
    const isShutDown = task.state.stop?.code === "shutdown" && settled.how !== "returned";
    if (isShutDown && this.staysActive(task)) return this.#handOff(task, attempt);
    const isReturn = settled.how === "returned" && task.state.stop === undefined;
    task.extras?.deadlines?.settle();
    if (attempt !== undefined && (attempt.isWaiting || loop.hasStore))
      waits.rejectAll(attempt, () => settledError(task, isReturn));
    if (task.extras !== undefined) this.#endCorrespondence(task, () => settledError(task, isReturn));
    const policy = isReturn ? task.traits.children : "cancel";
    if (policy === "detach") this.#detachChildren(task);
    const living = task.family.attached === 0 ? NO_CHILDREN : Array.from(attachedChildrenOf(task), (child) => child.id);
    const limitMs = limitMsOf(task);
    loop.apply(task, { type: "settle", attempt: task.state.attempt, settled, living, limitMs });
    const { run } = task;
    if (run !== undefined && (attempt?.phase !== "abandoned" || !task.lane.holdAbandoned))
      slots.release(task.lane, run);
    if (task.isOver) return this.#ended(task);
    handoff.handOffReturned(task);
    // A stop has already reached the tasks below, and nothing was spawned there since (H3).
    if (policy === "cancel" && task.state.stop === undefined)
      this.#stopping.stopAll(attachedDescendantsOf(task), "cancel", codeOf(task));
  }

  /** The function is over and the record does not say so: the next process resumes the task. */
  #handOff(task: Task, attempt: Attempt | undefined): void {
    const { slots, waits, requests, handoff } = this.#deps;
    const errorOf = () => overError(task.id, false, "its manager has shut down");
    task.extras?.deadlines?.cancel();
    task.extras?.unfollow?.();
    if (attempt?.isWaiting) waits.rejectAll(attempt, errorOf);
    if (task.extras !== undefined) {
      requests.cancelExpiry(task);
      task.extras.mailbox?.close(errorOf);
    }
    if (task.run !== undefined) slots.release(task.lane, task.run);
    task.run = undefined;
    handoff.handOff(task);
  }

  /**
   * Another process has the id, so the task does not start here: it leaves the line and releases a granted slot (D9).
   */
  standBy(task: Task, wait: Wait): void {
    this.#withdraw(task);
    this.#deps.loop.apply(task, { type: "park", blockedOn: Object.freeze([wait]) });
  }

  /** The task never started here: another process did its work, which ended as `ending` says (D9). */
  deliver(task: Task, ending: Ending, output: Output | undefined): void {
    if (task.isOver) return;
    this.#withdraw(task);
    this.#endCorrespondence(task, () => overError(task.id, false, "it ended in another process"));
    if (this.#deps.loop.apply(task, { type: "deliver", ending, output }) === undefined) this.#ended(task);
  }

  #withdraw(task: Task): void {
    task.extras?.retryDelay?.cancel();
    if (task.run === undefined) return;
    this.#deps.slots.leave(task.lane, task.run);
    this.#deps.slots.release(task.lane, task.run);
  }

  /** The process that ran the task has ended. A task that has returned ends with the last of its children (D4). */
  lose(task: Task, process: Runtime | undefined, attemptsUsed?: number): void {
    if (task.isOver || (task.state.ending !== undefined && task.family.attached > 0)) return;
    this.#endCorrespondence(task, () => overError(task.id, false, "its process has ended"));
    this.#deps.loop.apply(task, { type: "lose", process, attemptsUsed, limitMs: limitMsOf(task) });
    this.#ended(task);
  }

  /** Whether the next process may resume the task when this manager shuts down (D8). */
  staysActive(task: Task): boolean {
    return this.#deps.loop.hasStore && this.#deps.kinds.canResume(task);
  }

  /** The function is over: its open questions are withdrawn, and it receives no more messages. */
  #endCorrespondence(task: Task, errorOf: () => Error): void {
    if (task.extras === undefined) return;
    this.#deps.requests.withdraw(task);
    task.extras.mailbox?.close(errorOf);
  }

  #detachChildren(task: Task): void {
    for (const child of [...attachedChildrenOf(task)]) {
      this.#deps.loop.apply(child, { type: "update", patch: { detached: true } });
    }
  }

  /** The task has ended: so does each ancestor that waited only for it. */
  #ended(first: Task): void {
    const { loop, consequences } = this.#deps;
    for (let task: Task | undefined = first; task !== undefined; ) {
      const { parent, isAttached, extras }: Task = task;
      task.run = undefined;
      extras?.deadlines?.cancel();
      extras?.unfollow?.();
      consequences.endedHere(task);
      task = undefined;
      if (parent === undefined || !isAttached) continue;
      parent.touch();
      if (parent.family.attached === 0 && parent.state.ending !== undefined && !parent.isOver) {
        loop.apply(parent, { type: "end" });
        task = parent;
      }
    }
  }
}

/** The error of what a function still waits for, or is asked, after its end. */
function settledError({ id }: Task, isReturn: boolean): Error {
  return overError(id, isReturn, "its function has settled");
}

function thrownBy({ task }: Attempt, error: unknown): Threw {
  const { stop } = task.state;
  return stop === undefined ? threw(error) : threwStopped(error, stop.code);
}

/** The attempt leaves the grace that it shares with the attempts that were stopped together with it. */
function endGrace(attempt: Attempt): void {
  attempt.grace?.settled();
  attempt.grace = undefined;
}

const SILENT = Object.freeze({ how: "silent" });

/** The reason of the cancel of the children when their parent is over and was not stopped. */
function codeOf({ state: { ending } }: Task): string {
  return ending?.status === "failed" ? ending.error.code : "returned";
}
