// Handle: what `spawn` returns. Reads, awaits and cancels one task, and owns no state of its own.

import type { Core } from "../core/core.js";
import { NO_OUTPUT, type OutputChunk } from "../core/live/output-ring.js";
import type { Task } from "../core/live/task.js";
import { ManagerClosedError, TaskNotFoundError, TaskOutcomeError } from "../core/task/errors.js";
import type { TaskEvent } from "../core/task/events.js";
import type { Content, Message, SendOptions } from "../core/task/message.js";
import type { TaskOutcome, TaskRecord, Usage } from "../core/task/record.js";
import type { TaskStatus } from "../core/task/status.js";
import { checkCount, checkMs, checkOptions, checkSignal, checkText, show } from "../core/values/checks.js";
import { Brand } from "../core/values/copies.js";
import { handled } from "../core/values/handled.js";
import type { WaitOptions } from "../core/waits/waits.js";

/** Reads, awaits and cancels one task. Owns no state, outlives eviction, is never thenable: `await handle` gives the handle. */
export interface TaskHandle<out T = unknown> {
  readonly id: string;
  readonly status: TaskStatus;
  /** The newest snapshot. */
  readonly record: TaskRecord;
  /**
   * The value. Rejects with `TaskOutcomeError` if the task did not succeed, which is no AbortError. Lazy: unread, it never rejects.
   * Inside a task it lends the slot; a wait that could never end is `AwaitCycleError`.
   *
   * Rejects with `OutputLostError` if an earlier process stored the value and it is gone, or cannot be read: it never resolves with `undefined` instead.
   */
  result(options?: WaitOptions): Promise<T>;
  /**
   * How it ended; never rejects for that. Of a task whose stored value is lost it is `succeeded` with `outputLost`, and reading `value` throws
   * `OutputLostError`; the same holds for the outcomes of every other wait.
   */
  outcome(options?: WaitOptions & { timeoutMs?: undefined }): Promise<TaskOutcome<T>>;
  /** `undefined` when `timeoutMs` passes first: the same work goes on in the background. */
  outcome(options: WaitOptions & { timeoutMs?: number | undefined }): Promise<TaskOutcome<T> | undefined>;
  /** Resolves when the spawn, or the newest attempt, is durable; at once without a store. Not a wait: keeps the slot. */
  stored(): Promise<void>;
  /** The newest `limit` after the message id `after`, oldest first. Default, and after an id that is not kept: all that are. */
  messages(query?: { after?: string | undefined; limit?: number | undefined }): readonly Message[];
  /** The last 64 KiB it printed, from the cursor `after` on. */
  output(query?: { after?: number | undefined }): OutputChunk;
  /**
   * Its last events, the newest `limit` (default 100), oldest first: post mortem, also of a task from before a restart. With a store, of what
   * its journal keeps; in memory, of what was kept for `events()`, which must have been called before.
   */
  history(query?: { limit?: number | undefined }): Promise<readonly TaskEvent[]>;
  /** Of the task and everything below it. */
  usage(): Usage;
  /**
   * Asks the task and its attached descendants to stop, and resolves with the *actual* outcome: work that returns all the same has `succeeded`.
   * Queued work ends at once. A second call changes nothing; over, it gives the outcome it had. Left unread, it never rejects.
   */
  cancel(reason?: string, options?: WaitOptions): Promise<TaskOutcome<T>>;
  /**
   * Kept if the task has not started; `TaskTerminatedError` if it is over. `TaskElsewhereError` if another process of a
   * shared store has its id, and does its work: send it there. Resolves when stored. It resumes `receive`, not an
   * asker, unless `inReplyTo` names a question of the task, which it then answers (never an approval:
   * `InvalidInputError`; closed: `AlreadyAnsweredError`).
   */
  send(content: Content, options?: SendOptions): Promise<Message>;
  /** Cancels, and waits for the end. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A task by its id, or by its handle. */
export type TaskRef = string | TaskHandle;

interface Held {
  readonly core: Core;
  readonly task: Task;
  readonly sessionId: string | undefined;
}

const BRAND = new Brand<Held>("handle");

export class Handle<T> implements TaskHandle<T> {
  readonly #core: Core;
  readonly #task: Task;
  /** The session that gave it out: its loop is told by what is awaited through it (N2). */
  readonly #sessionId: string | undefined;

  constructor(core: Core, task: Task, sessionId?: string) {
    this.#core = core;
    this.#task = task;
    this.#sessionId = sessionId;
  }

