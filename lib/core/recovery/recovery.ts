// Recovery: what becomes of the tasks that an earlier process left (D4, H7).
//
// A stop that was asked for is carried out. What a kind may resume is asked for, parents first; what this process cannot resume and another may is
// parked; all else is over. Nothing runs here: what is resumed is returned, and starts once all of this is stored. The kinds share one time limit
// (§12): a task whose kind has not answered by then is parked until it does.

import pLimit, { type LimitFunction } from "p-limit";
import type { Requests } from "../inbox/requests.js";
import { workAgain } from "../kinds/kind.js";
import type { Kinds } from "../kinds/kind-registry.js";
import type { Lane } from "../lanes/lane.js";
import { attachedDescendantsOf } from "../live/family.js";
import type { Task } from "../live/task.js";
import type { Loop } from "../loop.js";
import type { Runner } from "../run/runner.js";
import type { Spawner } from "../spawn/spawn.js";
import { isStopped } from "../task/decide.js";
import type { KindParts } from "../task/kind-parts.js";
import type { Runtime, Wait } from "../task/record.js";
import type { StopReason } from "../task/status.js";
import { Alarm } from "../time/clock.js";
import { show } from "../values/checks.js";
import { ignore } from "../values/handled.js";
import type { GuardedLogger } from "../values/logger.js";
import { runOutside } from "../values/outside.js";
import type { Replay } from "./replay.js";

export interface RecoveryDeps {
  readonly loop: Loop;
  readonly kinds: Kinds;
  readonly requests: Requests;
  readonly runner: Runner;
  readonly spawner: Spawner;
  readonly runtime: Runtime;
  readonly logger: GuardedLogger;
  /** Whether tasks can start in it. */
  readonly isDeclared: (lane: Lane<Task>) => boolean;
  /** The task stays active, and this process has nothing to do with it until `unpark`. */
  readonly park: (task: Task) => void;
  readonly unpark: (task: Task) => void;
  readonly isParked: (task: Task) => boolean;
  readonly isClosed: () => boolean;
  /** How long the kinds may take to answer, all of them together. */
  readonly patienceMs: number;
  /** Another process has its id: it does not start here (D9). */
  readonly isStandby: (task: Task) => boolean;
  /** Resolves once everything that is decided by now is stored. */
  readonly durable: () => Promise<void>;
}

/** A task that its kind resumes. */
export interface Reattached {
  readonly task: Task;
  /** `undefined`: it has the function of its spawn, in this process. */
  readonly kind: KindParts | undefined;
  /** The process died before `close()` said that it would end. */
  readonly isSudden: boolean;
}

type FateDeps = Pick<RecoveryDeps, "kinds" | "isDeclared">;

type Fate = { readonly kind: KindParts } | { readonly wait: Wait };

const ASKED_AT_A_TIME = 8;
const LEAST_PATIENCE_MS = 1_000;
const MOST_PATIENCE_MS = 30_000;

/** A kind that asks a remote needs a moment, also where functions get a short grace. */
export function patienceOf(graceMs: number): number {
  return Math.min(Math.max(graceMs, LEAST_PATIENCE_MS), MOST_PATIENCE_MS);
}

/**
 * Decides of each task that was replayed and is not over (parents before children) what becomes of it.
 * Gives the tasks that are to start again.
 */
export async function recover(
  deps: RecoveryDeps,
  replay: Pick<Replay, "living" | "processOf" | "isRenamed">,
): Promise<readonly Reattached[]> {
  const { living } = replay;
  const { loop } = deps;
  const now = loop.clock.now();
  const ran = new Set(living.filter(({ state }) => state.status !== "queued" && state.outcome === undefined));
  for (const task of living) if (isLate(task, now)) stopLate(deps, task, now);
  const own = new Set(living.filter((task) => isOwnWork(deps, task)));
  const fates = fatesOf(
    deps,
    living.filter((task) => !replay.isRenamed(task) && !own.has(task)),
  );
  // H7: before any kind is asked.
  for (const task of living) {
    if (fates.has(task) || own.has(task)) continue;
    lose(deps, task, replay.processOf(task));
    if (isStopped(task.state) && ran.has(task)) void runOutside(() => windDown(deps, task));
  }
  const left: Left[] = [];
  const asking = new Asking(deps, replay);
  for (const [task, fate] of fates) {
    if ("wait" in fate) left.push({ task, wait: fate.wait });
    else asking.ask(task, fate.kind);
  }
  parkAll(deps, left);
  const resumed = [...own].flatMap((task) => ownWork(deps, task));
  return [...resumed, ...(await asking.answers())];
}

