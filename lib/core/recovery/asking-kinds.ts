// Asking kinds: each kind is asked whether it resumes a task of an earlier process, a parent before its children (D4,
// §12).
//
// Owns the questions in progress. All kinds share one time limit. A task whose kind has not answered by then is parked
// on its kind, and a later answer is carried out when it comes. A kind that hangs delays no task of another kind.
// Called by `recovery.ts`. Calls the kinds, the loop and `unresumed.ts`.

import pLimit, { type LimitFunction } from "p-limit";
import { workAgain } from "../kinds/kind.js";
import type { Task } from "../live/task.js";
import type { KindParts } from "../task/kind-parts.js";
import type { Runtime } from "../task/record.js";
import { Alarm } from "../time/clock.js";
import { show } from "../values/checks.js";
import { ignore } from "../values/handled.js";
import type { Replay } from "./replay.js";
import { listIds, lose, parkOn, type UnresumedDeps } from "./unresumed.js";

/** The parts that asking the kinds needs. */
export interface AskingDeps extends UnresumedDeps {
  /** This process. */
  readonly runtime: Runtime;
  /** The time limit for all answers together, in milliseconds. */
  readonly patienceMs: number;
  /** Whether another process has the id of the task, so it does not start here (D9). */
  readonly isStandby: (task: Task) => boolean;
}

/** A task that is resumed. */
export interface ResumedTask {
  /** The resumed task. */
  readonly task: Task;
  /** The kind that resumes it; `undefined`: the task still has the function of its spawn, in this process. */
  readonly kind: KindParts | undefined;
  /** The earlier process died without a `close()`. */
  readonly isSudden: boolean;
}

const ASKED_AT_A_TIME = 8;

/** Asks the kinds, a parent before its children. A kind that does not answer delays only its own tasks. */
export class KindAsking {
  readonly #deps: AskingDeps;
  readonly #replay: Pick<Replay, "processOf">;
  readonly #verdicts = new Map<Task, Promise<boolean>>();
  readonly #kinds = new Map<Task, KindParts>();
  /** One limiter for each kind. */
  readonly #limits = new Map<string, LimitFunction>();
  readonly #undecided = new Set<Task>();
  readonly #reattached: ResumedTask[] = [];
  /** The time limit has passed: each later answer is carried out by itself. */
  isLate = false;

  constructor(deps: AskingDeps, replay: Pick<Replay, "processOf">) {
    this.#deps = deps;
    this.#replay = replay;
  }

  /** Asks the kind of `task`, after the answer for its parent. */
  ask(task: Task, kind: KindParts): void {
    this.#undecided.add(task);
    this.#kinds.set(task, kind);
    const above = task.isAttached && task.parent !== undefined ? this.#verdicts.get(task.parent) : undefined;
    this.#verdicts.set(task, this.#verdict(task, kind, above));
  }

  /** Resolves with the tasks that are resumed, when all kinds have answered or the time limit has passed. */
  async answers(): Promise<readonly ResumedTask[]> {
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
        `canReattach of kind ${show(name)} has not answered within ${patienceMs} ms: parked until it answers: ${listIds(taskIds)}`,
        { taskIds },
      );
    }
  }

  /** The kind on which the task is parked: that of its topmost ancestor without an answer, or its own. */
  #nameOf(task: Task): string {
    let top = task;
    while (top.isAttached && top.parent !== undefined && this.#undecided.has(top.parent)) top = top.parent;
    return this.#kinds.get(top)?.name ?? "";
  }

  async #verdict(task: Task, kind: KindParts, above: Promise<boolean> | undefined): Promise<boolean> {
    const isWanted = (above === undefined || (await above)) && (await this.#answer(task, kind));
    this.#undecided.delete(task);
    return this.isLate ? this.#decideLate(task, kind, isWanted) : this.#decide(task, kind, isWanted);
  }

  #decide(task: Task, kind: KindParts, isWanted: boolean): boolean {
    const { loop, requests, runtime } = this.#deps;
    const isSudden = task.state.stop === undefined;
    if (isWanted && loop.apply(task, { type: "reattach", runtime }) === undefined) {
      this.#reattached.push({ task, kind, isSudden });
      requests.resumed(task);
      return true;
    }
    lose(this.#deps, task, this.#replay.processOf(task));
    return false;
  }

  /** Carries out a late answer. The task was parked meanwhile and may have been stopped. */
  #decideLate(task: Task, kind: KindParts, isWanted: boolean): boolean {
    const { loop, handoff } = this.#deps;
    if (task.isOver || loop.phase.isClosed) return false;
    handoff.takeBack(task);
    const before = this.#reattached.length;
    const isResumed = this.#decide(task, kind, isWanted);
    const resumed = this.#reattached.slice(before);
    if (isResumed) loop.stored.until(loop.seq).then(() => goOn(this.#deps, resumed), ignore);
    return isResumed;
  }

  /**
   * Asks the kind, at most eight at a time. An answer that takes longer than the time limit lets the next question
   * pass; the answer itself still counts.
   */
  #answer(task: Task, kind: KindParts): Promise<boolean> {
    const { loop, patienceMs } = this.#deps;
    let limit = this.#limits.get(kind.name);
    if (limit === undefined) {
      limit = pLimit({ concurrency: ASKED_AT_A_TIME, rejectOnClear: true });
      this.#limits.set(kind.name, limit);
    }
    const turn = limit;
    return new Promise((resolve) => {
      void turn(async () => {
        if (task.isOver || loop.phase.isClosed) return resolve(false);
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
    const { logger } = this.#deps;
    try {
      const answer: unknown = await kind.canReattach?.(task.record);
      if (typeof answer === "boolean") return answer;
      // A function that forgets its `return` would end every task of its kind without a word.
      const fault = `gave neither true nor false, but ${show(answer)}`;
      logger.warn(`canReattach of kind ${kind.name} ${fault}: task ${task.id} does not go on`);
    } catch (error) {
      logger.warn(`canReattach of kind ${kind.name} threw: task ${task.id} does not go on`, { error });
    }
    return false;
  }
}

/** Starts the resumed tasks, or puts them in line. */
export function goOn({ spawner, loop, isStandby }: AskingDeps, reattached: readonly ResumedTask[]): void {
  for (const { task, kind, isSudden } of reattached) {
    if (isStandby(task)) continue;
    const work = kind === undefined ? task.run?.work : workAgain(kind, task.traits.input, loop.clock);
    if (work !== undefined) spawner.resume(task, work, isSudden);
  }
}
