// Notices: what each owner loop is notified of about its tasks (N1-N3).
//
// Owns a queue for each owner: a task's loop, or a session by its id. Every fact of a task that may wake its owner comes here,
// live and replayed alike, so the queues are part of the state, and an acknowledgement is a fact too. A notice stays until it
// is acknowledged: by the batch with which it came, or by a wait that gave its owner the outcome.
// Called by the consequences of facts and by sessions. Calls the loop (acknowledgements) and `notice-reading.ts` (readers).

import { childrenOf } from "../live/family.js";
import { type LastBatch, Noticed, PendingNotice } from "../live/notice-queue.js";
import type { Attempt, Task } from "../live/task.js";
import { ManagerClosedError } from "../task/errors.js";
import type { Fact } from "../task/events.js";
import { type Happening, happeningOf, type StoredNotice } from "../task/notice.js";
import { overError } from "../waits/waits.js";
import { isGone, type NoticeOwner, ownerOf } from "./notice-owner.js";
import { NoticeQueues, type Queue } from "./notice-queues.js";
import { type NoticeOptions, NoticeReading, type ReadingDeps } from "./notice-reading.js";
import type { ChosenNotices, ReadyNotices, TaskNotice } from "./ready-notices.js";

interface NoticeDeps extends ReadingDeps {
  readonly isClosed: () => boolean;
  /** All notices of the task are acknowledged: its record need not be kept for them. */
  readonly onTold: (task: Task) => void;
}

export class Notices {
  readonly #deps: NoticeDeps;
  readonly #queues = new NoticeQueues();
  readonly #reading: NoticeReading;
  #order = 0;

  constructor(deps: NoticeDeps) {
    this.#deps = deps;
    this.#reading = new NoticeReading(deps, this.#queues);
  }

  /** A caller asks, or has asked, for the notices of `owner`. */
  isRead(owner: NoticeOwner): boolean {
    return this.#queues.find(owner)?.isRead ?? false;
  }

  lastBatchOf(owner: NoticeOwner): LastBatch<Task> | undefined {
    return this.#queues.find(owner)?.lastBatch;
  }

  /** Keeps nothing of a session that has no notices, no living task, and no reader (D6). `false`: it has. */
  forget(sessionId: string): boolean {
    return this.#queues.forget(sessionId);
  }

  // ── reading ──────────────────────────────────────────────────────────────

  /** Reads for `owner`, as `NoticeReading.next` says. From now on its children that did not choose a `wake` wake it. */
  next<C extends ChosenNotices>(
    owner: NoticeOwner,
    context: Attempt | undefined,
    options: NoticeOptions,
    choose: (ready: ReadyNotices) => C,
  ): Promise<C | undefined> {
    const refused = this.#reading.refusal(context, options.signal);
    if (refused !== undefined) return refused;
    this.#beginReading(owner, context);
    return this.#reading.next(this.#queues.of(owner), context, options, choose);
  }

