// Standbys: tasks whose id another process of a shared store has (D9). They do not start: they wait for that process.
//
// Owns which they are, and what becomes of them: the outcome of the other process's task is theirs, or the work is theirs once no process has the id. An
// id is claimed in the transaction that stores its task, so two processes never run the same id at once.

import { createHash } from "node:crypto";
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
import { idsInWords } from "./unresumed.js";

export interface StandbyDeps {
  readonly loop: Loop;
  readonly registry: Registry;
  readonly runner: Runner;
  readonly spawner: Spawner;
  readonly kinds: Kinds;
  readonly runtime: Runtime;
  readonly ids: SharedIds;
  /** How often it is asked how their tasks stand. */
  readonly everyMs: number;
  readonly durable: () => Promise<void>;
  /** Resolves once the fact of `seq` is stored; `undefined`: it is. */
  readonly unstored: (seq: number) => Promise<void> | undefined;
  readonly isClosed: () => boolean;
  readonly logger: GuardedLogger;
}

const LOST: Output = Object.freeze({
  outputLost: Object.freeze({ where: "the store of the other process", why: "it is not there" }),
});

export class Standbys {
  readonly #deps: StandbyDeps;
  /** Not over: each leaves with its end. */
  readonly #waiting = new Set<Task>();
  /** Tasks whose id another process had when it was asked for, and that process. */
  readonly #elsewhere = new WeakMap<Task, string>();
  /** Ids under which tasks of other journals are kept here, and their own ids. */
  readonly #ownIds = new Map<string, string>();
  #alarm: Alarm | undefined;
  /** Why it could not be asked how their tasks stand, in words. */
  #failure: string | undefined;

  constructor(deps: StandbyDeps) {
    this.#deps = deps;
  }

  has(task: Task): boolean {
    return this.#waiting.has(task);
  }

  get isAnyWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** One that waits for the task of this id in another process. */
  waitingFor(id: string): Task | undefined {
    const task = this.#deps.registry.byId(id);
    return task !== undefined && this.#waiting.has(task) ? task : undefined;
  }

  /** Resolves once it is known which process has the id of the task; `undefined`: it is known. */
  known({ traits, madeSeq, attempt }: Task): Promise<void> | undefined {
    return traits.hasGivenId && attempt === undefined ? this.#deps.unstored(madeSeq) : undefined;
  }

  /** The other process that had its id when it was asked for. */
  processOf(task: Task): string | undefined {
    return this.#elsewhere.get(task);
  }

  /** Relaxed, a start waits for the claim of its id, and for nothing else (D1); `undefined`: it is claimed. */
  claimed({ traits, madeSeq }: Task): Promise<void> | undefined {
    return traits.hasGivenId && madeSeq <= this.#deps.loop.storedSeq ? this.#deps.unstored(madeSeq) : undefined;
  }

  /** The task is over (S1). */
  leave(task: Task): void {
    this.#waiting.delete(task);
  }

  /** The task is this process's to run now. */
  begin(task: Task): void {
    this.#waiting.delete(task);
    this.#elsewhere.delete(task);
  }

  /** Tasks of another journal are kept here under other ids than their own. */
  renamed(ids: ReadonlyMap<string, string>): void {
    for (const [id, kept] of ids) this.#ownIds.set(kept, id);
  }

  close(): void {
    this.#alarm?.cancel();
  }

  // ── what goes with an append ─────────────────────────────────────────────

