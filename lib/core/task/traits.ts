// Traits: the facts of a task that its spawn fixes and that never change.
//
// Owns the list of the traits that a record shows, and the shared objects of spawns without options.

import type { TaskRecord, Wake } from "./record.js";

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

/**
 * The traits that a record shows under the same name, each with its value when a spawn sets none. The record, the
 * snapshot and the restored task read this list, so a new trait is one more line here and in `TaskRecord`; the
 * compiler then asks `traitsOf` for it.
 */
const SHOWN = {
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
  budget: undefined,
  weight: undefined,
} as const satisfies { readonly [K in keyof TaskRecord]?: TaskRecord[K] | undefined };

/** The name of a trait that the record shows. */
type ShownTrait = keyof typeof SHOWN;

/** The names of the traits that a record shows. */
export const SHOWN_TRAITS = Object.keys(SHOWN) as readonly ShownTrait[];

/** The traits that a record shows, with the types of the record. */
type ShownTraits = { readonly [K in ShownTrait]: TaskRecord[K] };

/** Some of the traits that a record shows. */
type SomeTraits = { [K in ShownTrait]?: TaskRecord[K] | undefined };

/** An object while it is made. */
export type Growing<T> = { -readonly [K in keyof T]: T[K] };

/** Copies the traits that `from` has: from a task to its record, or back. */
export function copyShown(from: Readonly<SomeTraits>, to: SomeTraits): void {
  for (const name of SHOWN_TRAITS) if (from[name] !== undefined) copyTrait(name, from, to);
}

function copyTrait<K extends ShownTrait>(name: K, from: Readonly<SomeTraits>, to: SomeTraits): void {
  to[name] = from[name];
}

/** The facts of a task that never change. All spawns without options share one object. */
export interface TaskTraits extends ShownTraits {
  /** How long, and how often, the task may run. */
  readonly limits: TaskLimits | undefined;
  /** The spawner chose the id, and can find the task by it. */
  readonly hasGivenId: boolean;
  /** Which events become notices. `undefined`: it follows from whether the loop of the parent reads notices. */
  readonly wake: Wake | undefined;
}
/** The shared traits of a spawn without options. */
export const NO_TRAITS: TaskTraits = Object.freeze({
  ...SHOWN,
  limits: undefined,
  hasGivenId: false,
  wake: undefined,
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
