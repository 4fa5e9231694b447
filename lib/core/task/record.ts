// Record: what errand knows of a task, as the outside sees it.
//
// `TaskRecord` is the public snapshot: frozen, plain JSON. Owns the words alone; `state.ts` has what the rules work on, and makes the snapshot.

import type { Json } from "../values/json.js";
import type { FailureCode, InterruptReason, StopReason, TaskStatus } from "./status.js";

/**
 * One pending wait of a blocked task, or the reason why a queued task cannot start. By `on`:
 *
 * - `children`: the children that lived when the function returned.
 * - `time`: `untilAt` in epoch milliseconds; of a sleep without an end it is `Number.MAX_SAFE_INTEGER`.
 * - `slot`: the wait is over and a slot is not free yet, or `room()` waits for the line.
 * - `rate`, of a `queued` task: the rate of its lane, or of its key, lets no task start before `untilAt`, the earliest instant at which the next one
 *   in line may start. Computed when the record is read, and part of no event.
 * - `kind` and `lane`, of a parked task, `queued` or `blocked`: this manager has not registered the kind (or the kind has not answered `canReattach`
 *   yet), or has not declared the lane.
 * - `process`, of a `queued` task whose id another process of a shared store has: that process runs it.
 */
export type Wait =
  | { readonly on: "input"; readonly requestId: string }
  | { readonly on: "tasks"; readonly taskIds: readonly string[] }
  | { readonly on: "children"; readonly taskIds: readonly string[] }
  | { readonly on: "message" }
  | { readonly on: "time"; readonly untilAt: number }
  | { readonly on: "notice" }
  | { readonly on: "kind"; readonly kind: string }
  | { readonly on: "lane"; readonly lane: string }
  | { readonly on: "process"; readonly instanceId: string }
  | { readonly on: "slot" }
  | { readonly on: "rate"; readonly untilAt: number };

/** One reason below a failure: an error that another error carries, or the content of a thrown object. */
export interface FailureCause {
  /** At most 500 characters. */
  readonly message: string;
  readonly name?: string;
  /** The `code` of that error (`"ECONNREFUSED"`); without one its HTTP status. */
  readonly code?: string;
}

/** Why a task failed. */
export interface TaskFailure {
  readonly code: FailureCode;
  /** The message of the thrown error; of a thrown value that is no error its text, and of a plain object its JSON, cut at 500 characters. */
  readonly message: string;
  readonly name?: string;
  /** The `code` of the thrown error itself (`"ECONNREFUSED"`); without one its HTTP status. */
  readonly errorCode?: string;
  /**
   * The reasons below it, the nearest first, each once, at most 8: those in `cause` and in the `errors` of an `AggregateError`, at any depth; of a
   * thrown object that is no error also its content. Stored, so it is there after a restart. Absent when there are none.
   */
  readonly causes?: readonly FailureCause[];
  readonly stack?: string;
  /** The thrown value itself, whatever it was. It is not enumerable, so that a record and an event are plain JSON, and a restart loses it. */
  readonly cause?: unknown;
}

/**
 * How a task ended. A value: reading it never throws. `cancelled` carries the words given to `cancel`, or the code of the ancestor that swept it.
 * `abandoned`: the function had not settled when its grace was over, and may still be running.
 */
export type TaskOutcome<T = unknown> = { readonly id: string } & (
  | {
      readonly status: "succeeded";
      /** Reading it throws `OutputLostError` where `outputLost` is there. */
      readonly value: T;
      /** Where the stored output was that is gone, or cannot be read, since an earlier process. */
      readonly outputLost?: string;
    }
  | { readonly status: "failed"; readonly error: TaskFailure; readonly abandoned?: true }
  | { readonly status: "cancelled"; readonly reason: string; readonly cause?: unknown; readonly abandoned?: true }
  | {
      readonly status: "interrupted";
      readonly reason: InterruptReason;
      readonly instanceId?: string;
      readonly pid?: number;
      /** Present when the task was not resumed because its attempts were used up: how many failed, or died with their process. */
      readonly attemptsUsed?: number;
      readonly abandoned?: true;
    }
);

export interface Progress {
  readonly current?: number | undefined;
  readonly total?: number | undefined;
  readonly unit?: string | undefined;
  readonly label?: string | undefined;
}

/** One report, added to what was reported before. */
export interface UsageReport {
  readonly inputTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  readonly costUsd?: number | undefined;
}
/** Sums over a task and everything below it, detached tasks too. `tasks` counts the task itself. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number;
  readonly tasks: number;
}

/**
 * A limit on a whole subtree: the task that carries it, and everything below it, detached tasks too. `tokens` is input + output, `tasks` counts as
 * `Usage` does. Overspending fails the task that carries it (`budget_exceeded`) and sweeps what is below.
 */
export interface Budget {
  tokens?: number | undefined;
  costUsd?: number | undefined;
  tasks?: number | undefined;
}