/** D9: it waited here for the process that has died, and has its function with it. */
function isOwnWork({ kinds }: RecoveryDeps, task: Task): boolean {
  const { state, work } = task;
  if (work === undefined || isStopped(state) || state.outcome !== undefined) return false;
  return kinds.of(task)?.canReattach === undefined && kinds.usedUp(task) === undefined;
}

function ownWork({ loop, runtime }: RecoveryDeps, task: Task): readonly Reattached[] {
  const isSudden = task.state.stop === undefined;
  if (loop.apply(task, { type: "reattach", runtime }) !== undefined) return [];
  return [{ task, kind: undefined, isSudden }];
}

/** A spawn has brought the kind of a task that is parked for want of it: it is resumed, and what is parked below it (D4). */
export function resume(deps: RecoveryDeps, top: Task, kind: KindParts): void {
  if (deps.kinds.of(top) !== undefined || (top.isAttached && top.parent !== undefined && deps.isParked(top.parent)))
    return;
  top.kind = kind;
  const fates = new Map<Task, Fate>();
  if (top.parent !== undefined) fates.set(top.parent, { kind });
  const asking = new Asking(deps, { processOf: () => undefined });
  asking.isLate = true;
  for (const task of [top, ...attachedDescendantsOf(top)]) {
    if (!deps.isParked(task)) continue;
    const fate = fateOf(deps, task, fates);
    if (fate !== undefined) fates.set(task, fate);
    if (fate !== undefined && "kind" in fate) asking.ask(task, fate.kind);
    if (fate !== undefined || task !== top) continue;
    deps.unpark(top);
    lose(deps, top, undefined);
  }
}

/** They start, or stand in line, as they did before. */
export function goOn({ spawner, loop, isStandby }: RecoveryDeps, reattached: readonly Reattached[]): void {
  for (const { task, kind, isSudden } of reattached) {
    if (isStandby(task)) continue;
    const work = kind === undefined ? task.work : workAgain(kind, task.traits.input, loop.clock);
    if (work !== undefined) spawner.again(task, work, isSudden);
  }
}

/** Its time ran out while no process was there. */
function isLate({ traits, state }: Task, now: number): boolean {
  const dueAt = traits.limits?.totalDeadlineAt;
  return dueAt !== undefined && dueAt <= now && state.outcome === undefined;
}

function stopLate({ loop }: RecoveryDeps, task: Task, now: number): void {
  const reason = "total_timeout";
  const stop = (each: Task, code: StopReason) =>
    loop.apply(each, { type: "stop", stop: Object.freeze({ code, reason, at: now }), isRestart: true });
  stop(task, "total_timeout");
  for (const below of attachedDescendantsOf(task)) stop(below, "cancel");
}

/** The fate of each task that is not over, parents before children; a task that is missing in it is over. */
export function fatesOf(deps: FateDeps, living: readonly Task[]): ReadonlyMap<Task, Fate> {
  const fates = new Map<Task, Fate>();
  for (const task of living) {
    const fate = fateOf(deps, task, fates);
    if (fate !== undefined) fates.set(task, fate);
  }
  return fates;
}

/** `undefined`: it is over. */
function fateOf({ kinds, isDeclared }: FateDeps, task: Task, fates: ReadonlyMap<Task, Fate>): Fate | undefined {
  const { state, lane, traits } = task;
  if (isStopped(state) || state.outcome !== undefined || traits.kind === undefined) return undefined;
  const above = task.isAttached && task.parent !== undefined ? fates.get(task.parent) : undefined;
  // H7: the same spawn of a parent that is resumed finds it again.
  if (task.isAttached && (above === undefined || !task.isReturnable)) return undefined;
  if (kinds.of(task) === undefined) return { wait: Object.freeze({ on: "kind", kind: traits.kind }) };
  const kind = kinds.thatReattaches(task);
  if (kind === undefined) return undefined;
  if (above !== undefined && "wait" in above) return above;
  return isDeclared(lane) ? { kind } : { wait: Object.freeze({ on: "lane", lane: lane.name }) };
}

