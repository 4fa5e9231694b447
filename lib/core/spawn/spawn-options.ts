// Spawn options: what may be said of a task when it is spawned, and what its record says of it then.
//
// Checks what is said, whatever there is; whether there is room for the task is asked in `spawn.ts`.

import type { KindParts } from "../task/kind-parts.js";
import type { Budget, ChildrenPolicy, Wake, Weight } from "../task/record.js";
import type { RetryOptions, RetryPolicy } from "../task/retry.js";
import {
  NO_DETAILS,
  NO_TRAITS,
  type TaskDetails,
  type TaskLimits,
  type TaskTraits,
  WAKING_TRAITS,
} from "../task/state.js";
import {
  checkFinite,
  checkKnown,
  checkMs,
  checkOneOf,
  checkSignal,
  checkTags,
  checkText,
  checkType,
  takeObject,
} from "../values/checks.js";
import type { Json } from "../values/json.js";
import { takeBudget } from "./budget.js";

/** Options of one spawn. `R` is the type by which a parent may be named. A field that errand does not know is a `TypeError`. */
export interface SpawnOptions<R = unknown> {
  /**
   * The same id gives the same task, running or ended, as long as its record is kept; the function given with it is then ignored. The same id with
   * another kind, input, parent or session is an `IdConflictError`. Over a store that several processes share, an id is one for all of them:
   * a second process that spawns it waits for the first. So its function starts once the id is stored, with
   * `durability: "relaxed"` too.
   */
  id?: string | undefined;
  /**
   * A second address beside the id, within the session: `session.get`, `awaitTasks` and the tools of a model take it while the task lives.
   * Unique among the living tasks of the session: `NameTakenError`, `ReservedNameError`.
   */
  name?: string | undefined;
  title?: string | undefined;
  agent?: string | undefined;
  /** Who has it started, for those who read the record: `"user"`, an agent's name. Default the `agent` of the task it is a child of. */
  createdBy?: string | undefined;
  /** A declared lane, or `UnknownLaneError`. Default the kind's, else `"default"`, the lane of the manager's own `concurrency`. */
  lane?: string | undefined;
  /** Keys with tasks in line take turns in a lane, for example one key for each user. `perKey` of the lane bounds each of them. */
  laneKey?: string | undefined;
  /** Higher goes earlier, by `agingMs` a step; nothing starves. Default 0. */
  priority?: number | undefined;
  /**
   * Which events of the task become notices of its owner's loop. Default: `onTerminal` for spawns of a named session, and for the children of a task whose loop reads notices,
   * before or after the spawn; `silent` elsewhere.
   */
  wake?: Wake | undefined;
  /** The parent of the new task; inside a task's function the default is that task. `TaskNotFoundError`, `TaskTerminatedError`. */
  parent?: R | undefined;
  /** Makes a root, also inside a task. Default false. With `parent` it is a `TypeError`. */
  root?: boolean | undefined;
  /** A child on its own: its parent neither waits for it nor cancels it. Usage and budgets still pass through. */
  detached?: boolean | undefined;
  /** What happens to the children that still live when the function has returned: they are awaited (default), cancelled or detached. */
  children?: ChildrenPolicy | undefined;
  /** The run of the agent loop; children inherit it, and `agent`. */
  runId?: string | undefined;
  /**
   * The model's tool call. In a session and `runId`, the same call with the same kind and input gives the same task, as long as its record is
   * kept; a replay therefore spawns once. With another kind or input it spawns a new task, because the call ids of some providers are unique
   * for one turn only. For a plain function the `callId` alone counts.
   */
  callId?: string | undefined;
  /**
   * How long each attempt may compute: counted only while `running`, not in line and not in a wait. When the time is over, the attempt is
   * stopped, and the task fails with `timeout` whatever the function returns, or is retried. A function that ignores its signal has `graceMs`
   * more before the outcome is delivered. Milliseconds ≥ 0; default no limit.
   */
  timeoutMs?: number | undefined;
  /**
   * How long each attempt may take from its start to the end of its function: its waits and the time on the way back to a slot count too, the
   * time in line before the start does not. Otherwise as `timeoutMs`: the code is `timeout`, and `reason` of the record is `elapsed_timeout`.
   * Milliseconds ≥ 0; default no limit.
   */
  elapsedTimeoutMs?: number | undefined;
  /**
   * How long the task may take from its spawn to its end, over all attempts, retries and restarts, time in line included. When the time is over, the
   * task fails with `total_timeout`, is not retried, and everything below it is cancelled; `graceMs` as for `timeoutMs`. Milliseconds ≥ 0; default
   * no limit.
   */
  totalTimeoutMs?: number | undefined;
  /**
   * How long the task may be `running` without a sign of life (`ctx.heartbeat()`, progress, output, a message). When the time is over, it
   * fails with `stalled`, or is retried. Milliseconds ≥ 0; default no limit.
   */
  stallTimeoutMs?: number | undefined;
  /** How long the function may take to settle after a stop; afterwards it is abandoned. Milliseconds ≥ 0; default the manager's. */
  graceMs?: number | undefined;
  /**
   * Amounts that each start takes from the windows of its lane: `{ tokens: 2_000 }`. Default 1 for `starts`, 0 for every other unit, or the kind's.
   * `ctx.reportUsage` replaces its `tokens` by the input and output tokens that the attempt has reported so far. More than the limit of a window can
   * never start: `RangeError`. A unit that no window of the manager counts is a `TypeError`, unless there is no window at all.
   */
  weight?: { readonly [unit: string]: number | undefined } | undefined;
  /** Runs the task again when it fails. Default the kind's, else no retry. */
  retry?: RetryOptions | undefined;
  /** Amounts that the task and everything below it may use. Overspending fails the task with `budget_exceeded`. Default no limit. */
  budget?: Budget | undefined;
  tags?: readonly string[] | undefined;
  metadata?: { readonly [key: string]: unknown } | undefined;
  /** Aborting it cancels the task, with the signal's reason as words. Aborted already, the task is cancelled before it starts. */
  signal?: AbortSignal | undefined;
}

