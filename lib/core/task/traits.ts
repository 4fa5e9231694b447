// Traits: the facts of a task that its spawn fixes and that never change.
//
// Owns types and the shared objects of spawns without options.

import type { Json } from "../values/json.js";
import type { Budget, ChildrenPolicy, Wake, Weight } from "./record.js";

/**
 * How long, and how often, a task may run. These are its own limits: an inherited one changes when an ancestor is
 * detached.
 */
export interface TaskLimits {
  /** Milliseconds that an attempt may be `running`. */
  readonly timeoutMs?: number;
  /** Milliseconds that an attempt may run without a sign of life. */
  readonly stallTimeoutMs?: number;
  /** Milliseconds between the start and the end of an attempt, waits included. */
  readonly elapsedTimeoutMs?: number;
  /** Milliseconds that the function may take to settle after a stop. */
  readonly graceMs?: number;
  /** Instant at which the task must have ended. */
  readonly totalDeadlineAt?: number;
  /** How often the task runs again. */
  readonly retry?: RetryLimits;
}

/** How often, and after which delay, a task runs again: the part of `retry` that a journal can carry. */
export interface RetryLimits {
  /** Number of attempts in all. */
  readonly maxAttempts: number;
  /** Milliseconds before the second attempt. */
  readonly backoffMs: number;
  /** Factor from one delay to the next. */
  readonly factor: number;
  /** Whether delays are spread. */
  readonly jitter: boolean;
}

/** The options of a spawn that never change. All spawns without options share one object. */
export interface TaskTraits {
  /** Name of the kind. `undefined` for a plain function. */
  readonly kind: string | undefined;
  /** Input of a kind, as it was passed. */
  readonly input: Json | undefined;
  /** Second address within the session. */
  readonly name: string | undefined;
  /** Name of the agent that does the work. */
  readonly agent: string | undefined;
  /** Person or program that had the task started. */
  readonly createdBy: string | undefined;
  /** The run of the agent loop. */
  readonly runId: string | undefined;
  /** The tool call of the model. */
  readonly callId: string | undefined;
  /** Key within the lane. */
  readonly laneKey: string | undefined;
  /** Higher starts earlier. */
  readonly priority: number;
  /** Rule for the children that are alive when the function returns. */
  readonly children: ChildrenPolicy;
  /** How long, and how often, the task may run. */
  readonly limits: TaskLimits | undefined;
  /** The spawner chose the id, and can find the task by it. */
  readonly hasGivenId: boolean;
  /** Which events become notices. `undefined`: it follows from whether the loop of the parent reads notices. */
  readonly wake: Wake | undefined;
  /** Limit on what the subtree may use. */
  readonly budget: Readonly<Budget> | undefined;
  /** Amounts that each start of the task takes from the windows of its lane. */
  readonly weight: Weight | undefined;
}
/** The shared traits of a spawn without options. */
export const NO_TRAITS: TaskTraits = Object.freeze({
  kind: undefined,
  input: undefined,
  name: undefined,
  agent: undefined,
  createdBy: undefined,
  runId: undefined,
  callId: undefined,
  laneKey: undefined,
  priority: 0,
  children: "await",
  limits: undefined,
  hasGivenId: false,
  wake: undefined,
  budget: undefined,
  weight: undefined,
});
/** The shared traits of spawns whose only option is `wake`: spawns of a session, or of `ctx.map`. */
export const WAKING_TRAITS: { readonly [W in Wake]: TaskTraits } = Object.freeze({
  silent: Object.freeze({ ...NO_TRAITS, wake: "silent" }),
  onTerminal: Object.freeze({ ...NO_TRAITS, wake: "onTerminal" }),
  onActivity: Object.freeze({ ...NO_TRAITS, wake: "onActivity" }),
});

/** The facts of a task that are fixed when it is created. */
export interface TaskSpec {
  /** Id of the task. */
  readonly id: string;
  /** The session of the task. */
  readonly sessionId: string | undefined;
  /** The parent task. */
  readonly parentId: string | undefined;
  /** The topmost ancestor, or the task itself. */
  readonly rootId: string;
  /** Number of ancestors. */
  readonly depth: number;
  /** Name of the lane. */
  readonly laneName: string;
  /** Instant of the spawn. */
  readonly createdAt: number;
  /** The options of its spawn. */
  readonly traits: TaskTraits;
}
