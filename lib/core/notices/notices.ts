// Notices: what each owner loop is notified of about its tasks (N1-N3).
//
// Owns a queue for each owner: a task's loop, or a session by its id. Every fact of a task that may wake its owner
// comes here, live and replayed alike, so the queues are part of the state, and an acknowledgement is a fact too. A
// notice stays until it is acknowledged: by the batch that delivered it, or by a wait that gave its owner the outcome.
// Called by the consequences of facts, by sessions and contexts, and by the replay. Calls the loop (acknowledgements)
// and `notice-reading.ts` (readers).

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
  /** All notices of the task are acknowledged: its record may be evicted. */
  readonly retainer: { release(task: Task): void };
}

/** The notices of one manager. */
export class Notices {
  readonly #deps: NoticeDeps;
  readonly #queues = new NoticeQueues();
  readonly #reading: NoticeReading;
  #order = 0;

  constructor(deps: NoticeDeps) {
    this.#deps = deps;
    this.#reading = new NoticeReading(deps, this.#queues);
  }

  /** Whether a loop asks, or has asked, for the notices of `owner`. */
  isRead(owner: NoticeOwner): boolean {
    return this.#queues.find(owner)?.isRead ?? false;
  }

  /** The newest batch that was delivered to `owner`. */
  lastBatchOf(owner: NoticeOwner): LastBatch<Task> | undefined {
    return this.#queues.find(owner)?.lastBatch;
  }

  /**
   * Removes the queue of a session; returns `false` when the session still has notices, living tasks or readers (D6).
   */
  forget(sessionId: string): boolean {
    return this.#queues.forget(sessionId);
  }

  // ── reading ──────────────────────────────────────────────────────────────

  /**
   * Waits for notices of `owner` (see `NoticeReading.next`). The first call makes `onTerminal` the default `wake` of
   * the owner's children.
   */
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

  /**
   * Acknowledges the notices. A notice that was acknowledged before is skipped. Throws `ManagerClosedError` when the
   * manager is closed.
   */
  acknowledge(notices: readonly TaskNotice[]): void {
    const ids = new Map<Task, string[]>();
    for (const { task, id, what, place } of notices) {
      if (what.type === "message.sent") task.extras?.mailbox?.read(what.message);
      if (task.noticed === undefined || place < 0) continue;
      const known = ids.get(task);
      if (known === undefined) ids.set(task, [id]);
      else known.push(id);
    }
    if (ids.size > 0 && this.#deps.loop.phase.isClosed) throw new ManagerClosedError("nothing is acknowledged");
    for (const [task, acknowledged] of ids) this.#deps.loop.apply(task, { type: "update", patch: { acknowledged } });
  }

  // ── outcomes that a wait delivers (N2) ───────────────────────────────────

  /**
   * Whether a wait of `attempt`, or one through a handle of the session `sessionId`, belongs to the owner of the task's
   * notices.
   */
  isOwners(task: Task, attempt: Attempt | undefined, sessionId: string | undefined): boolean {
    const owner = ownerOf(task);
    if (owner === undefined || owner === attempt?.task) return owner !== undefined;
    // The loop of a session is not one of its tasks: a task that waits through a handle of its session waits for
    // itself.
    return owner === sessionId && attempt?.task.sessionId !== sessionId;
  }

  /** A wait of the owner has the outcome of `task` and will deliver it: the notice of the end is withheld. */
  claim(task: Task): void {
    task.claims++;
  }

  /** The wait is over, with or without a delivery. */
  unclaim(task: Task): void {
    task.claims--;
    const queue = task.noticed?.queue;
    if (queue !== undefined) this.#reading.wake(queue);
  }

  /** A wait has delivered the outcome of `task` to the owner: acknowledges the notices of its end. */
  handed(task: Task): void {
    task.handed();
    const { noticed } = task;
    if (noticed === undefined || this.#deps.loop.phase.isClosed) return;
    const acknowledged = noticed.ends.map(({ id }) => id);
    if (acknowledged.length > 0) this.#deps.loop.apply(task, { type: "update", patch: { acknowledged } });
  }

  /** A message for `task` came: wakes its loop if it waits for notices. */
  messageCame(task: Task): void {
    const queue = this.#queues.find(task);
    if (queue !== undefined) this.#reading.wake(queue);
  }

  // ── facts ────────────────────────────────────────────────────────────────

  /** A task was made, in this process or in an earlier one. */
  taskCreated(task: Task): void {
    if (task.wake === "silent") return;
    const owner = ownerOf(task);
    if (owner !== undefined) this.#openNotices(task, owner);
  }

  /** Whether a fact of `task` may change a queue. */
  concerns(task: Task, fact: Fact): boolean {
    if (task.noticed !== undefined || fact.type === "task.updated") return true;
    return this.#queues.hasTasks && isGone(task) && this.#queues.find(task) !== undefined;
  }

  /** Follows a fact of a task, live or replayed. */
  follow(task: Task, fact: Fact, seq: number, at: number): void {
    const { noticed } = task;
    if (noticed !== undefined) {
      const acknowledged = fact.type === "task.updated" ? fact.patch.acknowledged : undefined;
      if (acknowledged !== undefined) this.#acknowledged(task, noticed, acknowledged);
      else {
        if (task.isOver) noticed.queue.sources.delete(task);
        const what = happeningOf(fact, task.wake);
        if (what !== undefined) noticed.add(this.#make(task, noticed, what, seq, at));
        if (what !== undefined || task.isOver) this.#reading.wakeAbove(noticed.queue);
      }
    }
    if (fact.type === "task.updated" && fact.patch.readsNotices) this.#followChildren(task, seq, at);
    const own = isGone(task) ? this.#queues.find(task) : undefined;
    if (own !== undefined) this.#passUp(task, own);
  }

  /** A takeover begins: the notices of the other process's tasks are withheld until everything is stored here. */
  takeOver(): void {
    this.#reading.withheldIds ??= new Set();
  }
  /** The takeover is complete: the withheld notices may be delivered. */
  tookOver(): void {
    this.#reading.withheldIds = undefined;
    this.#reading.wakeAll();
  }

  /** Restores the notices of a task from a snapshot. `taskCreated` was called for the task before. */
  restore(task: Task, made: number, stored: readonly StoredNotice[]): void {
    const noticed = task.noticed;
    if (noticed === undefined) return;
    noticed.made = made;
    for (const { id, at, order, what } of stored) {
      this.#order = Math.max(this.#order, order);
      // The notices come in the order of their tasks in the snapshot, and not by age.
      noticed.insert(new PendingNotice({ id, task, at, seq: 0, what }, order));
      this.#reading.withheldIds?.add(id);
    }
  }

  #openNotices(task: Task, owner: NoticeOwner): Noticed<Task> {
    const queue = this.#queues.of(owner);
    const noticed = new Noticed<Task>(queue);
    task.noticed = noticed;
    if (!task.isOver) queue.sources.add(task);
    return noticed;
  }

  #make(task: Task, noticed: Noticed<Task>, what: Happening, seq: number, at: number): TaskNotice {
    noticed.made++;
    const id = `${task.id}.${noticed.made}`;
    if (seq === 0) this.#reading.withheldIds?.add(id);
    return new PendingNotice({ id, task, at, seq, what }, ++this.#order);
  }

  #acknowledged(task: Task, noticed: Noticed<Task>, ids: readonly string[]): void {
    for (const id of ids) noticed.remove(id);
    if (noticed.size === 0) this.#deps.retainer.release(task);
    this.#reading.wakeAbove(noticed.queue);
  }

  /**
   * The loop of `owner` reads from now on. A task's loop also gets notices of earlier ends of children without an own
   * `wake`.
   */
  #beginReading(owner: NoticeOwner, context: Attempt | undefined): void {
    this.#queues.of(owner).isRead = true;
    if (typeof owner === "string" || context === undefined || owner.state.details.readsNotices) return;
    this.#deps.loop.write(owner, { type: "update", attempt: context.number, patch: { readsNotices: true } });
    const handed = [...childrenOf(owner)].filter((child) => child.isHanded);
    for (const child of handed) this.handed(child);
  }

