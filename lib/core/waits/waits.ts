// Waits: a task that waits lends its slot (L2).
//
// Owns the pending waits of each attempt and the way back to a slot. A task wants a slot exactly while its function is
// unfinished and it has no pending wait: the first wait to begin gives the slot back (or the place in line for one),
// the last one to end returns when the task has a slot again. A wait is decided once, and its value is fixed then (C6).
// A stop rejects all waits of a task in its own turn (C3). A wait outside every task uses no slot, and ends with the
// manager at the latest (D8).

import type { Held } from "../events/held-deliveries.js";
import { rankOf, type Slots } from "../lanes/slots.js";
import type { Claims, Limit, OpenWait } from "../live/open-wait.js";
import type { Attempt, Run, Task } from "../live/task.js";
import type { Loop } from "../loop.js";
import { ManagerClosedError, ScopeCancelledError, TaskTerminatedError } from "../task/errors.js";
import type { Wait } from "../task/record.js";
import { MOST_REPORTED, reported } from "../task/wait.js";
import type { Timekeeper } from "../time/clock.js";
import { nextTurn } from "../time/turn.js";
import { follow, reasonOf } from "../values/abort-signal.js";
import { handled } from "../values/handled.js";
import { cancelErrorOf } from "./attempt-signal.js";
import { Answer, ArrangedWait, type Pending, type Settlement, type StoredIn, type WaitKeeper } from "./pending-wait.js";

/** Options of every wait. */
export interface WaitOptions {
  /** Aborting it ends the wait, which rejects with the reason of the signal. The awaited task continues. */
  signal?: AbortSignal | undefined;
}

/** The waits of one manager. */
export class Waits implements WaitKeeper, StoredIn {
  /** The clock of the manager. */
  readonly clock: Timekeeper;
  readonly #loop: Loop;
  readonly #slots: Slots<Run>;
  /** Waits outside tasks that may wait for something that outlives the manager, such as the store of another one. */
  readonly #ofNobody = new Set<Pending>();
  /** Decided waits that are held until the store has the facts which they report (D1). A stop ends these too (C3). */
  readonly #held = new WeakMap<Attempt, Set<Pending>>();
  /** Whether a wait was ever held: most managers have no store, and look into no map. */
  #hasHeld = false;

  constructor(loop: Loop, slots: Slots<Run>) {
    this.clock = loop.clock;
    this.#loop = loop;
    this.#slots = slots;
  }

  /** Whether the manager has a store. */
  get hasStore(): boolean {
    return this.#loop.hasStore;
  }

