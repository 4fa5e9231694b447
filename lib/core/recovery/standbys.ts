// Standbys: tasks whose id another process of a shared store has (D9). They do not start and wait for that process.
//
// Owns the waiting tasks. A standby gets the outcome of the other process's task, or does the work itself once no
// process has the id. An id is claimed in the transaction that stores its task, so two processes never run the same id
// at once. Called by the committer and by a takeover. Calls the store's shared ids, the runner and the spawner.

import { createHash } from "node:crypto";
import type { HeldId, IdClaim, IdEnd, SharedIds } from "../durable/store.js";
import { workAgain } from "../kinds/kind.js";
import type { Kinds } from "../kinds/kind-registry.js";
import type { Registry } from "../live/registry.js";
import type { Task } from "../live/task.js";
import type { Loop } from "../loop.js";
import type { Runner } from "../run/runner.js";
import type { Spawner } from "../spawn/spawn.js";
import type { TaskEvent } from "../task/events.js";
import { toFact } from "../task/from-stored.js";
import type { Runtime } from "../task/record.js";
import { Alarm } from "../time/clock.js";
import { show } from "../values/checks.js";
import { canonicalText, type Json } from "../values/json.js";

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
  /** Resolves once everything that is decided by now is stored. */
  readonly durable: () => Promise<void>;
  /** Whether the manager is closed. */
  readonly isClosed: () => boolean;
}

/** The standbys of one manager. */
export class Standbys {
  readonly #deps: StandbyDeps;
  readonly #waiting = new Set<Task>();
  #alarm: Alarm | undefined;

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

  /** The task belongs to this process and may run. */
  leave(task: Task): void {
    this.#waiting.delete(task);
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
      } else if (isEnd(event) && this.#deps.registry.byId(id)?.traits.hasGivenId === true) ends.set(id, { id, event });
    }
    return { claims: [...claims.values()], ends: [...ends.values()] };
  }

  /** Other journals have these ids, so the store kept nothing of the append. */
  held(all: readonly HeldId[]): void {
    for (const held of all) {
      const task = this.#deps.registry.byId(held.id);
      // The task has ended, or, with relaxed durability, already runs: then it stays.
      if (task !== undefined && !task.isOver && task.attempt === undefined) this.#held(task, held);
    }
    this.#wait();
  }

  #held(task: Task, { content, writer, end, output }: HeldId): void {
    const { runner } = this.#deps;
    if (content !== contentOf(task)) return this.#refuse(task);
    if (end !== undefined) return this.#deliver(task, end, output);
    this.#waiting.add(task);
    runner.standBy(task, Object.freeze({ on: "process", instanceId: writer.instanceId }));
  }

  /** The same id may only name the same task: same content in every process (§10). */
  #refuse(task: Task): void {
    const { id } = task;
    const message = `Task ${show(id)} was spawned in another process of this store with other content: use an id for each piece of work`;
    const error = Object.freeze({ code: "error", name: "IdConflictError", message } as const);
    this.#waiting.delete(task);
    this.#deps.runner.deliver(task, Object.freeze({ id, status: "failed", error }), undefined);
  }

  #deliver(task: Task, end: TaskEvent, json: Json | undefined): void {
    if (!isEnd(end)) return;
    const fact = toFact(end, json === undefined ? undefined : { output: json });
    this.#waiting.delete(task);
    if ("outcome" in fact) this.#deps.runner.deliver(task, fact.outcome, fact.output);
  }

  // ── waiting ──────────────────────────────────────────────────────────────

  #wait(): void {
    const { loop, everyMs, isClosed } = this.#deps;
    if (this.#waiting.size === 0 || this.#alarm !== undefined || isClosed()) return;
    this.#alarm = new Alarm(loop.clock, everyMs, () => {
      void this.#checkIds().finally(() => {
        this.#alarm = undefined;
        this.#wait();
      });
    }).unref();
  }

  /** Reads the state of the waiting ids. Never rejects: the heartbeat of this process reports a store that fails. */
  async #checkIds(): Promise<void> {
    for (const task of [...this.#waiting]) if (task.isOver) this.#waiting.delete(task);
    const asked = [...this.#waiting];
    if (asked.length === 0) return;
    let found: ReadonlyMap<string, HeldId>;
    try {
      const all = await this.#deps.ids.find(asked.map(({ id }) => id));
      found = new Map(all.map((held) => [held.id, held]));
    } catch {
      return;
    }
    if (this.#deps.isClosed()) return;
    for (const task of asked) {
      if (task.isOver || !this.#waiting.has(task)) continue;
      const held = found.get(task.id);
      const isFree = held === undefined || held.isOwn || held.end?.type === "task.interrupted";
      if (isFree) this.#start(task);
      else if (held.end !== undefined) this.#held(task, held);
    }
  }

  /** No process has the id: the work is done here. When another process is first, the task waits again. */
  #start(task: Task): void {
    const { loop, runtime, spawner, kinds, durable } = this.#deps;
    const kind = kinds.of(task);
    const work = task.work ?? (kind === undefined ? undefined : workAgain(kind, task.traits.input, loop.clock));
    if (work === undefined) return;
    this.#waiting.delete(task);
    if (loop.apply(task, { type: "reattach", runtime }) !== undefined) return;
    durable().then(
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
  return createHash("sha256").update(whole).digest("base64");
}
interface Content {
  readonly sessionId: string | undefined;
  readonly parentId: string | undefined;
  readonly traits: { readonly kind: string | undefined; readonly input: Json | undefined };
}
