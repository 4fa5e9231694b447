// Standbys: tasks whose id another process of a shared store has (D9). They do not start and wait for that process.
//
// Owns the waiting tasks. A standby gets the outcome of the other process's task, or does the work itself once no
// process has the id. An id is claimed in the transaction that stores its task, so two processes never run the same id
// at once. Called by the committer and by a takeover. Calls the store's shared ids, the runner and the spawner.

import { isApart } from "../durable/large-outputs.js";
import type { HeldId, IdClaim, IdEnd, SharedIds } from "../durable/store.js";
import { workAgain } from "../kinds/kind.js";
import type { Kinds } from "../kinds/kind-registry.js";
import type { Registry } from "../live/registry.js";
import type { Task } from "../live/task.js";
import type { Loop } from "../loop.js";
import type { Runner } from "../run/runner.js";
import type { Spawner } from "../spawn/spawn.js";
import type { TaskEvent } from "../task/events.js";
import { thrownInWords } from "../task/failure.js";
import { toFact } from "../task/from-stored.js";
import type { Runtime } from "../task/record.js";
import type { Output } from "../task/state.js";
import { Alarm } from "../time/clock.js";
import { show } from "../values/checks.js";
import { canonicalText, type Json } from "../values/json.js";
import type { GuardedLogger } from "../values/logger.js";
import { digestOf } from "../values/node.js";
import { listIds } from "./unresumed.js";

/** The parts that standbys need. */
export interface StandbyDeps {
  readonly loop: Loop;
  readonly registry: Registry;
  readonly runner: Runner;
  readonly spawner: Spawner;
  readonly kinds: Kinds;
  /** This process. */
  readonly runtime: Runtime;
  /** The ids of all processes of the store. */
  readonly ids: SharedIds;
  /** The interval between two looks at the waiting ids, in milliseconds. */
  readonly everyMs: number;
  readonly logger: GuardedLogger;
}

const LOST: Output = Object.freeze({
  outputLost: Object.freeze({ where: "the store of the other process", why: "it is not there" }),
});

/** The standbys of one manager. */
export class Standbys {
  readonly #deps: StandbyDeps;
  /** The waiting tasks. None of them is over: each leaves with its end. */
  readonly #waiting = new Set<Task>();
  /** The tasks whose id another process had when they claimed it, each with that process. */
  readonly #elsewhere = new WeakMap<Task, string>();
  /** The ids under which tasks of other journals are kept here, each with the id that the task had there. */
  readonly #ownIds = new Map<string, string>();
  #alarm: Alarm | undefined;
  /** Why the last look at the ids failed, in words. */
  #failure: string | undefined;

  constructor(deps: StandbyDeps) {
    this.#deps = deps;
  }

  /** Whether the task waits for another process. */
  has(task: Task): boolean {
    return this.#waiting.has(task);
  }

  /** Whether some task waits. */
  get isAnyWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** The task that waits for the task with this id in another process. */
  waitingFor(id: string): Task | undefined {
    const task = this.#deps.registry.byId(id);
    return task !== undefined && this.#waiting.has(task) ? task : undefined;
  }

  /** Resolves once it is known which process has the id of the task; `undefined`: it is known. */
  known({ traits, madeSeq, attempt }: Task): Promise<void> | undefined {
    return traits.hasGivenId && attempt === undefined ? this.#deps.loop.stored.missing(madeSeq) : undefined;
  }

  /** The other process that had the id of the task when the task claimed it. */
  processOf(task: Task): string | undefined {
    return this.#elsewhere.get(task);
  }

  /**
   * Resolves once the id of the task is claimed; `undefined`: it is claimed. With relaxed durability a start waits for
   * this claim, and for nothing else (D1).
   */
  claimed({ traits, madeSeq }: Task): Promise<void> | undefined {
    const { stored } = this.#deps.loop;
    return traits.hasGivenId && madeSeq <= stored.deliverable ? stored.missing(madeSeq) : undefined;
  }

