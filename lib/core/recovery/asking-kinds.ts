// Asking kinds: each kind is asked whether it resumes a task of an earlier process, a parent before its children (D4, §12).
//
// Owns the questions that are under way. All kinds share one time limit; a task whose kind has not answered by then is parked on
// its kind, and the answer is carried out when it comes. A kind that hangs delays no task of another kind.

import pLimit, { type LimitFunction } from "p-limit";
import { workAgain } from "../kinds/kind.js";
import type { Task } from "../live/task.js";
import type { KindParts } from "../task/kind-parts.js";
import type { Runtime } from "../task/record.js";
import { Alarm } from "../time/clock.js";
import { show } from "../values/checks.js";
import { ignore } from "../values/handled.js";
import type { Replay } from "./replay.js";
import { idsInWords, lose, parkOn, type UnresumedDeps } from "./unresumed.js";

export interface AskingDeps extends UnresumedDeps {
  readonly runtime: Runtime;
  readonly unpark: (task: Task) => void;
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

const ASKED_AT_A_TIME = 8;

/** Asks the kinds, a parent before its children; a kind that does not answer keeps nothing but its own tasks. */
export class KindAsking {
  readonly #deps: AskingDeps;
  readonly #replay: Pick<Replay, "processOf">;
  readonly #verdicts = new Map<Task, Promise<boolean>>();
  readonly #kinds = new Map<Task, KindParts>();
  /** The limit of each kind by itself. */
  readonly #limits = new Map<string, LimitFunction>();
  readonly #undecided = new Set<Task>();
  readonly #reattached: Reattached[] = [];
  /** The time for all of them is over: each that is decided from now on is one by itself. */
  isLate = false;

  constructor(deps: AskingDeps, replay: Pick<Replay, "processOf">) {
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
      return Boolean(await kind.canReattach?.(task.record));
    } catch (error) {
      this.#deps.logger.warn(`canReattach of kind ${kind.name} threw: task ${task.id} does not go on`, { error });
      return false;
    }
  }
}

/** Resumed tasks start, or stand in line, as they did before. */
export function goOn({ spawner, loop, isStandby }: AskingDeps, reattached: readonly Reattached[]): void {
  for (const { task, kind, isSudden } of reattached) {
    if (isStandby(task)) continue;
    const work = kind === undefined ? task.work : workAgain(kind, task.traits.input, loop.clock);
    if (work !== undefined) spawner.again(task, work, isSudden);
  }
}
