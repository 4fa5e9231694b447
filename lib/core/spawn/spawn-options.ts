// Spawn options: the options of one spawn, and the part of them that the task keeps.
//
// Owns the public contract. `option-table.ts` checks the options; `spawn.ts` checks the manager and the lane. Called by
// the spawner.

import type { KindParts } from "../task/kind-parts.js";
import type { Budget, ChildrenPolicy, Wake, Weight } from "../task/record.js";
import type { RetryOptions, RetryPolicy } from "../task/retry.js";
import { NO_DETAILS, type TaskDetails } from "../task/state.js";
import { NO_TRAITS, type TaskLimits, type TaskTraits, WAKING_TRAITS } from "../task/traits.js";
import { takeObject } from "../values/checks.js";
import type { Json } from "../values/json.js";
import { takeBudget } from "./budget.js";

/** Options of one spawn. `R` is the type that names a parent. An unknown field is a `TypeError`. */
export interface AnySpawnOptions<R = unknown> {
  /**
   * The id of the task. A second spawn with the same id returns the same task, running or ended, while its record is
   * kept; the function of the second spawn is ignored. The same id with another kind, input, parent or session is an
   * `IdConflictError`. In a store that several processes share, an id exists once for all processes: a second process
   * that spawns it waits for the first. There the function starts once the id is stored, also with
   * `durability: "relaxed"`. Default a new id.
   */
  id?: string | undefined;
  /**
   * A second address of the task within its session: `session.get`, `awaitTasks` and the tools of a model accept it
   * while the task lives. The name is unique among the living tasks of the session, otherwise `NameTakenError`;
   * `ReservedNameError` for `parent`, `self`, `all` and `broadcast`.
   */
  name?: string | undefined;
  /** A short text about the task, for people and models. */
  title?: string | undefined;
  /** The name of the agent that does the work. Default that of the parent. */
  agent?: string | undefined;
  /**
   * The name of the party that started the task, such as `"user"` or an agent, for readers of the record. Default the
   * `agent` of the parent.
   */
  createdBy?: string | undefined;
  /**
   * A declared lane, otherwise `UnknownLaneError`. Default the kind's lane, else `"default"`, which has the
   * `concurrency` of the manager.
   */
  lane?: string | undefined;
  /**
   * Groups the tasks of a lane, for example one key for each user. Keys with tasks in line take turns. `perKey` of the
   * lane bounds each key.
   */
  laneKey?: string | undefined;
  /**
   * A task with a higher priority starts earlier: each step counts like `agingMs` of waiting, so no task starves. A
   * spawn takes a free slot at once: of several spawns in one turn, the first calls get the free slots, whatever their
   * priority, and priority orders the tasks that stand in line. Default 0.
   */
  priority?: number | undefined;
  /**
   * Selects the events of the task that become notices of its owner's loop. Default `onTerminal` for spawns of a named
   * session and for children of a task whose loop reads notices, before or after the spawn; otherwise `silent`.
   */
  wake?: Wake | undefined;
  /**
   * The parent of the new task. Default, inside a task's function, that task. Throws `TaskNotFoundError` for an unknown
   * parent, `TaskTerminatedError` or `ScopeCancelledError` for one that has ended or is stopped.
   */
  parent?: R | undefined;
  /** Makes a root, also inside a task. Default false. `root` together with `parent` is a `TypeError`. */
  root?: boolean | undefined;
  /**
   * Makes a child that its parent neither waits for nor cancels. Its usage still counts in the budgets above it.
   * Default false.
   */
  detached?: boolean | undefined;
  /**
   * The fate of children that still live when the function has returned: `await` (default), `cancel` or
   * `detach`.
   */
  children?: ChildrenPolicy | undefined;
  /** The run of the agent loop. Default that of the parent. */
  runId?: string | undefined;
  /**
   * The id of the model's tool call. In one session and `runId`, the same call with the same kind and input returns the
   * same task while its record is kept, so a replayed call spawns once. With another kind or input it spawns a new
   * task, because the call ids of some providers are unique for one turn only. For a plain function the `callId` alone
   * counts.
   */
  callId?: string | undefined;
  /**
   * The longest time that each attempt may compute. Only time with status `running` counts: no time in line and no
   * wait, such as the wait for children; `elapsedTimeoutMs` counts these. An attempt over the limit is stopped, and the
   * task fails with `timeout` whatever the function returns, or is retried. A function that ignores its signal has
   * `graceMs` more before the outcome is delivered. Milliseconds ≥ 0; default no limit.
   */
  timeoutMs?: number | undefined;
  /**
   * The longest time from the start of an attempt to the end of its function. Waits and the way back to a slot count
   * too; the time in line before the start does not. An attempt over the limit is stopped, and its living attached
   * children are cancelled. Otherwise like `timeoutMs`: the code is `timeout` too, and `reason` of the record tells the
   * two apart, `elapsed_timeout` or `timeout`. Milliseconds ≥ 0; default no limit.
   */
  elapsedTimeoutMs?: number | undefined;
  /**
   * The longest time from the spawn to the end of the task, over all attempts, retries and restarts, time in line
   * included. A task over the limit fails with `total_timeout` and is not retried, and all attached tasks below it are
   * cancelled. `graceMs` counts as for `timeoutMs`. Milliseconds ≥ 0; default no limit.
   */
  totalTimeoutMs?: number | undefined;
  /**
   * The longest time that the task may be `running` without a sign of life (`ctx.heartbeat()`, progress, output, a
   * message). A task over the limit fails with `stalled`, or is retried. Milliseconds ≥ 0; default no limit.
   */
  stallTimeoutMs?: number | undefined;
  /**
   * The longest time that the function may take to settle after a stop. A function that takes longer is abandoned.
   * Milliseconds ≥ 0; default that of the manager.
   */
  graceMs?: number | undefined;
  /**
   * Amounts that each start takes from the windows of its lane: `{ tokens: 2_000 }`. Default the kind's weight, else 1
   * for `starts` and 0 for every other unit. `ctx.reportUsage` replaces `tokens` by the input and output tokens that
   * the attempt has reported. An amount above the limit of a window could never start: `RangeError`. A unit that no
   * window of the manager counts is a `TypeError`, unless the manager has no window.
   */
  weight?: { readonly [unit: string]: number | undefined } | undefined;
  /** Runs the task again when it fails. Default the kind's, else no retry. */
  retry?: RetryOptions | undefined;
  /**
   * Amounts that the task and everything below it may use. Overspending fails the task with `budget_exceeded`. Default
   * no limit.
   */
  budget?: Budget | undefined;
  /** Labels for `list({ tags })`. Default none. */
  tags?: readonly string[] | undefined;
  /** JSON values that the record keeps. Default none. */
  metadata?: { readonly [key: string]: unknown } | undefined;
  /**
   * Aborting the signal cancels the task, with the signal's reason as its reason. With a signal that is already
   * aborted, the task is cancelled before it starts.
   */
  signal?: AbortSignal | undefined;
}