  /** The task has ended and waits no longer (S1). */
  leave(task: Task): void {
    this.#waiting.delete(task);
  }

  /** The task belongs to this process and may run. */
  begin(task: Task): void {
    this.#waiting.delete(task);
    this.#elsewhere.delete(task);
  }

  /** Tasks of another journal are kept here under new ids. `ids`: the old id of each, with the new one. */
  renamed(ids: ReadonlyMap<string, string>): void {
    for (const [id, kept] of ids) this.#ownIds.set(kept, id);
  }

  /** Stops looking at the ids. */
  close(): void {
    this.#alarm?.cancel();
  }

  // ── with each append ─────────────────────────────────────────────────────

  /** The ids that `events` need, without those of `refused`, and the ends of tasks with such ids. */
  changesIn(
    events: readonly TaskEvent[],
    refused: ReadonlySet<string>,
  ): { readonly claims: readonly IdClaim[]; readonly ends: readonly IdEnd[] } {
    const claims = new Map<string, IdClaim>();
    const ends = new Map<string, IdEnd>();
    for (const event of events) {
      const id = event.taskId;
      if (event.type === "task.created" || event.type === "task.reattached") {
        const task = this.#deps.registry.byId(id);
        if (task?.traits.hasGivenId !== true || refused.has(id) || this.#waiting.has(task)) continue;
        claims.set(id, { id, content: contentOf(task) });
        ends.delete(id);
      } else if (isEnd(event) && this.#deps.registry.byId(id)?.traits.hasGivenId === true) {
        const own = this.#ownIdOf(id);
        if (own !== undefined) ends.set(own, { id: own, event });
      }
    }
    return { claims: [...claims.values()], ends: [...ends.values()] };
  }

  /**
   * The id that a task here holds, or held in the journal that it came from. `undefined`: the task was renamed, and the
   * task here that has its id holds that id. A task that waited for the id, and ended first, never held it.
   */
  #ownIdOf(kept: string): string | undefined {
    const own = this.#ownIds.get(kept);
    if (own === undefined) return kept;
    const task = this.#deps.registry.byId(own);
    if (task?.isOver !== true) return undefined;
    // A task of an earlier process that waited for the id has not started either.
    return this.#elsewhere.has(task) || task.state.startedAt === undefined ? own : undefined;
  }

  /** Other journals have these ids, so the store kept nothing of the append. */
  held(all: readonly HeldId[]): void {
    for (const held of all) {
      const task = this.#deps.registry.byId(held.id);
      // A task that has ended, or already runs, stays as it is.
      if (task !== undefined && !task.isOver && task.attempt === undefined) this.#held(task, held);
    }
    this.#wait();
  }

