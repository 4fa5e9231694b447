// Notices: what each owner loop is told about its tasks (N1–N3).
//
// Owns a queue for each owner that is told of something: a task's loop, or a session by its id. It hears every fact of a task that may wake
// its owner, live and replayed alike, so what is queued is itself part of the state: an acknowledgement is a fact too. A notice stays until
// it is acknowledged, by the batch that it came with or by a wait that gave its owner the outcome. What the task whose loop it is was sent, and
// has not received, is told with them. Whoever waits for notices is told at the end of a turn, once what happened in it is stored: a thousand
// ends are one batch.

import { childrenOf } from "../live/family.js";
import { type LastBatch, Noticed, type NoticeReader, PendingNotice } from "../live/notice-queue.js";
import type { Attempt, Limit, Task } from "../live/task.js";
import { findCycle, needsNoSearch } from "../live/wait-cycles.js";
import type { Loop } from "../loop.js";
import { ManagerClosedError } from "../task/errors.js";
import type { Fact } from "../task/events.js";
import { type Happening, happeningOf, isEnd, type StoredNotice } from "../task/notice.js";
import { Alarm } from "../time/clock.js";
import { nextTurn } from "../time/turn.js";
import { runOutside } from "../values/outside.js";
import { waiterOf } from "../waits/ambient.js";
import { keeperOf, overError, type WaitOptions, type Waits } from "../waits/waits.js";
import { isGone, type NoticeOwner, ownerOf } from "./notice-owner.js";
import { NoticeQueues, type Queue } from "./notice-queues.js";
import { type ChosenNotices, ReadyNotices, type TaskNotice } from "./ready-notices.js";

type Reader = NoticeReader<Task>;

export interface NoticeOptions extends WaitOptions {
  /** Milliseconds ≥ 0 until an empty batch; 0 drains what is there. Default: no end. */
  timeoutMs?: number | undefined;
  /** Milliseconds ≥ 0 to wait for more notices after the first one. Default 0: all notices of one turn come together anyhow. */
  coalesceMs?: number | undefined;
}

interface NoticeDeps {
  readonly loop: Loop;
  readonly waits: Waits;
  readonly isClosed: () => boolean;
  /** Warns the author of the loop. */
  readonly warn: (what: string) => void;
  /** The task waits for another process: nothing here makes it wake a loop. */
  readonly isParked: (task: Task) => boolean;
  /** Nothing more of it is to be told: its record need not be kept for that. */
  readonly onTold: (task: Task) => void;
}

export class Notices {
  readonly #deps: NoticeDeps;
  readonly #queues = new NoticeQueues();
  /** Queues at which a caller waits. */
  readonly #read = new Set<Queue>();
  #order = 0;
  /** Of a takeover that is under way. */
  #untaken: Set<string> | undefined;