/** Ends a task that no process resumes. */
function lose({ kinds, runner, logger }: RecoveryDeps, task: Task, process: Runtime | undefined): void {
  const { state } = task;
  const isExhausted = !isStopped(state) && state.outcome === undefined && kinds.of(task)?.canReattach !== undefined;
  const attemptsUsed = isExhausted ? kinds.usedUp(task) : undefined;
  runner.lose(task, process, attemptsUsed);
  if (attemptsUsed !== undefined)
    logger.warn(`Task ${show(task.id)} of kind ${show(task.traits.kind)} is not resumed: its attempts are used up`, {
      attemptsUsed,
    });
}

// ── parking ──────────────────────────────────────────────────────────────────

interface Left {
  readonly task: Task;
  readonly wait: Wait;
}

/** D4: they stay active, with their questions, for a process that can resume them. */
function parkAll(deps: RecoveryDeps, left: readonly Left[]): void {
  const missing = new Map<string, string[]>();
  for (const { task, wait } of left) {
    parkOn(deps, task, wait);
    const what = missingIn(wait);
    const ids = missing.get(what);
    if (ids === undefined) missing.set(what, [task.id]);
    else ids.push(task.id);
  }
  for (const [what, ids] of missing) {
    deps.logger.warn(`${what}: parked until a process can resume them: ${idsInWords(ids)}`, { taskIds: ids });
  }
}

/** `"a", "b", "c", "d" and 3 more`. */
function idsInWords(ids: readonly string[]): string {
  const named = ids.slice(0, MOST_NAMED).map(show).join(", ");
  return ids.length > MOST_NAMED ? `${named} and ${ids.length - MOST_NAMED} more` : named;
}
const MOST_NAMED = 4;

function missingIn(wait: Wait): string {
  if (wait.on === "kind") return `The kind ${show(wait.kind)} is not registered in \`kinds\` of this manager`;
  return `The lane ${show(wait.on === "lane" ? wait.lane : wait.on)} is not declared in \`lanes\` of this manager`;
}

function parkOn({ loop, requests, spawner, park }: RecoveryDeps, task: Task, wait: Wait): void {
  if (!isParkedOn(task, wait)) loop.apply(task, { type: "park", blockedOn: Object.freeze([wait]) });
  requests.wait(task);
  spawner.limitTotal(task);
  park(task);
}

/** An earlier process has parked it too. */
function isParkedOn({ state: { blockedOn } }: Task, wait: Wait): boolean {
  const [first] = blockedOn;
  if (first?.on === "kind") return wait.on === "kind" && first.kind === wait.kind;
  return first?.on === "lane" && wait.on === "lane" && first.lane === wait.lane;
}

// ── asking ───────────────────────────────────────────────────────────────────

/** Asks the kinds, a parent before its children; a kind that does not answer keeps nothing but its own tasks. */
class Asking {
  readonly #deps: RecoveryDeps;
  readonly #replay: Pick<Replay, "processOf">;
  readonly #verdicts = new Map<Task, Promise<boolean>>();
  readonly #kinds = new Map<Task, KindParts>();
  /** The limit of each kind by itself. */
  readonly #limits = new Map<string, LimitFunction>();
  readonly #undecided = new Set<Task>();
  readonly #reattached: Reattached[] = [];
  /** The time for all of them is over: each that is decided from now on is one by itself. */
  isLate = false;

  constructor(deps: RecoveryDeps, replay: Pick<Replay, "processOf">) {
    this.#deps = deps;
    this.#replay = replay;
  }

  /** Asks the kind of `task`, once its parent has its answer. */
  ask(task: Task, kind: KindParts): void {
    this.#undecided.add(task);
    this.#kinds.set(task, kind);
    const above = task.isAttached && task.parent !== undefined ? this.#verdicts.get(task.parent) : undefined;
    this.#verdicts.set(task, this.#verdict(task, kind, above));
  }