  #followChildren(owner: Task, seq: number, at: number): void {
    const ended: Task[] = [];
    for (const child of childrenOf(owner)) {
      if (child.traits.wake !== undefined || child.noticed !== undefined) continue;
      child.touch();
      this.#openNotices(child, owner);
      if (child.isOver) ended.push(child);
    }
    ended.sort((a, b) => a.endOrder - b.endOrder);
    for (const child of ended) {
      const { noticed } = child;
      if (noticed === undefined) continue;
      noticed.insert(this.#make(child, noticed, endOf(child), seq, child.state.finishedAt ?? at));
    }
  }

  /**
   * The function of `gone` is over: its notices, and the later ones of its sources, pass to the nearest living ancestor
   * or to the session (N3).
   */
  #passUp(gone: Task, from: Queue): void {
    this.#queues.drop(gone);
    const { stop, ending } = gone.state;
    const error = overError(gone.id, stop === undefined && ending?.status === "succeeded", "it delivers no notices");
    for (const reader of [...from.readers]) reader.refuse(error);
    const owner = ownerOf(gone);
    for (const queue of this.#queues.above(gone)) this.#reading.wake(queue);
    if (owner === undefined) {
      for (const { task } of from.all()) this.#forget(task);
      for (const task of from.sources) this.#forget(task);
      return;
    }
    const to = this.#queues.of(owner);
    for (const notice of [...from.all()]) {
      from.remove(notice);
      to.insert(notice);
      if (notice.task.noticed !== undefined) notice.task.noticed.queue = to;
    }
    for (const task of from.sources) {
      to.sources.add(task);
      if (task.noticed !== undefined) task.noticed.queue = to;
    }
  }

  /** No loop receives notices of the task: its notices are removed. */
  #forget(task: Task): void {
    if (task.noticed === undefined) return;
    task.noticed = undefined;
    this.#deps.retainer.release(task);
  }
}

function endOf({ state }: Task): Happening {
  const { ending } = state;
  if (ending === undefined) throw new TypeError("it has not ended");
  return { type: `task.${ending.status}` };
}
