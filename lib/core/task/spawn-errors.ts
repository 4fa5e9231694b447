// Spawn errors: why a spawn, or an input, was refused (§12).

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { boundedList } from "../values/bounded-list.js";
import { didYouMean } from "../values/nearest-name.js";
import { cutTo, idInWords } from "../values/safe-read.js";
import { ErrandError } from "./errand-error.js";

/** The line has as many tasks as `limits.maxQueued` allows. Nothing was spawned. */
export class QueueFullError extends ErrandError {
  /** Code of the error. */
  readonly code = "QUEUE_FULL";
  /** The limit. */
  readonly maxQueued: number;
  constructor(maxQueued: number) {
    super(`${maxQueued} tasks are in line already (limits.maxQueued): await manager.room(), or raise the limit`);
    this.maxQueued = maxQueued;
  }
}

/** The limits that refuse a spawn. */
type LimitName =
  | ("maxDepth" | "maxChildren" | "maxDescendants")
  | ("session.maxLiving" | "session.maxQueued")
  | ("budget.tasks" | "budget.tokens" | "budget.costUsd");

/** The option, of the manager or of a session, that sets the limit. */
function optionOf(limit: LimitName): string {
  return limit.startsWith("session.") ? limit.replace("session.", "session.limits.") : `limits.${limit}`;
}

/** A limit on families, on a session or of a budget is reached. Nothing was spawned. */
export class LimitExceededError extends ErrandError {
  /** Code of the error. */
  readonly code = "LIMIT_EXCEEDED";
  /** Name of the limit. */
  readonly limit: LimitName;
  /** Value of the limit. */
  readonly max: number;
  /** `what` is a sentence that says what reached the limit. */
  constructor(limit: LimitName, max: number, what: string) {
    super(limit.startsWith("budget.") ? what : `${what} (${optionOf(limit)} is ${max})`);
    this.limit = limit;
    this.max = max;
  }
}

/** The manager has no lane of this name. */
export class UnknownLaneError extends ErrandError {
  /** Code of the error. */
  readonly code = "UNKNOWN_LANE";
  /** The name that was looked up. */
  readonly lane: string;
  constructor(lane: string, declared: readonly string[]) {
    const names = boundedList(declared.map((name) => JSON.stringify(name)));
    super(
      `There is no lane ${JSON.stringify(lane)}${didYouMean(lane, declared)}: declared are ${names}. Use one of them, or declare the lane in the option lanes of the manager`,
    );
    this.lane = lane;
  }
}

/** The manager has no kind of this name. */
export class UnknownKindError extends ErrandError {
  /** Code of the error. */
  readonly code = "UNKNOWN_KIND";
  /** The name that was looked up. */
  readonly kind: string;
  constructor(kind: string, known: readonly string[]) {
    const there = known.length === 0 ? "the manager has no kinds" : `there are ${boundedList(known.map(idInWords))}`;
    super(
      `There is no kind ${JSON.stringify(kind)}${didYouMean(kind, known)}: ${there}; pass the kind in the option kinds of the manager`,
    );
    this.kind = kind;
  }
}

/**
 * An input, an answer, or other data that a caller passed, does not fit its schema. `cause` is what the schema threw,
 * if it threw.
 */
export class InvalidInputError extends ErrandError {
  /** Code of the error. */
  readonly code = "INVALID_INPUT";
  /** The places that do not fit, with the reasons. */
  readonly issues: readonly StandardSchemaV1.Issue[];
  /** `what` is a clause that says what does not fit. */
  constructor(what: string, issues: readonly StandardSchemaV1.Issue[], options?: ErrorOptions) {
    super(`${what}: ${issuesInWords(issues)}. Correct this and call again`, options);
    this.issues = issues;
  }
}

/** The issues of a schema as one text, of which the first few are shown: `url: Invalid URL; depth: too deep`. */
export function issuesInWords(issues: readonly StandardSchemaV1.Issue[]): string {
  const parts = issues.map(({ path = [], message }) => cutTo([...path.map(keyOf), message].join(": "), MOST_OF_ISSUE));
  return boundedList(parts, "; ");
}
const MOST_OF_ISSUE = 500;

function keyOf(segment: PropertyKey | StandardSchemaV1.PathSegment): string {
  return String(typeof segment === "object" ? segment.key : segment);
}

/** The id, or the key of a question, is used already for something else. */
export class IdConflictError extends ErrandError {
  /** Code of the error. */
  readonly code = "ID_CONFLICT";
  /** The id or the key. */
  readonly id: string;
  /** `what` is the whole message. */
  constructor(id: string, what: string) {
    super(what);
    this.id = id;
  }
}

/** A living task of the session has this name. Nothing was spawned. */
export class NameTakenError extends ErrandError {
  /** Code of the error. */
  readonly code = "NAME_TAKEN";
  /** The name. */
  readonly taskName: string;
  /** The living task that has the name. */
  readonly taskId: string;
  constructor(taskName: string, taskId: string) {
    super(
      `The name ${JSON.stringify(taskName)} is taken by task ${idInWords(taskId)}, which has not ended: choose another name, or wait for its end`,
    );
    this.taskName = taskName;
    this.taskId = taskId;
  }
}

/** The name is reserved: it has another meaning where a task is addressed. Nothing was spawned. */
export class ReservedNameError extends ErrandError {
  /** Code of the error. */
  readonly code = "RESERVED_NAME";
  /** The name. */
  readonly taskName: string;
  constructor(taskName: string) {
    super(
      `The name ${JSON.stringify(taskName)} is reserved, like parent, self, all and broadcast: choose another name`,
    );
    this.taskName = taskName;
  }
}