  constructor(deps: NoticeDeps) {
    this.#deps = deps;
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

  /**
   * What `choose` takes of the notices that `owner` has not acknowledged, as soon as there are some; of none when `timeoutMs` passes first;
   * `undefined` when nothing that lives can add to them. `context`: the attempt of the `ctx` the call came through.
   */
  next<C extends ChosenNotices>(
    owner: NoticeOwner,
    context: Attempt | undefined,
    { timeoutMs, coalesceMs = 0, signal }: NoticeOptions,
    choose: (ready: ReadyNotices) => C,
  ): Promise<C | undefined> {
    const { loop, waits } = this.#deps;
    const attempt = waiterOf(context);
    const refused =
      context === undefined
        ? keeperOf(attempt, waits).refusal(attempt, signal)
        : waits.refusalThrough(context, attempt, signal);
    if (refused !== undefined) return refused;
    this.#beginReading(owner, context);
    const queue = this.#queues.of(owner);
    const batch = () => this.#given(queue, choose(this.#ready(queue)));
    const limit: Limit<C | undefined> | undefined =
      timeoutMs === undefined ? undefined : { ms: timeoutMs, late: () => ({ value: batch() }) };
    // Ready notices are stored, and an empty batch reports nothing: neither waits for the store (D1, W2).
    const isReady = !this.#ready(queue).isEmpty;
    if (isReady && (coalesceMs === 0 || timeoutMs === 0)) return Promise.resolve(batch());
    if (!this.#mayWake(queue, attempt?.task))
      return waits.answer(attempt, () => undefined, { needs: loop.seq, signal, limit });
    if (timeoutMs === 0) return Promise.resolve(batch());
    const keeper = keeperOf(attempt, waits);
    return keeper.open<C | undefined>(
      attempt,
      () => ({ on: "notice" }),
      signal,
      (wait) => {
        const reader: Reader = {
          waiting: attempt?.task,
          coalesceMs,
          give: () => wait.resolve(batch()),
          giveUp: () => wait.resolve(undefined),
          refuse: (error) => wait.reject(error),
          company: undefined,
        };
        queue.readers.add(reader);
        this.#read.add(queue);
        if (isReady) this.#tell(queue, reader);
        else if (hasAny(queue)) this.#look(queue);
        return () => {
          queue.readers.delete(reader);
          if (queue.readers.size === 0) this.#read.delete(queue);
          reader.company?.cancel();
        };
      },
      { limit },
    );
  }

  /** A batch is about to be delivered. An empty one wakes no loop. */
  #given<C extends ChosenNotices>(queue: Queue, chosen: C): C {
    const newest = chosen.covered.at(-1)?.id;
    if (newest === undefined) return chosen;
    this.#warnOfStorm(queue, newest);
    // N1: the tasks of the batch before could be read until now.
    const { covered, counted, number } = chosen;
    queue.lastBatch = { tasks: tasksOf(covered), counted: tasksOf(counted), number };
    return chosen;
  }

  /** The same batch, again and again: a loop that does not acknowledge what it was told never sleeps. */
  #warnOfStorm(queue: Queue, newest: string): void {
    queue.timesGiven = newest === queue.lastGiven ? queue.timesGiven + 1 : 0;
    queue.lastGiven = newest;
    if (queue.timesGiven !== STORM) return;
    const whose = typeof queue.owner === "string" ? `session ${queue.owner}` : `task ${queue.owner.id}`;
    this.#deps.warn(
      `The loop of ${whose} has had the same notices ${STORM} times: call ack() on a batch once it is used`,
    );
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
    if (queue !== undefined) this.#look(queue);
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
    if (queue !== undefined) this.#look(queue);
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
        if (what !== undefined || task.isOver) this.#lookAbove(noticed.queue);
      }
    }
    if (fact.type === "task.updated" && fact.patch.readsNotices) this.#hearChildren(task, seq, at);
    const own = isGone(task) ? this.#queues.find(task) : undefined;
    if (own !== undefined) this.#handOn(task, own);
  }

  /** Another process's tasks are replayed beside those of this one: what they had to tell is told once all of it is stored here. */
  takeOver(): void {
    this.#untaken ??= new Set();
  }
  tookOver(): void {
    this.#untaken = undefined;
    for (const queue of this.#read) this.#look(queue);
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
      this.#untaken?.add(id);
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
    if (seq === 0) this.#untaken?.add(id);
    return new PendingNotice({ id, task, at, seq, what }, ++this.#order);
  }

  #told(task: Task, noticed: Noticed<Task>, ids: readonly string[]): void {
    for (const id of ids) noticed.remove(id);
    if (noticed.size === 0) this.#deps.onTold(task);
    this.#lookAbove(noticed.queue);
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
    for (const queue of this.#queues.above(gone)) this.#look(queue);
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

  // ── telling ──────────────────────────────────────────────────────────────

  #ready(queue: Queue): ReadyNotices {
    const { storedSeq } = this.#deps.loop;
    return new ReadyNotices(queue, (notice) => notice.seq <= storedSeq && !this.#isKeptBack(notice));
  }

  /** A wait is about to hand it out, or the journal it comes from is not this process's yet. */
  #isKeptBack({ id, task, what }: TaskNotice): boolean {
    return (task.claims > 0 && isEnd(what)) || this.#untaken?.has(id) === true;
  }

  /** Something is to be told, or some living task can still add to it and does not itself wait for the reader to end (L3). */
  #mayWake(queue: Queue, waiting: Task | undefined): boolean {
    if (hasAny(queue)) return true;
    for (const source of queue.sources) {
      if (this.#deps.isParked(source)) continue;
      if (waiting === undefined || needsNoSearch(waiting, source)) return true;
      if (findCycle(waiting, (task) => task === source) === undefined) return true;
    }
    // A silent task with a loop of its own hands on what that has not been told, or will be.
    for (const { size, sources } of this.#queues.below(queue.owner)) if (size > 0 || sources.size > 0) return true;
    return false;
  }

  /** What a queue loses, those above it will not be handed any more. */
  #lookAbove(queue: Queue): void {
    this.#look(queue);
    if (this.#read.size > 0) for (const above of this.#queues.above(queue.owner)) this.#look(above);
  }

  /** At the end of the turn, once what is decided by now is stored. */
  #look(queue: Queue): void {
    if (queue.readers.size === 0 || queue.isLooking) return;
    queue.isLooking = true;
    this.#deps.loop.call(() => {
      // What comes from now on is stored later, and looked at then.
      queue.isLooking = false;
      if (queue.isTelling) return;
      queue.isTelling = true;
      runOutside(() =>
        nextTurn(() => {
          queue.isTelling = false;
          this.#tellReaders(queue);
        }),
      );
    });
  }

  #tellReaders(queue: Queue): void {
    const isReady = !this.#ready(queue).isEmpty;
    for (const reader of [...queue.readers]) {
      if (isReady) this.#tell(queue, reader);
      else if (!this.#mayWake(queue, reader.waiting)) reader.giveUp();
    }
  }

  #tell(queue: Queue, reader: Reader): void {
    if (reader.coalesceMs === 0) return reader.give();
    reader.company ??= new Alarm(this.#deps.loop.clock, reader.coalesceMs, () => {
      reader.company = undefined;
      // A wait may have given them meanwhile.
      if (!this.#ready(queue).isEmpty) reader.give();
      else if (!this.#mayWake(queue, reader.waiting)) reader.giveUp();
    });
  }
}

const STORM = 10;

function tasksOf(notices: readonly TaskNotice[]): ReadonlyMap<string, Task> {
  return new Map(notices.map(({ task }) => [task.id, task]));
}

/** A notice, or a message for the task whose loop it is; delivered or not. */
function hasAny({ size, owner }: Queue): boolean {
  return size > 0 || (typeof owner !== "string" && owner.extras?.mailbox?.hasUnread === true);
}

function endOf({ state }: Task): Happening {
  const { outcome } = state;
  if (outcome === undefined) throw new TypeError("it has not ended");
  return { type: `task.${outcome.status}` };
}