  #held(task: Task, { id, content, writer, end, endLost, output }: HeldId): void {
    const { runner } = this.#deps;
    this.#elsewhere.set(task, writer.instanceId);
    if (content !== contentOf(task)) {
      const what = "was spawned in another process of this store with other content: use an id for each piece of work";
      return this.#fail(task, "IdConflictError", `Task ${show(id)} ${what}`);
    }
    if (endLost !== undefined || (end !== undefined && !isEnd(end))) {
      const what = endLost ?? `the store gave ${show(end?.type)} for it`;
      const then = "Mend that, or delete the row: then the next process that spawns the id does the work again";
      const message = `How task ${show(id)} ended in another process cannot be read: ${what}. ${then}`;
      return this.#fail(task, "JournalCorruptError", message);
    }
    if (end !== undefined) return this.#deliver(task, end, output);
    this.#waiting.add(task);
    runner.standBy(task, Object.freeze({ on: "process", instanceId: writer.instanceId }));
  }

  /**
   * Fails the task. The same id may only name the same task: same content in every process (§10), and an end that can
   * be read (D2).
   */
  #fail(task: Task, name: string, message: string): void {
    const { id } = task;
    const error = Object.freeze({ code: "error", name, message } as const);
    this.#deps.runner.deliver(task, Object.freeze({ id, status: "failed", error }), undefined);
  }

  /** Ends the task like the other one. An output that is stored separately and missing in the store is lost (D2). */
  #deliver(task: Task, end: End, given: Output | undefined): void {
    const output = isApart(end) ? (given ?? LOST) : undefined;
    // A takeover may have renamed the other task, and its end then has the new id.
    const fact = toFact({ ...end, taskId: task.id }, output);
    if ("ending" in fact) this.#deps.runner.deliver(task, fact.ending, fact.output);
  }

  // ── waiting ──────────────────────────────────────────────────────────────

  #wait(): void {
    const { loop, everyMs } = this.#deps;
    if (this.#waiting.size === 0 || this.#alarm !== undefined || loop.phase.isClosed) return;
    this.#alarm = new Alarm(loop.clock, everyMs, () => {
      void this.checkIds().finally(() => {
        this.#alarm = undefined;
        this.#wait();
      });
    }).unref();
  }

  /** Reads the state of the waiting ids, and delivers the ends of tasks that have ended. Never rejects. */
  async checkIds(): Promise<void> {
    const asked = [...this.#waiting];
    if (asked.length === 0) return;
    let found: ReadonlyMap<string, HeldId>;
    try {
      const all = await this.#deps.ids.find(asked.map(({ id }) => id));
      found = new Map(all.map((held) => [held.id, held]));
      this.#failure = undefined;
    } catch (error) {
      return this.#failed(error, asked);
    }
    if (this.#deps.loop.phase.isClosed) return;
    for (const task of asked) {
      if (!this.#waiting.has(task)) continue;
      const held = found.get(task.id);
      const hasEnded = held?.end !== undefined || held?.endLost !== undefined;
      // This journal has the id since it took over the other one. The other task may have ended before that.
      const isFree = held === undefined || (held.isOwn && !hasEnded) || held.end?.type === "task.interrupted";
      if (isFree) this.#start(task);
      else if (hasEnded) this.#held(task, held);
    }
  }

  /** Logs why the ids cannot be read. The same failure is logged once. */
  #failed(error: unknown, asked: readonly Task[]): void {
    const failure = thrownInWords(error);
    if (this.#failure === failure || this.#deps.loop.phase.isClosed) return;
    this.#failure = failure;
    const taskIds = asked.map(({ id }) => id);
    this.#deps.logger.warn(
      `How tasks of other processes stand cannot be asked, so these wait until it can: ${listIds(taskIds)}`,
      { error, taskIds },
    );
  }

  /** No process has the id: the work is done here. When another process is first, the task waits again. */
  #start(task: Task): void {
    const { loop, runtime, spawner, kinds } = this.#deps;
    const kind = kinds.of(task);
    const work = task.run?.work ?? (kind === undefined ? undefined : workAgain(kind, task.traits.input, loop.clock));
    if (work === undefined) return;
    this.begin(task);
    if (loop.apply(task, { type: "reattach", runtime }) !== undefined) return;
    loop.stored.until(loop.seq).then(
      () => {
        if (!task.isOver && !this.#waiting.has(task)) spawner.resume(task, work, false);
      },
      () => undefined,
    );
  }
}

type End = Extract<TaskEvent, { type: "task.succeeded" | "task.failed" | "task.cancelled" | "task.interrupted" }>;
/** Whether the event ends a task. */
export function isEnd(event: TaskEvent): event is End {
  const { type } = event;
  return (
    type === "task.succeeded" || type === "task.failed" || type === "task.cancelled" || type === "task.interrupted"
  );
}

/** A digest of the owner, the kind and the input of a task; of the owner alone for a plain function (§10). */
export function contentOf({ sessionId, parentId, traits: { kind, input } }: Content): string {
  const whole = canonicalText([sessionId ?? null, parentId ?? null, kind ?? null, input ?? null]);
  return digestOf(whole);
}
interface Content {
  readonly sessionId: string | undefined;
  readonly parentId: string | undefined;
  readonly traits: { readonly kind: string | undefined; readonly input: Json | undefined };
}