  /** Why a new wait is refused, as a rejected promise. `undefined`: the wait may begin. */
  refusal(attempt: Attempt | undefined, signal: AbortSignal | undefined): Promise<never> | undefined {
    if (attempt !== undefined) {
      // An abandoned function stays at its next wait for ever: it can neither continue nor fail a task (C3).
      if (attempt.phase === "abandoned") {
        // The function does no more work. A lane that kept its slot for it (`holdAbandoned`) gets the slot back.
        this.#slots.release(attempt.task.lane, attempt.holder);
        return new Promise<never>(() => {});
      }
      if (attempt.phase === "settled") return handled(Promise.reject(closedError(attempt, "it cannot wait")));
      if (attempt.task.state.stop !== undefined) return rejectLater(cancelErrorOf(attempt));
    } else if (this.#loop.phase.hasNoTask) return Promise.reject(waitsForNothing());
    return signal?.aborted ? Promise.reject(reasonOf(signal)) : undefined;
  }

  /** The refusal of a wait of `waiter` on the questions or messages of the task of `attempt`. */
  refusalThrough(
    attempt: Attempt,
    waiter: Attempt | undefined,
    signal: AbortSignal | undefined,
  ): Promise<never> | undefined {
    const refused = keeperOf(waiter, this).refusal(waiter, signal);
    if (refused !== undefined || waiter === attempt) return refused;
    // The cancel of another task is not a cancel of the waiter (C4), and the end of that task is no reason to wait for
    // ever.
    if (attempt.phase === "open" && attempt.task.state.stop === undefined) return undefined;
    return handled(Promise.reject(closedError(attempt, "it asks and receives nothing")));
  }

  /**
   * Begins a wait whose source is given as closures. `arrange` attaches it, and returns a function that detaches it.
   */
  open<T>(
    attempt: Attempt | undefined,
    describe: () => Wait,
    signal: AbortSignal | undefined,
    arrange: (wait: OpenWait<T>) => () => void,
    { limit, homes }: { readonly limit?: Limit<T> | undefined; readonly homes?: StoredIn[] | undefined } = {},
  ): Promise<T> {
    const refused = this.refusal(attempt, signal);
    if (refused !== undefined) return refused;
    const wait = new ArrangedWait<T>(this, attempt, describe, arrange);
    if (homes !== undefined) wait.alsoStoredIn(homes);
    if (attempt === undefined) this.#ofNobody.add(wait);
    this.begin(wait, signal);
    if (limit !== undefined) wait.limitTo(limit);
    return wait.promise;
  }

  /** Begins a wait: follows the signal, lends the slot of the task, and attaches the wait to its source. */
  begin(wait: Pending, signal: AbortSignal | undefined): void {
    // Without a store every task ends with its manager, and so does every wait for one.
    if (wait.attempt === undefined && this.#loop.hasStore) this.#ofNobody.add(wait);
    if (signal !== undefined) wait.unfollow = follow(signal, () => wait.abort(reasonOf(signal)));
    if (wait.attempt !== undefined) this.#lend(wait.attempt, wait);
    wait.hook();
  }

  /**
   * The promise of an answer that is known at the call. It is no wait (L2), and is delivered when the facts up to
   * `needs` are stored (D1). The signal and the limit of the caller end it before that (W2), and so does a stop of the
   * caller (C3).
   */
  answer<T>(attempt: Attempt | undefined, read: () => T, options: AnswerOptions<T>): Promise<T> {
    const { needs, handing, signal, limit, homes } = options;
    if (needs <= this.#loop.stored.deliverable && homes === undefined) return givenNow(read, handing);
    if (signal?.aborted) {
      handing?.release();
      return Promise.reject(reasonOf(signal));
    }
    if (limit?.ms === 0) {
      handing?.release();
      const late = limit.late();
      return givenNow(() => late.value, late.handing);
    }
    const keeper = keeperOf(attempt, this);
    const answer = new Answer<T>(keeper, attempt);
    if (homes !== undefined) answer.alsoStoredIn(homes);
    answer.known(given(read), handing);
    const held = this.#loop.deliver(answer, needs);
    if (held !== undefined) {
      if (attempt === undefined) this.#hold(answer, held);
      else keeper.remember(answer, held);
    }
    if (signal !== undefined) answer.unfollow = follow(signal, () => answer.abort(reasonOf(signal)));
    if (limit !== undefined) answer.limitTo(limit);
    return answer.promise;
  }

  /**
   * The promise of a write that was dropped: it rejects (S2). The caller counts the write of a function that has ended.
   */
  dropped(attempt: Attempt): Promise<never> {
    return rejectLater(closedError(attempt, "nothing that it writes is stored"));
  }

  /** Whether the end of a task of this manager is stored. */
  hasStored(task: Task): boolean {
    return task.endSeq <= this.#loop.stored.deliverable;
  }

  /** `seq` of the newest fact of this manager. */
  get seq(): number {
    return this.#loop.seq;
  }

  /**
   * Holds the delivery of a wait until this manager has stored the facts it has by now. `undefined`: they are stored.
   */
  deliverWhenStored(wait: Pending): Held | undefined {
    const { seq, stored } = this.#loop;
    return seq <= stored.deliverable ? undefined : this.#loop.deliver(wait, seq);
  }

  /** Records that a pending wait of the attempt changed what it waits for. */
  changed(attempt: Attempt): void {
    if (attempt.pending !== undefined && attempt.pending.size > 0) this.#block(attempt);
  }

  #lend(attempt: Attempt, wait: Pending): void {
    const { task, run, returning } = attempt;
    attempt.pending ??= new Set();
    attempt.pending.add(wait);
    attempt.returning = undefined;
    // A wait that the record does not list changes nothing in it (D6).
    if (attempt.pending.size <= MOST_REPORTED) this.#block(attempt);
    this.#slots.leave(task.lane, run);
    this.#slots.release(task.lane, run);
    if (returning !== undefined) this.#deliver(returning);
  }

  /** Records that a wait is decided. It is delivered now, or when its task has a slot again. */
  over(wait: Pending): void {
    const { attempt } = wait;
    if (attempt === undefined) this.#ofNobody.delete(wait);
    if (attempt?.pending === undefined || !attempt.pending.has(wait)) {
      this.#deliver(wait);
      return;
    }
    const isListed = attempt.pending.size > 1 && [...reported(attempt.pending)].includes(wait);
    attempt.pending.delete(wait);
    if (attempt.pending.size > 0) {
      if (isListed) this.#block(attempt);
      this.#deliver(wait);
      return;
    }
    attempt.returning = wait;
    const { task, run } = attempt;
    this.#slots.enter(task.lane, run, rankOf(task.lane, task.traits.priority, true, this.clock.monotonic()));
    // The slot was not granted in the call: the record shows the wait for it.
    if (attempt.returning !== undefined) this.#block(attempt);
  }

  /** The task has its slot again: its last wait returns. */
  resume(attempt: Attempt): void {
    const { returning } = attempt;
    attempt.returning = undefined;
    this.#loop.apply(attempt.task, { type: "resume", attempt: attempt.number });
    attempt.task.extras?.deadlines?.run();
    if (returning !== undefined) this.#deliver(returning);
  }

  /** Rejects every wait of the attempt, a returning one too: the attempt was stopped, or its function has ended. */
  rejectAll(attempt: Attempt, errorOf: (attempt: Attempt) => Error): void {
    const held = this.#hasHeld ? this.#held.get(attempt) : undefined;
    if (held !== undefined) this.#held.delete(attempt);
    if (!attempt.isWaiting && held === undefined) return;
    const waits = [...(attempt.pending ?? NO_PENDING), ...(held ?? NO_PENDING)];
    if (attempt.returning !== undefined) waits.push(attempt.returning);
    attempt.pending = undefined;
    attempt.returning = undefined;
    this.#slots.leave(attempt.task.lane, attempt.run);
    const error = errorOf(attempt);
    for (const wait of waits) wait.withdraw(error);
  }

  /**
   * Rejects the waits outside tasks. The tasks of this manager have ended; these waits are for tasks of another
   * manager, or for other code (D8).
   */
  close(): void {
    for (const wait of [...this.#ofNobody]) wait.withdraw(waitsForNothing());
  }

  #deliver(wait: Pending): void {
    const held = this.#loop.deliver(wait, wait.tells ? this.#loop.seq : 0);
    if (held !== undefined) this.#hold(wait, held);
  }

  /**
   * Records that a wait is held for the store of another manager. A wait outside tasks ends with its own manager, which
   * does not know when that store has the facts (D8).
   */
  remember(wait: Pending, held: Held): void {
    this.#hold(wait, held);
    if (wait.attempt !== undefined) return;
    if (this.#loop.phase.hasNoTask) wait.withdraw(waitsForNothing());
    else this.#ofNobody.add(wait);
  }

  /** Records that a wait is held for a store. */
  #hold(wait: Pending, held: Held): void {
    wait.hold(held);
    const { attempt } = wait;
    if (attempt === undefined) return;
    this.#hasHeld = true;
    const known = this.#held.get(attempt);
    if (known === undefined) this.#held.set(attempt, new Set([wait]));
    else known.add(wait);
  }

  /** Records that a held wait was delivered. */
  delivered(wait: Pending): void {
    if (wait.attempt === undefined) this.#ofNobody.delete(wait);
    else this.#held.get(wait.attempt)?.delete(wait);
  }

  #block(attempt: Attempt): void {
    this.#loop.apply(attempt.task, { type: "block", attempt: attempt.number, blockedOn: attempt });
    attempt.task.extras?.deadlines?.hold();
  }
}

const NO_PENDING: readonly Pending[] = Object.freeze([]);

interface AnswerOptions<T> {
  /** `seq` of the newest fact that the answer reports. */
  readonly needs: number;
  readonly handing?: Claims | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly limit?: Limit<T> | undefined;
  /** The other managers whose facts the answer reports. */
  readonly homes?: StoredIn[] | undefined;
}

function givenNow<T>(read: () => T, handing: Claims | undefined): Promise<T> {
  handing?.claim();
  handing?.commit();
  return new Promise((resolve) => resolve(read()));
}

function given<T>(read: () => T): Settlement<T> {
  try {
    return { value: read() };
  } catch (error) {
    return { error };
  }
}

/**
 * The keeper of the wait of a call: the manager of the task whose code made the call, else the manager that was called.
 */
export function keeperOf(attempt: Attempt | undefined, called: Waits): WaitKeeper {
  return attempt?.waits ?? called;
}

/** The error of a call through a context whose function has ended. */
export function closedError(attempt: Attempt, refused: string): Error {
  return overError(attempt.task.id, attempt.hasReturned, refused);
}

/** The error of a call after the end of a function: it returned, or it was stopped or failed. */
export function overError(taskId: string, hasReturned: boolean, refused: string): Error {
  return hasReturned ? new TaskTerminatedError(taskId, refused) : new ScopeCancelledError(taskId, refused);
}

/** Rejects in a later macrotask, so that a loop that swallows the error cannot freeze the process (C3). */
function rejectLater(error: Error): Promise<never> {
  const promise = new Promise<never>((_, reject) => {
    nextTurn(() => {
      reject(error);
    });
  });
  return handled(promise);
}

function waitsForNothing(): ManagerClosedError {
  return new ManagerClosedError("it waits for nothing");
}
