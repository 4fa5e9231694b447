// Record: the public, frozen snapshot of a task, as plain JSON.
//
// Owns types only. `state.ts` has the state that the rules use, and makes the snapshot from it.

import type { Json } from "../values/json.js";
import type { TaskFailure } from "./outcome.js";
import type { StopReason, TaskStatus } from "./status.js";
import type { Wait } from "./wait.js";

export type { FailureCause, TaskFailure, TaskOutcome } from "./outcome.js";
export type { Wait } from "./wait.js";

/** How far a task has come. Each report replaces the one before. */
export interface Progress {
  /** Amount that is done. */
  readonly current?: number | undefined;
  /** Amount in all. */
  readonly total?: number | undefined;
  /** Unit that `current` and `total` count (`"files"`). */
  readonly unit?: string | undefined;
  /** Text for people: what the task does now. */
  readonly label?: string | undefined;
}

/** One report of usage. Reports are added up. */
export interface UsageReport {
  /** Tokens that a model read. */
  readonly inputTokens?: number | undefined;
  /** Tokens that a model wrote. */
  readonly outputTokens?: number | undefined;
  /** Cost in US dollars. */
  readonly costUsd?: number | undefined;
}
/** Sums over a task and everything below it, detached tasks included. */
export interface Usage {
  /** Tokens that models read. */
  readonly inputTokens: number;
  /** Tokens that models wrote. */
  readonly outputTokens: number;
  /** Cost in US dollars. */
  readonly costUsd: number;
  /** Number of tasks, the task itself included. */
  readonly tasks: number;
}

/**
 * A limit on a whole subtree: the task that carries it, and everything below it, detached tasks included. Overspending
 * fails the task that carries it with `budget_exceeded` and cancels the tasks below it.
 */
export interface Budget {
  /** Input and output tokens together. */
  tokens?: number | undefined;
  /** Cost in US dollars. */
  costUsd?: number | undefined;
  /** Number of tasks, the task that carries the budget included. */
  tasks?: number | undefined;
}

/**
 * Something that a task made: a path, a url, both, or `data`. Artifacts are appended, never replaced: `data` is one
 * chunk, and a reader joins the chunks of one `name`.
 */
export type Artifact = {
  /** Name of the artifact. Several artifacts may have the same name. */
  readonly name: string;
  /** Type of the content, such as a media type. */
  readonly type: string;
} & (
  | {
      /** Path of a file. */
      readonly path: string;
      /** Address of the same content. */
      readonly url?: string;
    }
  | {
      /** Address of the content. */
      readonly url: string;
    }
  | {
      /** One chunk of the content. */
      readonly data: string;
      /** How `data` is encoded. */
      readonly encoding: "utf8" | "base64";
    }
);
/** An artifact as a caller passes it. `data` together with a `path` or a `url` is a `TypeError`. */
export type ArtifactInput = {
  /** Name of the artifact. Several artifacts may have the same name. */
  readonly name: string;
  /** Type of the content, such as a media type. */
  readonly type: string;
} & (
  | {
      /** Path of a file. */
      readonly path: string;
      /** Address of the same content. */
      readonly url?: string | undefined;
      /** Absent beside a `path`. */
      readonly data?: undefined;
    }
  | {
      /** Absent. */
      readonly path?: undefined;
      /** Address of the content. */
      readonly url: string;
      /** Absent beside a `url`. */
      readonly data?: undefined;
    }
  | {
      /** Absent beside `data`. */
      readonly path?: undefined;
      /** Absent beside `data`. */
      readonly url?: undefined;
      /** One chunk: a text is kept as UTF-8, bytes as base64. */
      readonly data: string | Uint8Array;
    }
);

/** Other places where the work of this task lives. Merged field by field. */
export interface TaskLinks {
  /** Session of a subagent that does the work. */
  readonly childSessionId?: string;
  /** Id of the task in another system. */
  readonly remoteTaskId?: string;
  /** Ids of resources outside, without duplicates, in order of arrival. */
  readonly resourceIds?: readonly string[];
}
/** Links to add to a task. A field that is left out keeps its value. */
export interface LinksInput {
  /** Session of a subagent that does the work. Replaces the one before. */
  readonly childSessionId?: string | undefined;
  /** Id of the task in another system. Replaces the one before. */
  readonly remoteTaskId?: string | undefined;
  /** Ids of resources outside. They are added to the ids that are there. */
  readonly resourceIds?: readonly string[] | undefined;
}

/** Amounts that one start takes from the windows of its lane, by unit. */
export interface Weight {
  /** A finite number ≥ 0. Default 1 for `starts`, 0 for every other unit. */
  readonly [unit: string]: number;
}

/** The process that runs, or ran, an attempt. */
export interface Runtime {
  /** Id of the manager instance. Every process and every manager has its own. */
  readonly instanceId: string;
  /** Id of the process. */
  readonly pid: number;
  /** Instant at which the manager was made, in epoch milliseconds. */
  readonly startedAt: number;
}

/**
 * Which events of a task become notices of its owner: none (`silent`), its end (`onTerminal`), or its end and also its
 * messages, questions and custom events (`onActivity`).
 */
export type Wake = "silent" | "onTerminal" | "onActivity";
/**
 * Rule for the children that are alive when the function returns: the task waits for them, cancels them, or detaches
 * them.
 */
export type ChildrenPolicy = "await" | "cancel" | "detach";