  /** The owner has them. Those that it, or another, has acknowledged before are passed over. */
  acknowledge(notices: readonly TaskNotice[]): void {
    const ids = new Map<Task, string[]>();
    for (const { task, id, what, place } of notices) {
      if (what.type === "message.sent") task.extras?.mailbox?.read(what.message);
      if (task.noticed === undefined || place < 0) continue;
      const known = ids.get(task);
      if (known === undefined) ids.set(task, [id]);
      else known.push(id);
    }
    if (ids.size > 0 && this.#deps.isClosed()) throw new ManagerClosedError("nothing is acknowledged any more");
    for (const [task, acknowledged] of ids) this.#deps.loop.apply(task, { type: "update", patch: { acknowledged } });
  }

  // ── what a wait has told already (N2) ────────────────────────────────────

  /** Whether a wait of `attempt`, or one through a handle of the session `sessionId`, is its owner's. */
  isOwners(task: Task, attempt: Attempt | undefined, sessionId: string | undefined): boolean {
    const owner = ownerOf(task);
    if (owner === undefined || owner === attempt?.task) return owner !== undefined;
    // A session's loop is no task of it: one that waits through such a handle waits for itself.
    return owner === sessionId && attempt?.task.sessionId !== sessionId;
  }

  /** A wait of its owner has the outcome of `task`, and will give it. */
  claim(task: Task): void {
    task.claims++;
  }

  /** That wait is over: it gave the outcome, or did not. */
  unclaim(task: Task): void {
    task.claims--;
    const queue = task.noticed?.queue;
    if (queue !== undefined) this.#reading.look(queue);
  }

  /** A wait gave its owner the outcome of `task`, which is over. */
  handed(task: Task): void {
    task.handed();
    const { noticed } = task;
    if (noticed === undefined || this.#deps.isClosed()) return;
    const acknowledged = noticed.ends.map(({ id }) => id);
    if (acknowledged.length > 0) this.#deps.loop.apply(task, { type: "update", patch: { acknowledged } });
  }

  /** It is for the loop of `task`, should that wait. */
  messageCame(task: Task): void {
    const queue = this.#queues.find(task);
    if (queue !== undefined) this.#reading.look(queue);
  }

  // ── hearing ──────────────────────────────────────────────────────────────

  /** A task was made, in this process or in an earlier one. */
  made(task: Task): void {
    if (task.wake === "silent") return;
    const owner = ownerOf(task);
    if (owner !== undefined) this.#follow(task, owner);
  }

  /** Whether facts of `task` are anything to this room. */
  hears(task: Task, fact: Fact): boolean {
    if (task.noticed !== undefined || fact.type === "task.updated") return true;
    return this.#queues.hasTasks && isGone(task) && this.#queues.find(task) !== undefined;
  }

  /** A fact of a task, just decided or replayed. */
  hear(task: Task, fact: Fact, seq: number, at: number): void {
    const { noticed } = task;
    if (noticed !== undefined) {
      const acknowledged = fact.type === "task.updated" ? fact.patch.acknowledged : undefined;
      if (acknowledged !== undefined) this.#told(task, noticed, acknowledged);
      else {
        if (task.isOver) noticed.queue.sources.delete(task);
        const what = happeningOf(fact, task.wake);
        if (what !== undefined) noticed.add(this.#make(task, noticed, what, seq, at));
        if (what !== undefined || task.isOver) this.#reading.lookAbove(noticed.queue);
      }
    }
    if (fact.type === "task.updated" && fact.patch.readsNotices) this.#hearChildren(task, seq, at);
    const own = isGone(task) ? this.#queues.find(task) : undefined;
    if (own !== undefined) this.#handOn(task, own);
  }

  /** Another process's tasks are replayed beside those of this one: what they had to tell is told once all of it is stored here. */
  takeOver(): void {
    this.#reading.untaken ??= new Set();
  }
  tookOver(): void {
    this.#reading.untaken = undefined;
    this.#reading.lookAll();
  }

  /** What a store kept, of a task that `made` has seen. */
  restore(task: Task, made: number, stored: readonly StoredNotice[]): void {
    const noticed = task.noticed;
    if (noticed === undefined) return;
    noticed.made = made;
    for (const { id, at, order, what } of stored) {
      this.#order = Math.max(this.#order, order);
      // They come as their tasks do in the snapshot.
      noticed.mix(new PendingNotice({ id, task, at, seq: 0, what }, order));
      this.#reading.untaken?.add(id);
    }
  }

  #follow(task: Task, owner: NoticeOwner): Noticed<Task> {
    const queue = this.#queues.of(owner);
    const noticed = new Noticed<Task>(queue);
    task.noticed = noticed;
    if (!task.isOver) queue.sources.add(task);
    return noticed;
  }

  #make(task: Task, noticed: Noticed<Task>, what: Happening, seq: number, at: number): TaskNotice {
    noticed.made++;
    const id = `${task.id}.${noticed.made}`;
    if (seq === 0) this.#reading.untaken?.add(id);
    return new PendingNotice({ id, task, at, seq, what }, ++this.#order);
  }

  #told(task: Task, noticed: Noticed<Task>, ids: readonly string[]): void {
    for (const id of ids) noticed.remove(id);
    if (noticed.size === 0) this.#deps.onTold(task);
    this.#reading.lookAbove(noticed.queue);
  }

  /** The loop of `owner` reads, from now on: it is told of the ends of those that did not say, also of the earlier ones. */
  #beginReading(owner: NoticeOwner, context: Attempt | undefined): void {
    this.#queues.of(owner).isRead = true;
    if (typeof owner === "string" || context === undefined || owner.state.details.readsNotices) return;
    this.#deps.loop.write(owner, { type: "update", attempt: context.number, patch: { readsNotices: true } });
    const handed = [...childrenOf(owner)].filter((child) => child.isHanded);
    for (const child of handed) this.handed(child);
  }

  #hearChildren(owner: Task, seq: number, at: number): void {
    const ended: Task[] = [];
    for (const child of childrenOf(owner)) {
      if (child.traits.wake !== undefined || child.noticed !== undefined) continue;
      child.touch();
      this.#follow(child, owner);
      if (child.isOver) ended.push(child);
    }
    ended.sort((a, b) => a.endOrder - b.endOrder);
    for (const child of ended) {
      const { noticed } = child;
      if (noticed === undefined) continue;
      noticed.mix(this.#make(child, noticed, endOf(child), seq, child.state.finishedAt ?? at));
    }
  }

  /** N3: nobody reads here any more. What was to be told, and will be, is the nearest living ancestor's, or the session's. */
  #handOn(gone: Task, from: Queue): void {
    this.#queues.drop(gone);
    const { stop, outcome } = gone.state;
    const error = overError(
      gone.id,
      stop === undefined && outcome?.status === "succeeded",
      "nothing is told through it",
    );
    for (const reader of [...from.readers]) reader.refuse(error);
    const owner = ownerOf(gone);
    for (const queue of this.#queues.above(gone)) this.#reading.look(queue);
    if (owner === undefined) {
      for (const { task } of from.all()) this.#forget(task);
      for (const task of from.sources) this.#forget(task);
      return;
    }
    const to = this.#queues.of(owner);
    for (const notice of [...from.all()]) {
      from.remove(notice);
      to.mix(notice);
      if (notice.task.noticed !== undefined) notice.task.noticed.queue = to;
    }
    for (const task of from.sources) {
      to.sources.add(task);
      if (task.noticed !== undefined) task.noticed.queue = to;
    }
  }

  /** Nobody is left to be told: its notices go with the record. */
  #forget(task: Task): void {
    if (task.noticed === undefined) return;
    task.noticed = undefined;
    this.#deps.onTold(task);
  }
}

function endOf({ state }: Task): Happening {
  const { outcome } = state;
  if (outcome === undefined) throw new TypeError("it has not ended");
  return { type: `task.${outcome.status}` };
}
