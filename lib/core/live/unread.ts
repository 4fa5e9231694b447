// Unread: the failures of roots that no caller reads (§19).
//
// Owns the failed tasks that no parent waits for, from their end until a wait, a batch of notices or a tool has given their outcome to a caller.
// One that is still unread after `UNREAD_MS`, at the close of its manager or at the exit of the process gives one line of the logger. A failure
// that is a pending notice is left to its loop until the close. Without a logger, and for every task that does not fail, this room does nothing.

import { failureInWords } from "../task/failure.js";
import { Alarm, type Timekeeper } from "../time/clock.js";
import type { GuardedLogger } from "../values/logger.js";
import { cutTo, idInWords } from "../values/safe-read.js";
import type { Task } from "./task.js";

/** Time for a caller that reads a little later. */
const UNREAD_MS = 5_000;
const MOST_SAID = 500;

/** The room that waits for a reader of each. */
const keepers = new WeakMap<Task, UnreadFailures>();

/** A caller was given how `task` ended. */
export function outcomeRead(task: Task): void {
  if (task.state.status === "failed") keepers.get(task)?.forget(task);
}

interface UnreadDeps {
  readonly clock: Timekeeper;
  readonly logger: GuardedLogger;
  /** A listener of `task.failed` hears of each: it is the caller's report. */
  readonly isHeard: () => boolean;
  /** The end of the task is stored: callers receive it from then on. */
  readonly hasStored: (task: Task) => boolean;
  /** There is a store: what is not reported now, the next process reports. */
  readonly hasStore: () => boolean;
}

export class UnreadFailures {
  readonly #deps: UnreadDeps;
  /** When each ended, on the monotonic clock; the oldest first. */
  readonly #since = new Map<Task, number>();
  /** Failures that are still a notice for a loop. */
  readonly #noticed = new Set<Task>();
  #alarm: Alarm | undefined;

  constructor(deps: UnreadDeps) {
    this.#deps = deps;
  }

  /** `task` has ended in this process. */
  ended(task: Task): void {
    const { clock, logger, isHeard } = this.#deps;
    if (task.state.status !== "failed" || task.isAttached || !logger.isHeard || isHeard()) return;
    keepers.set(task, this);
    this.#since.set(task, clock.monotonic());
    this.#alarm ??= new Alarm(clock, UNREAD_MS, this.#look).unref();
    awaitExit(this);
  }

  forget(task: Task): void {
    keepers.delete(task);
    this.#noticed.delete(task);
    this.#since.delete(task);
    if (this.#since.size === 0) this.#rest();
  }

  #rest(): void {
    this.#alarm?.cancel();
    this.#alarm = undefined;
    if (this.#noticed.size === 0) leaveExit(this);
  }

  readonly #look = (): void => {
    this.#alarm = undefined;
    const now = this.#deps.clock.monotonic();
    for (const [task, since] of this.#since) {
      const left = since + UNREAD_MS - now;
      if (left > 0) {
        this.#alarm = new Alarm(this.#deps.clock, left, this.#look).unref();
        return;
      }
      this.#since.delete(task);
      // At the end of the map, where this loop comes to it as to one that has just ended.
      if (!this.#deps.hasStored(task)) this.#since.set(task, now);
      else if (isNoticed(task)) this.#noticed.add(task);
      else this.#report(task);
    }
    this.#rest();
  };

  /** No caller reads from now on: the manager is closed, or the process exits. */
  close(): void {
    for (const task of [...this.#since.keys(), ...this.#noticed]) {
      this.forget(task);
      if (!(isNoticed(task) && this.#deps.hasStore())) this.#report(task);
    }
    this.#deps.logger.flush();
  }

  #report(task: Task): void {
    keepers.delete(task);
    const { outcome, details } = task.state;
    if (outcome?.status !== "failed") return;
    const { error } = outcome;
    const name = details.title === undefined ? idInWords(task.id) : `${idInWords(task.id)} (${details.title})`;
    // On one line: whoever threw it chose the text.
    const words = `Task ${name} failed (${error.code}), and no caller has read its outcome: ${failureInWords(error)}`;
    this.#deps.logger.warn(cutTo(words.replaceAll(/\p{Cc}+/gu, " "), MOST_SAID), {
      taskId: task.id,
      error: error.cause ?? error,
    });
  }
}

function isNoticed({ noticed }: Task): boolean {
  return noticed !== undefined && noticed.ends.length > 0;
}

/** Managers with failures that no caller has read: a program that only spawns ends before any alarm. */
const unread = new Set<UnreadFailures>();

function awaitExit(room: UnreadFailures): void {
  if (unread.size === 0) process.once("exit", reportAll);
  unread.add(room);
}

function leaveExit(room: UnreadFailures): void {
  if (unread.delete(room) && unread.size === 0) process.off("exit", reportAll);
}

function reportAll(): void {
  for (const room of [...unread]) room.close();
}
