// Handle: the object that `spawn` returns. Reads, awaits and cancels one task.
//
// Owns no state: a handle is a task and its core. Options are checked here, and bad ones reject.

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
import type { TaskHandle } from "./task-handle.js";

/** The task that a handle stands for. */
interface HandleTarget {
  readonly core: Core;
  readonly task: Task;
  readonly sessionId: string | undefined;
}

const BRAND = new Brand<HandleTarget>("handle");

/** The handle of one task. `TaskHandle` documents its public members. */
export class Handle<T> implements TaskHandle<T> {
  readonly #core: Core;
  readonly #task: Task;
  /** The session that returned the handle: its loop receives the outcomes that are awaited through it (N2). */
  readonly #sessionId: string | undefined;

  constructor(core: Core, task: Task, sessionId?: string) {
    this.#core = core;
    this.#task = task;
    this.#sessionId = sessionId;
  }

  static {
    BRAND.mark(this.prototype, (handle: Handle<unknown>) => Handle.#own(handle).#target());
  }

  /**
   * The target of a handle that any copy of errand made; `undefined` when `handle` is not a handle. Throws a
   * `TypeError` for a handle of a copy with another version.
   */
  static heldBy(option: string, handle: object): HandleTarget | undefined {
    return Handle.heldHere(handle) ?? BRAND.read(option, handle);
  }

  /** The target of a handle that this copy of errand made; `undefined` for any other object. */
  static heldHere(handle: object): HandleTarget | undefined {
    return #task in handle ? handle.#target() : undefined;
  }

  /**
   * The handle itself. Its methods run with a Proxy as `this` when they are called on a Proxy around it, and no Proxy
   * has the private parts of its target.
   */
  static #own<T>(handle: Handle<T>): Handle<T> {
    if (#task in handle) return handle;
    throw new TypeError(
      "The handle of a task is used through a Proxy, which cannot reach the task: use the handle itself, or let the get trap of the Proxy bind the methods to the handle",
    );
  }

  #target(): HandleTarget {
    return { core: this.#core, task: this.#task, sessionId: this.#sessionId };
  }

  get id(): string {
    return Handle.#own(this).#task.id;
  }
  get status(): TaskStatus {
    return Handle.#own(this).#task.state.status;
  }
  get record(): TaskRecord {
    return Handle.#own(this).#task.record;
  }

  result(options: WaitOptions = {}): Promise<T> {
    return Handle.#checked(
      this,
      () => signalOf("result", options),
      ({ core, task, sessionId }, signal) => core.awaiter.awaitOne(task, { read: valueOf<T>, signal, sessionId }),
    );
  }

  outcome(options?: WaitOptions & { timeoutMs?: undefined }): Promise<TaskOutcome<T>>;
  outcome(options: WaitOptions & { timeoutMs?: number | undefined }): Promise<TaskOutcome<T> | undefined>;
  outcome(options: WaitOptions & { timeoutMs?: number | undefined } = {}): Promise<TaskOutcome<T> | undefined> {
    return Handle.#checked(
      this,
      () => {
        checkOptions("outcome", options, "signal", "timeoutMs");
        const { signal, timeoutMs } = options;
        checkSignal("signal", signal);
        checkMs("timeoutMs", timeoutMs);
        return { signal, timeoutMs };
      },
      ({ core, task, sessionId }, { signal, timeoutMs }) => {
        const timeout = timeoutMs === undefined ? undefined : { ms: timeoutMs, late: undefined };
        const asked = { read: typed<T>, signal, timeout, sessionId };
        return core.awaiter.awaitOne<TaskOutcome<T> | undefined>(task, asked);
      },
    );
  }

  async stored(): Promise<void> {
    const { core, task } = Handle.#own(this).#target();
    await core.loop.stored.until(task.madeSeq);
  }

  messages(query: { after?: string | undefined; limit?: number | undefined } = {}): readonly Message[] {
    checkOptions("messages", query, "after", "limit");
    checkText("after", query.after);
    checkCount("limit", query.limit, 0);
    return Handle.#own(this).#task.extras?.mailbox?.list(query) ?? [];
  }

  output(query: { after?: number | undefined } = {}): OutputChunk {
    checkOptions("output", query, "after");
    checkCount("after", query.after, 0);
    return Handle.#own(this).#task.extras?.output?.read(query.after) ?? NO_OUTPUT;
  }

  async history(query: { limit?: number | undefined } = {}): Promise<readonly TaskEvent[]> {
    checkOptions("history", query, "limit");
    checkCount("limit", query.limit, 0);
    const { core, task } = Handle.#own(this).#target();
    return core.history(task, query.limit ?? 100);
  }

  usage(): Usage {
    return Handle.#own(this).#task.record.usage;
  }

  cancel(reason = "cancel", options: WaitOptions = {}): Promise<TaskOutcome<T>> {
    return Handle.#checked(
      this,
      () => {
        checkText("reason", reason);
        return signalOf("cancel", options);
      },
      ({ core, task, sessionId }, signal) => core.awaiter.cancel(task, reason, { read: typed<T>, signal, sessionId }),
    );
  }

  send(content: Content, options?: SendOptions): Promise<Message> {
    return Handle.#checked(
      this,
      () => {},
      ({ core, task }) => {
        if (core.isClosed) return Promise.reject(new ManagerClosedError("it takes no messages"));
        return core.messages.send(task, content, options);
      },
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return handled(this.cancel().then(() => {}));
  }

  /**
   * Rejects for bad options. Otherwise returns the promise of the wait itself, whose rejections are handled there (C5).
   */
  static #checked<O, R>(
    handle: Handle<unknown>,
    check: () => O,
    wait: (target: HandleTarget, options: O) => Promise<R>,
  ): Promise<R> {
    let options: O;
    let target: HandleTarget;
    try {
      target = Handle.#own(handle).#target();
      options = check();
    } catch (error) {
      return Promise.reject(error);
    }
    return wait(target, options);
  }
}

function signalOf(verb: "result" | "cancel", options: WaitOptions): AbortSignal | undefined {
  checkOptions(verb, options, "signal");
  const { signal } = options;
  checkSignal("signal", signal);
  return signal;
}

/**
 * Gives an outcome the type of its result, which `spawn` inferred from the function. Outcomes have no type inside
 * errand.
 */
function typed<T>(outcome: TaskOutcome): TaskOutcome<T> {
  return outcome as TaskOutcome<T>;
}

/** The result of the task. Throws `TaskOutcomeError` when it did not succeed (C4). */
function valueOf<T>(outcome: TaskOutcome, task: Task): T {
  const ended = typed<T>(outcome);
  if (ended.status === "succeeded") return ended.value;
  throw new TaskOutcomeError(ended, task.state.details.title);
}

/**
 * The task that `ref` refers to. Throws `TaskNotFoundError` for an unknown id, and a `TypeError` for any other value.
 */
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
