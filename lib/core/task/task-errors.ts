// Task errors: the errors about the end of a task, and about tasks that cannot be found, awaited or written to (§12).

import { idInWords } from "../values/safe-read.js";
import { ErrandError } from "./errand-error.js";
import { failureInWords } from "./failure.js";
import type { TaskOutcome } from "./record.js";

/**
 * The task whose function runs this code was stopped. `ctx.signal` aborts with this error, and every wait of the
 * stopped task rejects with it. Let it through: the task then ends as its stop says.
 */
export class TaskCancelledError extends ErrandError {
  /** Code of the error. */
  readonly code = "TASK_CANCELLED";
  /** The task that was stopped. */
  readonly taskId: string;
  /** Text passed to `cancel`, or the code of what stopped the task (`timeout`, …). */
  readonly reason: string;
  constructor(taskId: string, reason: string) {
    super(`Task ${idInWords(taskId)} was stopped: ${reason}. Let this error through, so that the task can end`);
    this.taskId = taskId;
    this.reason = reason;
  }
  /** The name by which the platform and its libraries recognise an abort. */
  override get name(): "AbortError" {
    return "AbortError";
  }
}

/**
 * Another task did not succeed. The message includes the reasons below its failure (`outcome.error.causes`); `cause` is
 * what the task threw. The error is no AbortError, because the cancel of a child is not a cancel of the task that
 * awaits it.
 */
export class TaskOutcomeError extends ErrandError {
  /** Code of the error. */
  readonly code = "TASK_OUTCOME";
  /** The task that did not succeed. */
  readonly taskId: string;
  /** How the task ended. */
  readonly outcome: Exclude<TaskOutcome<never>, { status: "succeeded" }>;
  constructor(outcome: Exclude<TaskOutcome<never>, { status: "succeeded" }>, title?: string) {
    super(
      ...describeOutcome(
        outcome,
        title === undefined ? idInWords(outcome.id) : `${idInWords(outcome.id)} (${idInWords(title)})`,
      ),
    );
    this.taskId = outcome.id;
    this.outcome = outcome;
  }
}

function describeOutcome(
  outcome: Exclude<TaskOutcome<never>, { status: "succeeded" }>,
  task: string,
): [string, ErrorOptions | undefined] {
  switch (outcome.status) {
    case "failed":
      return [`Task ${task} failed (${outcome.error.code}): ${failureInWords(outcome.error)}`, causeOf(outcome.error)];
    case "cancelled":
      return [`Task ${task} was cancelled: ${outcome.reason}`, causeOf(outcome)];
    case "interrupted":
      return [`Task ${task} was interrupted: ${outcome.reason}`, undefined];
  }
}

function causeOf(from: { readonly cause?: unknown }): ErrorOptions | undefined {
  return "cause" in from ? { cause: from.cause } : undefined;
}

/** No task has this id: it was never spawned in this manager, or its record was evicted. */
export class TaskNotFoundError extends ErrandError {
  /** Code of the error. */
  readonly code = "TASK_NOT_FOUND";
  /** The id that was looked up. */
  readonly taskId: string;
  constructor(taskId: string) {
    super(
      `There is no task ${idInWords(taskId)}: it was never spawned here, or its record was evicted. Check the id, or keep records longer (retention)`,
    );
    this.taskId = taskId;
  }
}

/** The task has ended, or its function has returned, so it accepts nothing new. */
export class TaskTerminatedError extends ErrandError {
  /** Code of the error. */
  readonly code = "TASK_TERMINATED";
  /** The task that has ended. */
  readonly taskId: string;
  /** `refused` is a clause that says what the task does not do. */
  constructor(taskId: string, refused: string) {
    super(`Task ${idInWords(taskId)} is over: ${refused}. Spawn a new task for further work`);
    this.taskId = taskId;
  }
}

/** Another process of a shared store has the id of the task and does its work: a message sent here never reaches it. */
export class TaskElsewhereError extends ErrandError {
  /** Code of the error. */
  readonly code = "TASK_ELSEWHERE";
  /** The task whose id another process has. */
  readonly taskId: string;
  /** The process that has the id: the `instanceId` of its `manager.runtime`. */
  readonly instanceId: string;
  constructor(taskId: string, instanceId: string) {
    const process = `another process of this store (instance ${idInWords(instanceId)})`;
    super(`Task ${idInWords(taskId)} is the work of ${process}: send the message there`);
    this.taskId = taskId;
    this.instanceId = instanceId;
  }
}

/** The wait could never end, because the tasks in `cycle` would wait for one another. */
export class AwaitCycleError extends ErrandError {
  /** Code of the error. */
  readonly code = "AWAIT_CYCLE";
  /** Task ids, each waiting for the next. The last is also the first. */
  readonly cycle: readonly string[];
  constructor(cycle: readonly string[]) {
    super(`This wait could never end: ${chainOf(cycle)}. Let one of them return first, or do not wait here`);
    this.cycle = cycle;
  }
}

/** The chain as text: its beginning, the number of tasks that are left out, and its end. */
function chainOf(cycle: readonly string[]): string {
  const ids = cycle.map(idInWords);
  const left = ids.length - MOST_OF_CHAIN;
  if (left > 0) ids.splice(MOST_OF_CHAIN - LAST_OF_CHAIN, left, `… ${left} more …`);
  return ids.join(" waits for ");
}
const MOST_OF_CHAIN = 8;
const LAST_OF_CHAIN = 3;

/** The task, or the session, under which the call was made has been stopped. */
export class ScopeCancelledError extends ErrandError {
  /** Code of the error. */
  readonly code = "SCOPE_CANCELLED";
  /** Id of the stopped task or session. */
  readonly scopeId: string;
  /** `refused` is a clause that says what the task or the session does not do. */
  constructor(scopeId: string, refused: string) {
    super(
      `${idInWords(scopeId)} has been stopped: ${refused}. Return from its function; new work needs another parent, or a session whose cancelAll() has resolved`,
    );
    this.scopeId = scopeId;
  }
}

/**
 * The error of a stopped task, without a stack: each task of a cancelled tree has one, and its stack would only show
 * the sweep.
 */
export function cancelledError(taskId: string, reason: string): TaskCancelledError {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return new TaskCancelledError(taskId, reason);
  } finally {
    Error.stackTraceLimit = limit;
  }
}