/** Something a task made: a path, a url, both, or `data`, which is a chunk: artifacts append, and a reader joins the chunks of one `name`. */
export type Artifact = { readonly name: string; readonly type: string } & (
  | { readonly path: string; readonly url?: string }
  | { readonly url: string }
  | { readonly data: string; readonly encoding: "utf8" | "base64" }
);
/** `data` beside a `path` or a `url` is a `TypeError`. */
export type ArtifactInput = { readonly name: string; readonly type: string } & (
  | { readonly path: string; readonly url?: string | undefined; readonly data?: undefined }
  | { readonly path?: undefined; readonly url: string; readonly data?: undefined }
  | { readonly path?: undefined; readonly url?: undefined; readonly data: string | Uint8Array }
);

/** Where else this task lives. Merged field by field, `resourceIds` without duplicates. */
export interface TaskLinks {
  readonly childSessionId?: string;
  readonly remoteTaskId?: string;
  readonly resourceIds?: readonly string[];
}
export interface LinksInput {
  readonly childSessionId?: string | undefined;
  readonly remoteTaskId?: string | undefined;
  readonly resourceIds?: readonly string[] | undefined;
}

/** Amounts that one start takes from the windows of its lane, by unit. */
export interface Weight {
  /** A finite number ≥ 0. Default 1 for `starts`, 0 for every other unit. */
  readonly [unit: string]: number;
}

/** The process that ran an attempt. */
export interface Runtime {
  readonly instanceId: string;
  readonly pid: number;
  readonly startedAt: number;
}

/** When a task's doings become notices of its owner: never; when it ends; also messages, questions and custom events. */
export type Wake = "silent" | "onTerminal" | "onActivity";
/** What a returning task does with children that still live: wait for them, cancel them, let them go. */
export type ChildrenPolicy = "await" | "cancel" | "detach";

/** Everything errand knows of a task: a frozen snapshot, plain JSON. A later change makes a new one. */
export interface TaskRecord {
  readonly id: string;
  /** Absent for a plain function. */
  readonly kind?: string;
  readonly name?: string;
  readonly title?: string;
  readonly agent?: string;
  /** Who had it started, in the spawner's words; default the `agent` of the task it is a child of. */
  readonly createdBy?: string;
  readonly status: TaskStatus;
  /** 1 for the first execution. Each retry adds 1, and so does each restart that resumes the task. Only some of them count for `retry.maxAttempts`. */
  readonly attempt: number;
  /** Every pending wait; empty unless the task is `blocked`, or `queued` and parked, or `queued` and waits for its rate. */
  readonly blockedOn: readonly Wait[];

  readonly sessionId?: string;
  readonly parentId?: string;
  readonly rootId: string;
  readonly depth: number;
  readonly runId?: string;
  readonly callId?: string;
  readonly detached: boolean;
  readonly children: ChildrenPolicy;
  readonly lane: string;
  readonly laneKey?: string;
  readonly priority: number;
  readonly wake: Wake;

  /** Of a kind: as it was passed, before its schema. */
  readonly input?: Json;
  /**
   * The result of a `succeeded` task, as JSON: a `Date` or `URL` is its text. Absent when JSON cannot carry the result (bytes, a `Map`, a stream, a
   * function, `NaN`, a cycle), and then `outputOmitted` says where and why: `"$.image: a Buffer"`. Absent too where the store has lost it:
   * `outputOmitted` says from where. In this process `result()` gives the very value; after a restart it gives what is kept here.
   */
  readonly output?: Json;
  readonly outputOmitted?: string;
  /** Why it failed; of one that is tried again, why its last attempt did. */
  readonly error?: TaskFailure;
  /** What stopped it, and the words that came with it. */
  readonly stopReason?: StopReason;
  readonly reason?: string;
  readonly cancelRequestedAt?: number;

  readonly progress?: Progress;
  readonly summary?: string;
  readonly usage: Usage;
  readonly budget?: Readonly<Budget>;
  /** Amounts that each start of the task takes from the windows of its lane, if its spawn or its kind says so. */
  readonly weight?: Weight;
  readonly artifacts: readonly Artifact[];
  readonly links: TaskLinks;
  readonly tags: readonly string[];
  readonly metadata: { readonly [key: string]: Json };

  /** Absent until the first start. */
  readonly runtime?: Runtime;
  readonly heartbeatAt?: number;
  readonly createdAt: number;
  readonly startedAt?: number;
  readonly finishedAt?: number;
  readonly updatedAt: number;
  /** Of a queued retry: it is outside the line until then. */
  readonly notBeforeAt?: number;
  /** Its own or the nearest one inherited. */
  readonly totalDeadlineAt?: number;
}

/** Every given field must fit; `tags` must all be there. */
export interface TaskFilter {
  status?: TaskStatus | readonly TaskStatus[] | undefined;
  kind?: string | undefined;
  name?: string | undefined;
  agent?: string | undefined;
  sessionId?: string | undefined;
  parentId?: string | undefined;
  rootId?: string | undefined;
  runId?: string | undefined;
  lane?: string | undefined;
  tags?: readonly string[] | undefined;
}

export interface TaskTree {
  readonly record: TaskRecord;
  readonly usage: Usage;
  readonly children: readonly TaskTree[];
}
