// Await one: the wait for the end of one task, which most waits are (`result`, `outcome`, `cancel`).
//
// Owns nothing. Called by the awaiter. Calls the watchers, the waits and the notices.

import type { Claims } from "../live/open-wait.js";
import type { Attempt, Task, Watcher } from "../live/task.js";
import { refuseCycles } from "../live/wait-cycles.js";
import { unwatch, watch } from "../live/watchers.js";
import type { Notices } from "../notices/notices.js";
import { OutcomeClaims } from "../notices/outcome-claims.js";
import { outcomeRead } from "../notices/unread.js";
import type { TaskOutcome, Wait } from "../task/record.js";
import { PendingWait, type WaitKeeper } from "../waits/pending-wait.js";
import { keeperOf, type Waits } from "../waits/waits.js";

/** Makes the result of a wait from an outcome. The wait rejects with an error that it throws. */
export type ReadEnd<R> = (outcome: TaskOutcome, task: Task) => R;

/** The wait for the end of one task; it is its own watcher and its own claim, because most waits are of this kind. */
export class EndWait<R> extends PendingWait<R> implements Watcher, Claims {
  readonly #task: Task;
  readonly #query: EndQuery<R>;
  /** The notices of the manager that has the task. */
  readonly #notices: Notices;
  #isOwners = false;

  constructor(keeper: WaitKeeper, notices: Notices, attempt: Attempt | undefined, task: Task, query: EndQuery<R>) {
    super(keeper, attempt);
    this.#notices = notices;
    this.#task = task;
    this.#query = query;
  }

  get waiting(): Task | undefined {
    return this.attempt?.task;
  }

  describe(): Wait {
    return { on: "tasks", taskIds: [this.#task.id] };
  }

  hook(): void {
    watch(this.#task, this);
  }

  protected unhook(): void {
    unwatch(this.#task, this);
  }

  taskEnded(task: Task): void {
    try {
      this.resolve(this.#query.read(outcomeOf(task), task), this);
    } catch (error) {
      this.reject(error, this);
    }
  }

  claim(): void {
    this.#isOwners = this.#notices.isOwners(this.#task, this.attempt, this.#query.sessionId);
    if (this.#isOwners) this.#notices.claim(this.#task);
  }

  commit(): void {
    outcomeRead(this.#task);
    if (!this.#isOwners) return;
    this.#notices.handed(this.#task);
    this.#notices.unclaim(this.#task);
  }

  release(): void {
    if (this.#isOwners) this.#notices.unclaim(this.#task);
  }
}

/** The options of a wait for the end of one task. */
export interface EndQuery<R> {
  /** Makes the result. */
  readonly read: ReadEnd<R>;
  /** Withdraws the wait. */
  readonly signal: AbortSignal | undefined;
  /** The result `late` when `ms` milliseconds pass first. */
  readonly timeout?: { readonly ms: number; readonly late: R } | undefined;
  /** The session through which the caller asked for the task (N2). */
  readonly sessionId: string | undefined;
}

/** Waits for the end of one task of the manager of `waits`, and resolves with the result of `read`. */
export function awaitOne<R>(
  waits: Waits,
  notices: Notices,
  attempt: Attempt | undefined,
  task: Task,
  query: EndQuery<R>,
): Promise<R> {
  const { read, signal, timeout, sessionId } = query;
  const limit = timeout === undefined ? undefined : { ms: timeout.ms, late: () => ({ value: timeout.late }) };
  if (task.isOver) {
    const receiver = { attempt, sessionOf: () => sessionId, noticesOf: () => notices };
    const handing = new OutcomeClaims(receiver, [task]);
    return waits.answer(attempt, () => read(outcomeOf(task), task), { needs: task.endSeq, handing, signal, limit });
  }
  if (timeout?.ms === 0) return Promise.resolve(timeout.late);
  try {
    refuseCycles(attempt, [task]);
  } catch (error) {
    return Promise.reject(error);
  }
  const keeper = keeperOf(attempt, waits);
  const refused = keeper.refusal(attempt, signal);
  if (refused !== undefined) return refused;
  const wait = new EndWait(keeper, notices, attempt, task, query);
  if (keeper !== waits) wait.alsoStoredIn([waits]);
  keeper.begin(wait, signal);
  if (limit !== undefined) wait.limitTo(limit);
  return wait.promise;
}

/** The outcome of a task that is over. */
export function outcomeOf(task: Task): TaskOutcome {
  const { outcome } = task;
  if (outcome === undefined) throw new TypeError(`Task ${task.id} has not ended`);
  return outcome;
}