/** What a kind is recorded as. */
export interface KindWork {
  readonly kind: string | undefined;
  readonly input: Json | undefined;
  readonly parts: KindParts | undefined;
}
export const NO_KIND: KindWork = Object.freeze({ kind: undefined, input: undefined, parts: undefined });

export const NO_OPTIONS: SpawnOptions = Object.freeze({});

interface Beside {
  /** The traits of the parent. */
  readonly inherited: TaskTraits | undefined;
  /** When its spawner says nothing of that. */
  readonly wake: Wake | undefined;
  /** Taken before. */
  readonly weight: Weight | undefined;
}

export function traitsOf(
  options: SpawnOptions,
  made: KindWork,
  { inherited, wake, weight }: Beside,
  retry: RetryPolicy | undefined,
  now: number,
): TaskTraits {
  const isPlain = options === NO_OPTIONS && made === NO_KIND;
  if (isPlain && inherited?.agent === undefined && inherited?.runId === undefined)
    return wake === undefined ? NO_TRAITS : WAKING_TRAITS[wake];
  const { name, callId, laneKey, priority = 0, children = "await" } = options;
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
    limits: limitsOf(options, retry, now),
    hasGivenId: options.id !== undefined,
    wake: options.wake ?? wake,
    budget: takeBudget(options.budget),
    weight,
  };
}

/** Finite, so that the journal can carry them: `Infinity` is none, and a grace of that length does not end. */
function limitsOf(options: SpawnOptions, retry: RetryPolicy | undefined, now: number): TaskLimits | undefined {
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

export function detailsOf(options: SpawnOptions): TaskDetails {
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

const SPAWN_OPTIONS: ReadonlySet<string> = new Set<keyof SpawnOptions | "input">([
  "input",
  ...(["id", "name", "title", "agent", "lane", "laneKey", "priority", "parent", "root", "detached"] as const),
  ...(["children", "runId", "callId", "timeoutMs", "totalTimeoutMs", "stallTimeoutMs", "elapsedTimeoutMs"] as const),
  ...(["graceMs", "tags", "metadata", "signal", "createdBy", "wake", "retry", "budget", "weight"] as const),
]);

/** Before an input is parsed: a misspelt `input` is no input that does not fit. */
export function checkSpawnNames(options: object): void {
  checkKnown("spawn", options, SPAWN_OPTIONS);
}

/** Checks the values of options whose names `checkSpawnNames` has accepted. */
export function checkSpawnOptions(options: SpawnOptions): void {
  checkText("id", options.id);
  checkText("name", options.name);
  checkText("title", options.title);
  checkText("agent", options.agent);
  checkText("createdBy", options.createdBy);
  checkOneOf("wake", options.wake, ["silent", "onTerminal", "onActivity"]);
  checkText("lane", options.lane);
  checkText("laneKey", options.laneKey);
  checkText("runId", options.runId);
  checkText("callId", options.callId);
  checkFinite("priority", options.priority);
  checkOneOf("children", options.children, ["await", "cancel", "detach"]);
  for (const flag of ["root", "detached"] as const)
    if (options[flag] !== undefined) checkType(flag, options[flag], "boolean");
  if (options.root && options.parent !== undefined) throw new TypeError("root and parent exclude each other: give one");
  checkMs("timeoutMs", options.timeoutMs);
  checkMs("totalTimeoutMs", options.totalTimeoutMs);
  checkMs("stallTimeoutMs", options.stallTimeoutMs);
  checkMs("elapsedTimeoutMs", options.elapsedTimeoutMs);
  checkMs("graceMs", options.graceMs);
  checkTags("tags", options.tags);
  checkSignal("signal", options.signal);
}