/** The kind and the input of a spawn; all fields are `undefined` for a plain function. */
export interface KindWork {
  /** The name of the kind. */
  readonly kind: string | undefined;
  /** The parsed input. */
  readonly input: Json | undefined;
  /** The functions of the kind. */
  readonly parts: KindParts | undefined;
}
/** The spawn of a plain function. */
export const NO_KIND: KindWork = Object.freeze({ kind: undefined, input: undefined, parts: undefined });

/** Options whose names and values are right, with the input of a kind. */
export type TakenOptions<R = unknown> = AnySpawnOptions<R> & { readonly input?: unknown };

/** A spawn without options; compared by identity. */
export const NO_OPTIONS: TakenOptions<never> = Object.freeze({});

/** Where a spawn takes the values that its options do not give. */
interface SpawnDefaults {
  /** The parent, whose agent and run count for its children. */
  readonly parent: { readonly traits: TaskTraits } | undefined;
  /** The `wake` of the spawning scope. */
  readonly wake?: Wake | undefined;
}

/** The traits of a new task: what its record keeps for its whole life. `weight` and `retry` are checked. */
export function traitsOf(
  options: AnySpawnOptions,
  made: KindWork,
  { parent, wake }: SpawnDefaults,
  weight: Weight | undefined,
  retry: RetryPolicy | undefined,
  now: number,
): TaskTraits {
  const inherited = parent?.traits;
  const isPlain = options === NO_OPTIONS && made === NO_KIND;
  if (isPlain && inherited?.agent === undefined && inherited?.runId === undefined)
    return wake === undefined ? NO_TRAITS : WAKING_TRAITS[wake];
  const { name, callId, laneKey, priority = 0, children = "await" } = options;
  // One literal: a spread of an object costs as much as the rest of the spawn.
  return {
    kind: made.kind,
    input: made.input,
    name,
    agent: options.agent ?? inherited?.agent,
    createdBy: options.createdBy ?? inherited?.agent,
    runId: options.runId ?? inherited?.runId,
    callId,
    laneKey,
    priority,
    children,
    budget: takeBudget(options.budget),
    weight,
    limits: limitsOf(options, retry, now),
    hasGivenId: options.id !== undefined,
    wake: options.wake ?? wake,
  };
}

/**
 * The time limits without `Infinity`, which the journal cannot carry: a missing limit is no limit, and an infinite
 * grace becomes the largest safe integer.
 */
function limitsOf(options: AnySpawnOptions, retry: RetryPolicy | undefined, now: number): TaskLimits | undefined {
  const { timeoutMs = Infinity, totalTimeoutMs = Infinity, stallTimeoutMs = Infinity, graceMs } = options;
  const { elapsedTimeoutMs = Infinity } = options;
  const isTimeless = Math.min(timeoutMs, totalTimeoutMs, stallTimeoutMs, elapsedTimeoutMs) === Infinity;
  if (isTimeless && graceMs === undefined && retry === undefined) return undefined;
  return Object.freeze({
    ...(timeoutMs === Infinity ? {} : { timeoutMs }),
    ...(stallTimeoutMs === Infinity ? {} : { stallTimeoutMs }),
    ...(elapsedTimeoutMs === Infinity ? {} : { elapsedTimeoutMs }),
    ...(totalTimeoutMs === Infinity ? {} : { totalDeadlineAt: now + totalTimeoutMs }),
    ...(graceMs === undefined ? {} : { graceMs: Math.min(graceMs, Number.MAX_SAFE_INTEGER) }),
    ...(retry === undefined ? {} : { retry: retry.limits }),
  });
}

/** The first details of a new task: what its function may change later. Reading `metadata` may run user code. */
export function detailsOf(options: AnySpawnOptions): TaskDetails {
  const { title, detached, tags, metadata } = options;
  if (title === undefined && !detached && tags === undefined && metadata === undefined) return NO_DETAILS;
  return Object.freeze({
    ...NO_DETAILS,
    title,
    detached: detached ?? false,
    tags: Object.freeze([...(tags ?? [])]),
    metadata: metadata === undefined ? NO_DETAILS.metadata : takeObject("metadata", metadata),
  });
}