  /** The ids that `events` need, but for those of `refused`, and how tasks with such ids ended. */
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
   * The id that a task here holds, or held in the journal that it came from. `undefined`: it was renamed, and the task
   * here that has its id holds it. One that waited for it, and ended first, never held it.
   */
  #ownIdOf(kept: string): string | undefined {
    const own = this.#ownIds.get(kept);
    if (own === undefined) return kept;
    const task = this.#deps.registry.byId(own);
    return task?.isOver === true && this.#elsewhere.has(task) ? own : undefined;
  }

  /** Other journals have these ids, so nothing of the append was kept. */
  held(all: readonly HeldId[]): void {
    for (const held of all) {
      const task = this.#deps.registry.byId(held.id);
      // Over already, or it runs: then it is too late.
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

  /** The same id is the same task only with the same content (§10), and while its end can be read (D2). */
  #fail(task: Task, name: string, message: string): void {
    const { id } = task;
    const error = Object.freeze({ code: "error", name, message } as const);
    this.#deps.runner.deliver(task, Object.freeze({ id, status: "failed", error }), undefined);
  }

  /** D2: an output that is kept by itself, and that the store does not give, is lost. */
  #deliver(task: Task, end: End, given: Output | undefined): void {
    const output = isApart(end) ? (given ?? LOST) : undefined;
    // Kept under another id since its process died, the first one has told of its end under that.
    const fact = toFact({ ...end, taskId: task.id }, output);
    if ("outcome" in fact) this.#deps.runner.deliver(task, fact.outcome, fact.output);
  }

  // ── waiting ──────────────────────────────────────────────────────────────

  #wait(): void {
    const { loop, everyMs, isClosed } = this.#deps;
    if (this.#waiting.size === 0 || this.#alarm !== undefined || isClosed()) return;
    this.#alarm = new Alarm(loop.clock, everyMs, () => {
      void this.look().finally(() => {
        this.#alarm = undefined;
        this.#wait();
      });
    }).unref();
  }

  /** How the tasks that they wait for stand: what has ended is delivered. Never rejects. */
  async look(): Promise<void> {
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
    if (this.#deps.isClosed()) return;
    for (const task of asked) {
      if (!this.#waiting.has(task)) continue;
      const held = found.get(task.id);
      const hasEnded = held?.end !== undefined || held?.endLost !== undefined;
      // Its own by now, because the journal of the first was taken over: the first may have ended before that.
      const isFree = held === undefined || (held.isOwn && !hasEnded) || held.end?.type === "task.interrupted";
      if (isFree) this.#start(task);
      else if (hasEnded) this.#held(task, held);
    }
  }

  /** Asked again: the same failure is told once. */
  #failed(error: unknown, asked: readonly Task[]): void {
    const failure = thrownInWords(error);
    if (this.#failure === failure || this.#deps.isClosed()) return;
    this.#failure = failure;
    const taskIds = asked.map(({ id }) => id);
    this.#deps.logger.warn(
      `How tasks of other processes stand cannot be asked, so these wait until it can: ${idsInWords(taskIds)}`,
      { error, taskIds },
    );
  }

  /** No process has its id: its work is done here. Another that was first has it, and then it waits again. */
  #start(task: Task): void {
    const { loop, runtime, spawner, kinds, durable } = this.#deps;
    const kind = kinds.of(task);
    const work = task.work ?? (kind === undefined ? undefined : workAgain(kind, task.traits.input, loop.clock));
    if (work === undefined) return;
    this.begin(task);
    if (loop.apply(task, { type: "reattach", runtime }) !== undefined) return;
    durable().then(
      () => {
        if (!task.isOver && !this.#waiting.has(task)) spawner.again(task, work, false);
      },
      () => undefined,
    );
  }
}

type End = Extract<TaskEvent, { type: "task.succeeded" | "task.failed" | "task.cancelled" | "task.interrupted" }>;
export function isEnd(event: TaskEvent): event is End {
  const { type } = event;
  return (
    type === "task.succeeded" || type === "task.failed" || type === "task.cancelled" || type === "task.interrupted"
  );
}

/** §10: its owner, its kind and its input; of a plain function its owner alone. */
export function contentOf({ sessionId, parentId, traits: { kind, input } }: Content): string {
  const whole = canonicalText([sessionId ?? null, parentId ?? null, kind ?? null, input ?? null]);
  return createHash("sha256").update(whole).digest("base64");
}
interface Content {
  readonly sessionId: string | undefined;
  readonly parentId: string | undefined;
  readonly traits: { readonly kind: string | undefined; readonly input: Json | undefined };
}
