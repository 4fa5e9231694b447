// Errors: the one closed family (DESIGN §12).
//
// Each has an upper-case `code`; tests and programs look at the code, people read the message, which says what happened,
// to which task, and what to do. `isErrandError` knows them by brand, so also across two copies of errand.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { idInWords } from "../values/safe-read.js";
import { failureInWords } from "./failure.js";
import type { TaskOutcome } from "./record.js";
import type { InboxRequest } from "./request.js";

const BRAND = Symbol.for("errand.error");

/** One closed family. The message says what happened, to which task, and what to do; tests and programs look at `code`. */
export abstract class ErrandError extends Error {
  abstract readonly code: ErrandErrorCode;
  static {
    Object.defineProperty(this.prototype, BRAND, { value: true });
  }
  override get name(): string {
    return this.constructor.name;
  }
}

/** One's own cancel: what `ctx.signal` aborts with and what the waits of a stopped task reject with. Let it through. */
export class TaskCancelledError extends ErrandError {
  readonly code = "TASK_CANCELLED";
  readonly taskId: string;
  /** The words given to `cancel`, or the code of what stopped it (`timeout`, …). */
  readonly reason: string;
  constructor(taskId: string, reason: string) {
    super(`Task ${idInWords(taskId)} was stopped: ${reason}`);
    this.taskId = taskId;
    this.reason = reason;
  }
  /** The name by which the platform and its libraries know an abort. */
  override get name(): "AbortError" {
    return "AbortError";
  }
}

/** Another task did not succeed. The message has the reasons below its failure (`outcome.error.causes`); `cause` is what it threw. No AbortError: a cancelled child is not one's own cancel. */
export class TaskOutcomeError extends ErrandError {
  readonly code = "TASK_OUTCOME";
  readonly taskId: string;
  readonly outcome: Exclude<TaskOutcome<never>, { status: "succeeded" }>;
  constructor(outcome: Exclude<TaskOutcome<never>, { status: "succeeded" }>, title?: string) {
    super(
      ...tellOutcome(
        outcome,
        title === undefined ? idInWords(outcome.id) : `${idInWords(outcome.id)} (${idInWords(title)})`,
      ),
    );
    this.taskId = outcome.id;
    this.outcome = outcome;
  }
}

