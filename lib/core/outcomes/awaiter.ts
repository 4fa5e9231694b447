// Awaiter: waits for tasks of any manager, and the scopes that spawn nothing meanwhile (W1-W4, H3).
//
// Owns the scopes that a `cancelAll` has closed. Called by scopes and handles. Calls `await-one.ts`, `await-tasks.ts`
// and `outcome-stream.ts` for the waits.

import type { Requests } from "../inbox/requests.js";
import type { Registry } from "../live/registry.js";
import type { Attempt, Task } from "../live/task.js";
import { refuseCycle } from "../live/wait-cycles.js";
import type { Notices } from "../notices/notices.js";
import type { Receiver } from "../notices/outcome-claims.js";
import type { TaskOutcome } from "../task/record.js";
import type { StopReason } from "../task/status.js";
import { handled } from "../values/handled.js";
import { waiterOf } from "../waits/ambient.js";
import type { WaitOptions, Waits } from "../waits/waits.js";
import { awaitOne, type EndQuery, outcomeOf } from "./await-one.js";
import { type AwaitCaller, type Awaited, type AwaitOptions, awaitTasks } from "./await-tasks.js";
import { OutcomeReader } from "./outcome-stream.js";

/** The parts of a task's manager that a wait for it needs. */
export interface Home {
  /** The waits of the manager. */
  readonly waits: Waits;
  /** The notices of the manager. */
  readonly notices: Notices;
}

/** A caller's view of tasks. */
export interface CallerView {
  /** The session through which the caller has the task; `undefined`: none. */
  readonly sessionOf: (task: Task) => string | undefined;
  /** The parts of the manager that has the task; `undefined`: this manager. */
  readonly homeOf: (task: Task) => Home | undefined;
}

interface AwaiterDeps extends Home {
  readonly registry: Registry;
  readonly runner: {
    /** Asks a task to stop. */
    stop(task: Task, code: StopReason, reason: string): void;
  };
}

const NO_INBOXES: ReadonlySet<Requests> = new Set();
const NO_CALLER: CallerView = { sessionOf: () => undefined, homeOf: () => undefined };

/** The waits for ends of tasks that go through one manager. */
export class Awaiter {
  /** Sessions and tasks whose `cancelAll()` is under way, with the number of such calls. */
  readonly closedScopes = new Map<Task | string, number>();
  readonly #deps: AwaiterDeps;

  constructor(deps: AwaiterDeps) {
    this.#deps = deps;
  }

  /**
   * Waits for several tasks. `context`: the attempt of the `ctx` through which the call came, if there is one. Inside a
   * task the caller is that task.
   */
  awaitTasks(
    context: Attempt | undefined,
    scope: Omit<AwaitCaller, "waits" | "receiver" | "homeOf"> & CallerView,
    tasks: readonly Task[],
    options: AwaitOptions,
  ): Promise<Awaited> {
    const { waits } = this.#deps;
    const attempt = waiterOf(context);
    const { owner, isChild } =
      attempt === undefined ? scope : { owner: attempt.task, isChild: (task: Task) => task.parent === attempt.task };
    const receiver = this.#receiver(attempt, scope);
    return awaitTasks(
      { ...scope, waits, homeOf: this.#waitsOf(scope), owner, isChild, receiver },
      attempt,
      tasks,
      options,
    );
  }

  /** Iterates over the outcomes of the tasks that `find` gives, in order of ending. */
  outcomes(
    context: Attempt | undefined,
    view: CallerView,
    find: () => readonly Task[],
    options: WaitOptions,
  ): OutcomeReader {
    const receiverFor = (attempt: Attempt | undefined) => this.#receiver(attempt, view);
    const waitsOf = this.#waitsOf(view);
    return new OutcomeReader(this.#deps.waits, waitsOf, find, () => waiterOf(context), options.signal, receiverFor);
  }

  /** Waits for the end of one task. */
  awaitOne<R>(task: Task, query: EndQuery<R>): Promise<R> {
    const { waits, notices } = this.#deps;
    return awaitOne(waits, notices, waiterOf(undefined), task, query);
  }

  /** Asks `task` to stop, and waits for its outcome. */
  cancel<R>(task: Task, reason: string, query: EndQuery<R>): Promise<R> {
    this.#deps.runner.stop(task, "cancel", reason);
    return handled(this.awaitOne(task, query));
  }

  /**
   * Asks all tasks to stop, each with the attached tasks below it, and waits for their outcomes. With a `scope`, that
   * session or task spawns nothing until all have ended.
   */
  cancelAll(
    context: Attempt | undefined,
    tasks: readonly Task[],
    scope: Task | string | undefined,
    reason: string,
    view: CallerView,
    options: WaitOptions,
  ): Promise<readonly TaskOutcome[]> {
    const { waits, runner } = this.#deps;
    for (const task of tasks) runner.stop(task, "cancel", reason);
    const attempt = waiterOf(context);
    const caller = {
      owner: this,
      isChild: () => false,
      inboxes: NO_INBOXES,
      homeOf: () => waits,
      hasForeign: false,
      cancel: () => {},
      waits,
      receiver: this.#receiver(attempt, view),
    };
    // The scope has a wait of its own, outside every task: when the caller is stopped or withdraws, the scope still
    // stays closed until all tasks have ended.
    if (scope !== undefined)
      this.#closeScope(
        scope,
        awaitTasks({ ...caller, receiver: this.#receiver(undefined, NO_CALLER) }, undefined, tasks, {}),
      );
    return handled(awaitTasks(caller, attempt, tasks, options).then(() => tasks.map(outcomeOf)));
  }

  /**
   * The rejection of a wait for all tasks, inside a task that they need (L3); `undefined` where such a wait may begin.
   */
  refusalInside(signal: AbortSignal | undefined): Promise<never> | undefined {
    const { waits, registry } = this.#deps;
    const attempt = waiterOf(undefined);
    if (attempt === undefined) return undefined;
    try {
      refuseCycle(attempt, (task) => registry.byId(task.id) === task);
    } catch (error) {
      return Promise.reject(error);
    }
    return attempt.waits === waits ? waits.refusal(attempt, signal) : undefined;
  }

  #closeScope(scope: Task | string, over: Promise<unknown>): void {
    const { closedScopes } = this;
    closedScopes.set(scope, (closedScopes.get(scope) ?? 0) + 1);
    const open = () => {
      const left = (closedScopes.get(scope) ?? 0) - 1;
      if (left > 0) closedScopes.set(scope, left);
      else closedScopes.delete(scope);
    };
    void over.then(open, open);
  }

  #waitsOf({ homeOf }: CallerView): (task: Task) => Waits {
    return (task) => (homeOf(task) ?? this.#deps).waits;
  }

  #receiver(attempt: Attempt | undefined, { sessionOf, homeOf }: CallerView): Receiver {
    return { attempt, sessionOf, noticesOf: (task) => (homeOf(task) ?? this.#deps).notices };
  }
}