  /** The tasks that are resumed by now. */
  async answers(): Promise<readonly Reattached[]> {
    if (this.#undecided.size === 0) return this.#reattached;
    const { loop, patienceMs } = this.#deps;
    let alarm: Alarm | undefined;
    const isOver = new Promise<void>((resolve) => {
      alarm = new Alarm(loop.clock, patienceMs, resolve);
    });
    await Promise.race([Promise.all(this.#verdicts.values()), isOver]);
    alarm?.cancel();
    this.isLate = true;
    if (this.#undecided.size > 0) this.#parkUndecided();
    return [...this.#reattached];
  }

  #parkUndecided(): void {
    const { patienceMs, logger } = this.#deps;
    const names = new Set<string>();
    for (const task of this.#undecided) {
      const name = this.#nameOf(task);
      names.add(name);
      parkOn(this.#deps, task, Object.freeze({ on: "kind", kind: name }));
    }
    for (const name of names) {
      const taskIds = [...this.#undecided].filter((task) => this.#nameOf(task) === name).map(({ id }) => id);
      logger.warn(
        `canReattach of kind ${show(name)} has not answered within ${patienceMs} ms: parked until it answers: ${idsInWords(taskIds)}`,
        { taskIds },
      );
    }
  }

  /** The kind that keeps it: its own, or that of the topmost one above it that waits. */
  #nameOf(task: Task): string {
    let top = task;
    while (top.isAttached && top.parent !== undefined && this.#undecided.has(top.parent)) top = top.parent;
    return this.#kinds.get(top)?.name ?? "";
  }

  async #verdict(task: Task, kind: KindParts, above: Promise<boolean> | undefined): Promise<boolean> {
    const goesOn = (above === undefined || (await above)) && (await this.#answer(task, kind));
    this.#undecided.delete(task);
    return this.isLate ? this.#decideLate(task, kind, goesOn) : this.#decide(task, kind, goesOn);
  }

  #decide(task: Task, kind: KindParts, goesOn: boolean): boolean {
    const { loop, requests, runtime } = this.#deps;
    const isSudden = task.state.stop === undefined;
    if (goesOn && loop.apply(task, { type: "reattach", runtime }) === undefined) {
      this.#reattached.push({ task, kind, isSudden });
      requests.goOn(task);
      return true;
    }
    lose(this.#deps, task, this.#replay.processOf(task));
    return false;
  }

  /** The task was parked meanwhile, and may have been stopped. */
  #decideLate(task: Task, kind: KindParts, goesOn: boolean): boolean {
    const { unpark, isClosed, durable } = this.#deps;
    if (task.isOver || isClosed()) return false;
    unpark(task);
    const before = this.#reattached.length;
    const isResumed = this.#decide(task, kind, goesOn);
    const resumed = this.#reattached.slice(before);
    if (isResumed) durable().then(() => goOn(this.#deps, resumed), ignore);
    return isResumed;
  }

  /** Each asks for no longer than its time before the next one is asked; its answer counts whenever it comes. */
  #answer(task: Task, kind: KindParts): Promise<boolean> {
    const { loop, patienceMs, isClosed } = this.#deps;
    let limit = this.#limits.get(kind.name);
    if (limit === undefined) {
      limit = pLimit({ concurrency: ASKED_AT_A_TIME, rejectOnClear: true });
      this.#limits.set(kind.name, limit);
    }
    const turn = limit;
    return new Promise((resolve) => {
      void turn(async () => {
        if (task.isOver || isClosed()) return resolve(false);
        let alarm: Alarm | undefined;
        const isOver = new Promise<void>((over) => {
          alarm = new Alarm(loop.clock, patienceMs, over).unref();
        });
        const answered = this.#ask(task, kind).then(resolve);
        await Promise.race([answered, isOver]);
        alarm?.cancel();
      });
    });
  }

  async #ask(task: Task, kind: KindParts): Promise<boolean> {
    try {
      return (await kind.canReattach?.(task.record)) === true;
    } catch (error) {
      this.#deps.logger.warn(`canReattach of kind ${kind.name} threw: task ${task.id} does not go on`, { error });
      return false;
    }
  }
}

/** D4: a stop that was asked for is carried out, also where the work continues outside. No caller waits for it. */
export async function windDown({ kinds, logger }: Pick<RecoveryDeps, "kinds" | "logger">, task: Task): Promise<void> {
  const { record } = task;
  const kind = kinds.of(task);
  if (kind === undefined && record.kind !== undefined)
    logger.warn(
      `Task ${show(record.id)} was stopped, and its kind ${show(record.kind)} is not registered here: work that it has outside was not wound down`,
    );
  try {
    await kind?.cancel?.(record, record.reason ?? "cancel");
  } catch (error) {
    logger.warn(`cancel of kind ${record.kind} threw: task ${record.id}`, { error });
  }
}