function tellOutcome(
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

export class TaskNotFoundError extends ErrandError {
  readonly code = "TASK_NOT_FOUND";
  readonly taskId: string;
  constructor(taskId: string) {
    super(`There is no task ${idInWords(taskId)}: it was never spawned here, or its record is not kept any more`);
    this.taskId = taskId;
  }
}

/** The task is over, or its function has returned. */
export class TaskTerminatedError extends ErrandError {
  readonly code = "TASK_TERMINATED";
  readonly taskId: string;
  constructor(taskId: string, refused: string) {
    super(`Task ${idInWords(taskId)} is over: ${refused}`);
    this.taskId = taskId;
  }
}

/** Another process of a shared store has the id of the task, and does the work: no message sent here reaches it. */
export class TaskElsewhereError extends ErrandError {
  readonly code = "TASK_ELSEWHERE";
  readonly taskId: string;
  /** The process that has the id, as `manager.runtime` names it there. */
  readonly instanceId: string;
  constructor(taskId: string, instanceId: string) {
    const process = `another process of this store (instance ${idInWords(instanceId)})`;
    super(`Task ${idInWords(taskId)} is the work of ${process}: send the message there`);
    this.taskId = taskId;
    this.instanceId = instanceId;
  }
}

export class AwaitCycleError extends ErrandError {
  readonly code = "AWAIT_CYCLE";
  /** Task ids, each waiting for the next; the first is also the last. */
  readonly cycle: readonly string[];
  constructor(cycle: readonly string[]) {
    super(
      `This wait could never end: ${cycle.map(idInWords).join(" waits for ")}. Let one of them return first, or do not wait here`,
    );
    this.cycle = cycle;
  }
}

export class QueueFullError extends ErrandError {
  readonly code = "QUEUE_FULL";
  readonly maxQueued: number;
  constructor(maxQueued: number) {
    super(`${maxQueued} tasks are in line already (limits.maxQueued): await manager.room(), or raise the limit`);
    this.maxQueued = maxQueued;
  }
}

type LimitName =
  | ("maxDepth" | "maxChildren" | "maxDescendants")
  | ("session.maxLiving" | "session.maxQueued")
  | ("budget.tasks" | "budget.tokens" | "budget.costUsd");

/** The option that sets it: of the manager, or of a session. */
function optionOf(limit: LimitName): string {
  return limit.startsWith("session.") ? limit.replace("session.", "session.limits.") : `limits.${limit}`;
}

export class LimitExceededError extends ErrandError {
  readonly code = "LIMIT_EXCEEDED";
  readonly limit: LimitName;
  readonly max: number;
  constructor(limit: LimitName, max: number, what: string) {
    super(limit.startsWith("budget.") ? what : `${what} (${optionOf(limit)} is ${max})`);
    this.limit = limit;
    this.max = max;
  }
}

/** The task, or the session, under which it was spawned has been stopped. */
export class ScopeCancelledError extends ErrandError {
  readonly code = "SCOPE_CANCELLED";
  readonly scopeId: string;
  constructor(scopeId: string, refused: string) {
    super(`${idInWords(scopeId)} has been stopped: ${refused}`);
    this.scopeId = scopeId;
  }
}

export class UnknownLaneError extends ErrandError {
  readonly code = "UNKNOWN_LANE";
  readonly lane: string;
  constructor(lane: string, declared: readonly string[]) {
    super(
      `There is no lane ${JSON.stringify(lane)}: declared are ${declared.map((name) => JSON.stringify(name)).join(", ")}`,
    );
    this.lane = lane;
  }
}

/** A kind is started by name and the manager has none of that name. */
export class UnknownKindError extends ErrandError {
  readonly code = "UNKNOWN_KIND";
  readonly kind: string;
  constructor(kind: string, known: readonly string[]) {
    const there = known.length === 0 ? "it was given none" : `there are ${known.join(", ")}`;
    super(`There is no kind ${JSON.stringify(kind)}: ${there}; hand it to the manager in kinds`);
    this.kind = kind;
  }
}

export class RequestNotFoundError extends ErrandError {
  readonly code = "REQUEST_NOT_FOUND";
  readonly requestId: string;
  constructor(requestId: string) {
    super(`There is no request ${idInWords(requestId)}: it was never asked, or its task's record is not kept any more`);
    this.requestId = requestId;
  }
}

/** The request is not open any more: `request` says how it was closed. */
export class AlreadyAnsweredError extends ErrandError {
  readonly code = "ALREADY_ANSWERED";
  readonly request: InboxRequest;
  constructor(request: InboxRequest) {
    super(
      `Request ${idInWords(request.id)} is not open any more: ${request.status}${request.by === undefined ? "" : ` by ${idInWords(request.by)}`}. Where several may answer, leave it at that`,
    );
    this.request = request;
  }
}

export class InvalidInputError extends ErrandError {
  readonly code = "INVALID_INPUT";
  readonly issues: readonly StandardSchemaV1.Issue[];
  constructor(what: string, issues: readonly StandardSchemaV1.Issue[], options?: ErrorOptions) {
    super(`${what}: ${issuesInWords(issues)}`, options);
    this.issues = issues;
  }
}

/** `url: Invalid URL; depth: too deep`. */
export function issuesInWords(issues: readonly StandardSchemaV1.Issue[]): string {
  const words = issues.map(({ path = [], message }) => [...path.map(keyOf), message].join(": "));
  return words.join("; ");
}

function keyOf(segment: PropertyKey | StandardSchemaV1.PathSegment): string {
  return String(typeof segment === "object" ? segment.key : segment);
}

export class IdConflictError extends ErrandError {
  readonly code = "ID_CONFLICT";
  readonly id: string;
  constructor(id: string, what: string) {
    super(what);
    this.id = id;
  }
}

export class NameTakenError extends ErrandError {
  readonly code = "NAME_TAKEN";
  readonly taskName: string;
  readonly taskId: string;
  constructor(taskName: string, taskId: string) {
    super(
      `The name ${JSON.stringify(taskName)} is taken by task ${idInWords(taskId)}, which still lives: choose another, or wait for its end`,
    );
    this.taskName = taskName;
    this.taskId = taskId;
  }
}

export class ReservedNameError extends ErrandError {
  readonly code = "RESERVED_NAME";
  readonly taskName: string;
  constructor(taskName: string) {
    super(`The name ${JSON.stringify(taskName)} is reserved, like parent, self, all and broadcast: choose another`);
    this.taskName = taskName;
  }
}

export class RequestRejectedError extends ErrandError {
  readonly code = "REQUEST_REJECTED";
  readonly requestId: string;
  readonly reason: string;
  readonly by: string;
  constructor(requestId: string, reason: string, by: string) {
    super(`Request ${idInWords(requestId)} was rejected by ${idInWords(by)}: ${reason}`);
    this.requestId = requestId;
    this.reason = reason;
    this.by = by;
  }
}

export class RequestExpiredError extends ErrandError {
  readonly code = "REQUEST_EXPIRED";
  readonly requestId: string;
  constructor(requestId: string) {
    super(`Request ${idInWords(requestId)} expired: no answer came in time`);
    this.requestId = requestId;
  }
}

export class ManagerClosedError extends ErrandError {
  readonly code = "MANAGER_CLOSED";
  constructor(refused: string) {
    super(`The manager is closed: ${refused}`);
  }
}

/** Another process has the store open; or this process had it, and has lost its place there. */
export class StoreLockedError extends ErrandError {
  readonly code = "STORE_LOCKED";
  /** The process that has the store, when it is known. */
  readonly pid?: number;
  /** `lost` is a clause that says how a writer lost its place in a store that it had open. */
  constructor(store: string, holder: string, pid?: number, lost?: string) {
    super(
      lost === undefined
        ? `The store ${store} is open in ${holder}: close it there, or use another store`
        : `The store ${store} is not this manager's any more: ${lost}. This manager writes nothing more; open the store again`,
    );
    if (pid !== undefined) this.pid = pid;
  }
}

/** The store cannot be written, or read. What is decided is kept and written as soon as it can be. */
export class StoreUnavailableError extends ErrandError {
  readonly code = "STORE_UNAVAILABLE";
  /** What was stored before is gone: `append` goes on after a `compact`. */
  readonly needsSnapshot: boolean;
  constructor(why: string, options?: ErrorOptions & { needsSnapshot?: boolean }) {
    super(`The store is not available: ${why}`, options);
    this.needsSnapshot = options?.needsSnapshot ?? false;
  }
}

/** The journal is broken where it cannot have been cut off by a crash. Nothing was changed: mend it, or set it aside. */
export class JournalCorruptError extends ErrandError {
  readonly code = "JOURNAL_CORRUPT";
  readonly file: string;
  /** From 1 on. */
  readonly line: number;
  /** Of the beginning of that line, from 0 on. */
  readonly byte: number;
  /** In words, without the place. */
  readonly why: string;
  constructor(file: string, line: number, byte: number, why: string, options?: ErrorOptions) {
    super(`The journal is broken at ${file}:${line}, byte ${byte}: ${why}`, options);
    this.file = file;
    this.line = line;
    this.byte = byte;
    this.why = why;
  }
}

/** The task succeeded, and its stored output is gone or cannot be read. Everything else of the task, and of the store, is there. */
export class OutputLostError extends ErrandError {
  readonly code = "OUTPUT_LOST";
  readonly taskId: string;
  /** The place where the output was: a file, or a row of a table. */
  readonly where: string;
  constructor(taskId: string, where: string, why: string, options?: ErrorOptions) {
    super(
      `The output of task ${taskId} is lost: ${where}: ${why}. Put it back and open the store again, or do the work again under another id`,
      options,
    );
    this.taskId = taskId;
    this.where = where;
  }
}

export class EventsCompactedError extends ErrandError {
  readonly code = "EVENTS_COMPACTED";
  /** The oldest `seq` still kept: read again from there. */
  readonly oldest: number;
  constructor(from: number, oldest: number) {
    super(`Event ${from} is not kept any more: read again from ${oldest}`);
    this.oldest = oldest;
  }
}

export type AnyErrandError =
  | TaskCancelledError
  | TaskOutcomeError
  | TaskNotFoundError
  | TaskTerminatedError
  | TaskElsewhereError
  | AwaitCycleError
  | QueueFullError
  | LimitExceededError
  | ScopeCancelledError
  | UnknownLaneError
  | UnknownKindError
  | RequestNotFoundError
  | AlreadyAnsweredError
  | InvalidInputError
  | IdConflictError
  | NameTakenError
  | ReservedNameError
  | RequestRejectedError
  | RequestExpiredError
  | ManagerClosedError
  | StoreLockedError
  | StoreUnavailableError
  | JournalCorruptError
  | OutputLostError
  | EventsCompactedError;
export type ErrandErrorCode = AnyErrandError["code"];

/** By brand, so also across two copies of errand. Then `err.code === "…"` narrows to the class; a second argument does both. */
export function isErrandError(value: unknown): value is AnyErrandError;
export function isErrandError<C extends ErrandErrorCode>(
  value: unknown,
  code: C,
): value is Extract<AnyErrandError, { code: C }>;
export function isErrandError(value: unknown, code?: ErrandErrorCode): boolean {
  if (typeof value !== "object" || value === null || !(BRAND in value)) return false;
  return code === undefined || ("code" in value && value.code === code);
}

/** Made without a stack: one is made for each task of a cancelled tree, and its stack would only show the sweep. */
export function cancelledError(taskId: string, reason: string): TaskCancelledError {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return new TaskCancelledError(taskId, reason);
  } finally {
    Error.stackTraceLimit = limit;
  }
}