/** Everything errand knows of a task: a frozen snapshot, plain JSON. A later change makes a new record. */
export interface TaskRecord {
  /** Id of the task, unique in its manager. */
  readonly id: string;
  /** Name of its kind. Absent for a plain function. */
  readonly kind?: string;
  /** Second address within the session, unique among its living tasks. */
  readonly name?: string;
  /** Short title for people and models. */
  readonly title?: string;
  /** Name of the agent that does the work. Children inherit it. */
  readonly agent?: string;
  /** Person or program that had the task started, as the spawner named it. Default: the `agent` of its parent. */
  readonly createdBy?: string;
  /** Status of the task. */
  readonly status: TaskStatus;
  /**
   * 1 for the first execution. Each retry adds 1, and so does each restart that resumes the task. Only some of them
   * count for `retry.maxAttempts`.
   */
  readonly attempt: number;
  /**
   * The pending waits in the order in which they began, at most the oldest 100. Empty unless the task is `blocked`, or
   * `queued` and parked, or `queued` and waits for its rate.
   */
  readonly blockedOn: readonly Wait[];

  /** The session of the task. Absent for a task without a session. */
  readonly sessionId?: string;
  /** The parent task. Absent for a root. */
  readonly parentId?: string;
  /** The topmost ancestor, or the task itself when it is a root. */
  readonly rootId: string;
  /** Number of ancestors: 0 for a root. */
  readonly depth: number;
  /** The run of the agent loop. Children inherit it. */
  readonly runId?: string;
  /** The tool call of the model that spawned the task. */
  readonly callId?: string;
  /** True: the parent neither waits for this task nor cancels it. */
  readonly detached: boolean;
  /** Rule for the children that are alive when the function returns. */
  readonly children: ChildrenPolicy;
  /** Name of its lane. */
  readonly lane: string;
  /** Key within the lane. Keys with tasks in line take turns. */
  readonly laneKey?: string;
  /** Higher starts earlier. Default 0. */
  readonly priority: number;
  /** Which events of the task become notices of its owner. */
  readonly wake: Wake;

  /** Input of a kind, as it was passed, before the schema of the kind changed it. */
  readonly input?: Json;
  /**
   * Result of a `succeeded` task, as JSON: a `Date` or `URL` is its text. Absent when JSON cannot carry the result
   * (bytes, a `Map`, a stream, a function, `NaN`, a cycle), or when the store has lost it; then `outputOmitted` says
   * where and why. In this process `result()` gives the very value; after a restart it gives what is kept here.
   */
  readonly output?: Json;
  /** Why there is no `output`, and at which place of the value: `"$.image: a Buffer"`. */
  readonly outputOmitted?: string;
  /** Why the task failed. For a task that is retried, why its last attempt failed. */
  readonly error?: TaskFailure;
  /** Code of the first stop. */
  readonly stopReason?: StopReason;
  /** Text of the stop, or of the interruption. */
  readonly reason?: string;
  /** Instant of the request to stop, in epoch milliseconds. */
  readonly cancelRequestedAt?: number;

  /** Newest progress that the task reported. */
  readonly progress?: Progress;
  /** Newest summary of the task. */
  readonly summary?: string;
  /** Usage of the task and everything below it. */
  readonly usage: Usage;
  /** Limit on what the task and everything below it may use. */
  readonly budget?: Readonly<Budget>;
  /**
   * Amounts that each start of the task takes from the windows of its lane. Absent when neither the spawn nor the kind
   * sets them.
   */
  readonly weight?: Weight;
  /** Everything the task made, in order. */
  readonly artifacts: readonly Artifact[];
  /** Other places where the work of this task lives. */
  readonly links: TaskLinks;
  /** Labels of the task. */
  readonly tags: readonly string[];
  /** Data that the spawner, or the task, attached. */
  readonly metadata: { readonly [key: string]: Json };

  /** The process of the newest attempt. Absent until the first start. */
  readonly runtime?: Runtime;
  /** Instant of the newest heartbeat, in epoch milliseconds. */
  readonly heartbeatAt?: number;
  /** Instant of the spawn, in epoch milliseconds. */
  readonly createdAt: number;
  /** Instant of the first start, in epoch milliseconds. */
  readonly startedAt?: number;
  /** Instant of the end, in epoch milliseconds. */
  readonly finishedAt?: number;
  /** Instant of the newest change, in epoch milliseconds. */
  readonly updatedAt: number;
  /** Present for a queued retry: it may not start before this instant, in epoch milliseconds. */
  readonly notBeforeAt?: number;
  /** The instant of `totalTimeoutMs`, its own or the nearest inherited one, in epoch milliseconds. */
  readonly totalDeadlineAt?: number;
}

/** Selects tasks. Every field that is given must match. */
export interface TaskFilter {
  /** One status, or several of which one must match. */
  status?: TaskStatus | readonly TaskStatus[] | undefined;
  /** Name of the kind. */
  kind?: string | undefined;
  /** Name of the task. */
  name?: string | undefined;
  /** Name of the agent. */
  agent?: string | undefined;
  /** Id of the session. */
  sessionId?: string | undefined;
  /** Id of the parent: selects direct children. */
  parentId?: string | undefined;
  /** Id of the topmost ancestor: selects a whole tree. */
  rootId?: string | undefined;
  /** Id of the run. */
  runId?: string | undefined;
  /** Name of the lane. */
  lane?: string | undefined;
  /** Tags that the task must all have. */
  tags?: readonly string[] | undefined;
}

/** A task, with everything below it. */
export interface TaskTree {
  /** Record of the task. */
  readonly record: TaskRecord;
  /** Usage of the task and everything below it. */
  readonly usage: Usage;
  /** Trees of its children. */
  readonly children: readonly TaskTree[];
}