  static {
    BRAND.mark(this.prototype, (handle: Handle<unknown>) => handle.#held());
  }

  /** The task that a handle of any copy holds; `undefined`: `handle` is not a handle. `TypeError`: a copy of another version made it. */
  static heldBy(option: string, handle: object): Held | undefined {
    return #task in handle ? handle.#held() : BRAND.read(option, handle);
  }

  #held(): Held {
    return { core: this.#core, task: this.#task, sessionId: this.#sessionId };
  }

  get id(): string {
    return this.#task.id;
  }
  get status(): TaskStatus {
    return this.#task.state.status;
  }
  get record(): TaskRecord {
    return this.#task.record;
  }

  result(options: WaitOptions = {}): Promise<T> {
    return this.#checked(
      () => signalOf("result", options),
      (signal) => this.#core.awaiter.awaitOne(this.#task, { read: valueOf<T>, signal, sessionId: this.#sessionId }),
    );
  }

  outcome(options?: WaitOptions & { timeoutMs?: undefined }): Promise<TaskOutcome<T>>;
  outcome(options: WaitOptions & { timeoutMs?: number | undefined }): Promise<TaskOutcome<T> | undefined>;
  outcome(options: WaitOptions & { timeoutMs?: number | undefined } = {}): Promise<TaskOutcome<T> | undefined> {
    return this.#checked(
      () => {
        checkOptions("outcome", options, "signal", "timeoutMs");
        const { signal, timeoutMs } = options;
        checkSignal("signal", signal);
        checkMs("timeoutMs", timeoutMs);
        return { signal, timeoutMs };
      },
      ({ signal, timeoutMs }) => {
        const timeout = timeoutMs === undefined ? undefined : { ms: timeoutMs, late: undefined };
        const asked = { read: typed<T>, signal, timeout, sessionId: this.#sessionId };
        return this.#core.awaiter.awaitOne<TaskOutcome<T> | undefined>(this.#task, asked);
      },
    );
  }

  async stored(): Promise<void> {
    await this.#core.committer?.durable(this.#task.madeSeq);
  }

  messages(query: { after?: string | undefined; limit?: number | undefined } = {}): readonly Message[] {
    checkOptions("messages", query, "after", "limit");
    checkText("after", query.after);
    checkCount("limit", query.limit, 0);
    return this.#task.extras?.mailbox?.list(query) ?? [];
  }

  output(query: { after?: number | undefined } = {}): OutputChunk {
    checkOptions("output", query, "after");
    checkCount("after", query.after, 0);
    return this.#task.extras?.output?.read(query.after) ?? NO_OUTPUT;
  }

  async history(query: { limit?: number | undefined } = {}): Promise<readonly TaskEvent[]> {
    checkOptions("history", query, "limit");
    checkCount("limit", query.limit, 0);
    return this.#core.history(this.#task, query.limit ?? 100);
  }

  usage(): Usage {
    return this.#task.record.usage;
  }

  cancel(reason = "cancel", options: WaitOptions = {}): Promise<TaskOutcome<T>> {
    return this.#checked(
      () => {
        checkText("reason", reason);
        return signalOf("cancel", options);
      },
      (signal) => this.#core.awaiter.cancel(this.#task, reason, { read: typed<T>, signal, sessionId: this.#sessionId }),
    );
  }

  send(content: Content, options?: SendOptions): Promise<Message> {
    if (this.#core.isClosed) return Promise.reject(new ManagerClosedError("it takes no messages any more"));
    return this.#core.messages.send(this.#task, content, options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return handled(this.cancel().then(() => {}));
  }

  /** Bad input rejects, like everything else a promise says; the wait itself is handed out as it is (C5). */
  #checked<O, R>(check: () => O, wait: (taken: O) => Promise<R>): Promise<R> {
    let taken: O;
    try {
      taken = check();
    } catch (error) {
      return Promise.reject(error);
    }
    return wait(taken);
  }
}

function signalOf(verb: "result" | "cancel", options: WaitOptions): AbortSignal | undefined {
  checkOptions(verb, options, "signal");
  const { signal } = options;
  checkSignal("signal", signal);
  return signal;
}

/** A handle's `T` is what its function gave at `spawn`: here, and only here, the outcome gets its type back. */
function typed<T>(outcome: TaskOutcome): TaskOutcome<T> {
  return outcome as TaskOutcome<T>;
}

/** C4: its value, or the error of one that did not succeed. */
function valueOf<T>(outcome: TaskOutcome, task: Task): T {
  const ended = typed<T>(outcome);
  if (ended.status === "succeeded") return ended.value;
  throw new TaskOutcomeError(ended, task.state.details.title);
}

/** The task a ref names. `TaskNotFoundError`: an id nobody has; `TypeError`: neither an id nor a handle. */
export function taskOf(core: Core, option: string, ref: unknown): Task {
  if (typeof ref === "string") {
    const task = core.registry.byId(ref);
    if (task === undefined) throw new TaskNotFoundError(ref);
    return task;
  }
  const task = typeof ref === "object" && ref !== null ? Handle.heldBy(option, ref)?.task : undefined;
  if (task === undefined) throw new TypeError(`${option} must be a task's id or handle, got ${show(ref)}`);
  return task;
}
