// Unread: failures of tasks without a waiting parent that no caller reads (§19).
//
// Owns the failed tasks from their end until a wait, a batch of notices or a tool has given their outcome to a caller.
// A failure that is still unread after `UNREAD_MS`, at the close of its manager or at the exit of the process is logged
// in one line. A failure that is a pending notice stays for its loop until the close. Without a logger nothing is kept.
// Called by the core at each end, and by the readers of outcomes.

import type { Task } from "../live/task.js";
import type { Loop } from "../loop.js";
import { failureInWords } from "../task/failure.js";
import { Alarm } from "../time/clock.js";
import type { GuardedLogger } from "../values/logger.js";
import { cutTo, idInWords } from "../values/safe-read.js";

/** The time in which a caller may still read the outcome, in milliseconds. */
const UNREAD_MS = 5_000;
const MOST_CHARS = 500;

/** The failures of the manager that waits for a reader of the task. */
const keepers = new WeakMap<Task, UnreadFailures>();

/** A caller has received the outcome of `task`. */
export function outcomeRead(task: Task): void {
  if (task.state.status === "failed") keepers.get(task)?.forget(task);
}

/** The unread failures of one manager. */
export class UnreadFailures {
  readonly #loop: Loop;
  readonly #logger: GuardedLogger;
  /** The end of each task on the monotonic clock, oldest first. */
  readonly #since = new Map<Task, number>();
  /** Failures that are still a notice for a loop. */
  readonly #noticed = new Set<Task>();
  #alarm: Alarm | undefined;

  constructor(loop: Loop, logger: GuardedLogger) {
    this.#loop = loop;
    this.#logger = logger;
  }

  /** `task` has ended in this process. */
  ended(task: Task): void {
    if (task.state.status !== "failed" || task.isAttached || !this.#logger.isHeard) return;
    // A listener of `task.failed` is the report.
    if (this.#loop.listeners.has("task.failed")) return;
    const { clock } = this.#loop;
    keepers.set(task, this);
    this.#since.set(task, clock.monotonic());
    this.#alarm ??= new Alarm(clock, UNREAD_MS, this.#reportOld).unref();
    awaitExit(this);
  }

  /** The failure was read: removes the task. */
  forget(task: Task): void {
    keepers.delete(task);
    this.#noticed.delete(task);
    this.#since.delete(task);
    if (this.#since.size === 0) this.#stopIfEmpty();
  }

  #stopIfEmpty(): void {
    this.#alarm?.cancel();
    this.#alarm = undefined;
    if (this.#noticed.size === 0) leaveExit(this);
  }

  readonly #reportOld = (): void => {
    this.#alarm = undefined;
    const { clock, stored } = this.#loop;
    const now = clock.monotonic();
    for (const [task, since] of this.#since) {
      const left = since + UNREAD_MS - now;
      if (left > 0) {
        this.#alarm = new Alarm(clock, left, this.#reportOld).unref();
        return;
      }
      this.#since.delete(task);
      // A failure that is not stored yet moves to the end of the map, like one that has just ended.
      if (task.endSeq > stored.deliverable) this.#since.set(task, now);
      else if (isNoticed(task)) this.#noticed.add(task);
      else this.#report(task);
    }
    this.#stopIfEmpty();
  };

  /** The manager is closed, or the process exits: no caller reads from now on. */
  close(): void {
    for (const task of [...this.#since.keys(), ...this.#noticed]) {
      this.forget(task);
      // The next process that opens the store reports what this one does not.
      if (!(isNoticed(task) && this.#loop.hasStore)) this.#report(task);
    }
    this.#logger.flush();
  }

  #report(task: Task): void {
    keepers.delete(task);
    const { ending, details } = task.state;
    if (ending?.status !== "failed") return;
    const { error } = ending;
    const name = details.title === undefined ? idInWords(task.id) : `${idInWords(task.id)} (${details.title})`;
    // The thrower chose the text: control characters are replaced, so the log has one line.
    const text = `Task ${name} failed (${error.code}), and no caller has read its outcome: ${failureInWords(error)}`;
    // A literal would be compiled at import: see `lib/model/prompt/visible.ts`.
    const control = new RegExp(String.raw`\p{Cc}+`, "gu");
    this.#logger.warn(cutTo(text.replaceAll(control, " "), MOST_CHARS), {
      taskId: task.id,
      error: error.cause ?? error,
    });
  }
}

function isNoticed({ noticed }: Task): boolean {
  return noticed !== undefined && noticed.ends.length > 0;
}

/** The managers with unread failures. A program that only spawns ends before any alarm, so its exit reports them. */
const unread = new Set<UnreadFailures>();

function awaitExit(failures: UnreadFailures): void {
  if (unread.size === 0) process.once("exit", reportAll);
  unread.add(failures);
}

function leaveExit(failures: UnreadFailures): void {
  if (unread.delete(failures) && unread.size === 0) process.off("exit", reportAll);
}

function reportAll(): void {
  for (const failures of [...unread]) failures.close();
}
