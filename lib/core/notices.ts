// Notices: what each owner loop is told about its tasks (N1–N3).
//
// Owns a queue for each owner that is told of something: a task's loop, or a session by its id. It hears every fact of a task that may wake
// its owner, live and replayed alike, so what is queued is itself part of the state: an acknowledgement is a fact too. A notice stays until
// it is acknowledged, by the batch that it came with or by a wait that gave its owner the outcome. What the task whose loop it is was sent, and
// has not received, is told with them. Whoever waits for notices is told at the end of a turn, once what happened in it is stored: a thousand
// ends are one batch.

import { runOutside, waiterOf } from "./ambient.js";
import { Alarm } from "./clock.js";
import { findCycle } from "./cycles.js";
import { ManagerClosedError } from "./errors.js";
import type { Fact } from "./events.js";
import { childrenOf } from "./hierarchy.js";
import type { Loop } from "./loop.js";
import { type Happening, happeningOf, isEnd, type StoredNotice } from "./notice.js";
import { isBelow, isGone, type NoticeOwner, ownerOf } from "./notice-owner.js";
import { Noticed, NoticeQueue, type NoticeReader, type PendingNotice } from "./notice-queue.js";
import type { Attempt, Limit, Task } from "./task.js";
import { nextTurn } from "./turn.js";
import { keeperOf, overError, type WaitOptions, type Waits } from "./waits.js";

export type TaskNotice = PendingNotice<Task>;
type Queue = NoticeQueue<Task>;
type Reader = NoticeReader<Task>;

export interface NoticeOptions extends WaitOptions {
  /** Milliseconds ≥ 0 until an empty batch; 0 drains what is there. Default: no end. */
  timeoutMs?: number | undefined;
  /** Milliseconds ≥ 0 to wait for company after the first one. Default 0: all of one turn come together anyhow. */
  coalesceMs?: number | undefined;
}

interface NoticeRooms {
  readonly loop: Loop;
  readonly waits: Waits;
  readonly isClosed: () => boolean;
  /** Something that whoever wrote the loop should know. */
  readonly warn: (what: string) => void;
  /** It waits for another process: nothing here makes it wake a loop. */
  readonly isParked: (task: Task) => boolean;
  /** Nothing more of it is to be told: its record need not be kept for that. */
  readonly onTold: (task: Task) => void;
}

export class Notices {
  readonly #rooms: NoticeRooms;
  readonly #ofSessions = new Map<string, Queue>();
  /** Of tasks whose functions are not over. */
  readonly #ofTasks = new Map<Task, Queue>();
  /** Those that somebody waits at. */
  readonly #read = new Set<Queue>();
  #order = 0;
  /** Of a takeover that is under way. */
  #untaken: Set<string> | undefined;

  constructor(rooms: NoticeRooms) {
    this.#rooms = rooms;
  }

  /** Somebody asks, or has asked, for the notices of `owner`. */
  isRead(owner: NoticeOwner): boolean {
    return this.#find(owner)?.isRead ?? false;
  }

  // ── reading ──────────────────────────────────────────────────────────────

  /**
   * What `owner` has not acknowledged, as soon as there is something; empty when `timeoutMs` passes first; `undefined` when nothing that lives
   * can add to it. `context`: the attempt of the `ctx` the call came through.
   */
  next(
    owner: NoticeOwner,
    context: Attempt | undefined,
    { timeoutMs, coalesceMs = 0, signal }: NoticeOptions,
  ): Promise<readonly TaskNotice[] | undefined> {
    const { loop, waits } = this.#rooms;
    const attempt = waiterOf(context);
    const refused =
      context === undefined
        ? keeperOf(attempt, waits).refusal(attempt, signal)
        : waits.refusalThrough(context, attempt, signal);
    if (refused !== undefined) return refused;
    this.#beginReading(owner, context);
    const queue = this.#queueOf(owner);
    const ready = this.#ready(queue);
    this.#warnOfStorm(queue, ready);
    const late = () => ({ value: this.#ready(queue) });
    const limit: Limit<readonly TaskNotice[] | undefined> | undefined =
      timeoutMs === undefined ? undefined : { ms: timeoutMs, late };
    // What is ready is stored, and an empty batch reports nothing: neither waits for the store (D1, W2).
    if (ready.length > 0 && (coalesceMs === 0 || timeoutMs === 0)) return Promise.resolve(ready);
    if (!this.#mayWake(queue, attempt?.task))
      return waits.answer(attempt, () => undefined, { needs: loop.seq, signal, limit });
    if (timeoutMs === 0) return Promise.resolve(ready);
    const keeper = keeperOf(attempt, waits);
    return keeper.open<readonly TaskNotice[] | undefined>(
      attempt,
      () => ({ on: "notice" }),
      signal,
      (wait) => {
        const give = (batch: readonly TaskNotice[] | undefined) => wait.resolve(batch);
        const refuse = (error: Error) => wait.reject(error);
        const reader: Reader = { waiting: attempt?.task, coalesceMs, give, refuse, company: undefined };
        queue.readers.add(reader);
        this.#read.add(queue);
        if (ready.length > 0) this.#tell(queue, reader, ready);
        else if (queue.size > 0 || messagesFor(owner).length > 0) this.#look(queue);
        return () => {
          queue.readers.delete(reader);
          if (queue.readers.size === 0) this.#read.delete(queue);
          reader.company?.cancel();
        };
      },
      { limit },
    );
  }

  /** The same batch, again and again: a loop that does not acknowledge what it was told never sleeps. */
  #warnOfStorm(queue: Queue, ready: readonly TaskNotice[]): void {
    const newest = ready.at(-1)?.id;
    queue.timesGiven = newest !== undefined && newest === queue.lastGiven ? queue.timesGiven + 1 : 0;
    queue.lastGiven = newest;
    if (queue.timesGiven !== STORM) return;
    const whose = typeof queue.owner === "string" ? `session ${queue.owner}` : `task ${queue.owner.id}`;
    this.#rooms.warn(
      `The loop of ${whose} has had the same notices ${STORM} times: call ack() on a batch once it is used`,
    );
  }

  /** The owner has them. Those that it, or another, has acknowledged before are passed over. */
  acknowledge(notices: readonly TaskNotice[]): void {
    const ids = new Map<Task, string[]>();
    for (const { task, id, what } of notices) {
      if (what.type === "message.sent") task.desk?.mailbox?.read(what.message);
      if (!task.noticed?.has(id)) continue;
      const known = ids.get(task);
      if (known === undefined) ids.set(task, [id]);
      else known.push(id);
    }
    if (ids.size > 0 && this.#rooms.isClosed()) throw new ManagerClosedError("nothing is acknowledged any more");
    for (const [task, acknowledged] of ids) this.#rooms.loop.apply(task, { type: "update", patch: { acknowledged } });
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
    if (noticed === undefined || this.#rooms.isClosed()) return;
    const ends = noticed.pending.filter(({ what }) => isEnd(what));
    if (ends.length > 0)
      this.#rooms.loop.apply(task, { type: "update", patch: { acknowledged: ends.map(({ id }) => id) } });
  }

  /** It is for the loop of `task`, should that wait. */
  messageCame(task: Task): void {
    const queue = this.#ofTasks.get(task);
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
    return this.#ofTasks.size > 0 && isGone(task) && this.#ofTasks.has(task);
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
    const own = isGone(task) ? this.#ofTasks.get(task) : undefined;
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
      noticed.mix({ id, task, at, order, seq: 0, what });
      this.#untaken?.add(id);
    }
  }

  #queueOf(owner: NoticeOwner): Queue {
    const known = this.#find(owner);
    if (known !== undefined) return known;
    const queue = new NoticeQueue<Task>(owner);
    if (typeof owner === "string") this.#ofSessions.set(owner, queue);
    else this.#ofTasks.set(owner, queue);
    return queue;
  }

  #find(owner: NoticeOwner): Queue | undefined {
    return typeof owner === "string" ? this.#ofSessions.get(owner) : this.#ofTasks.get(owner);
  }

  #follow(task: Task, owner: NoticeOwner): Noticed<Task> {
    const queue = this.#queueOf(owner);
    const noticed = new Noticed<Task>(queue);
    task.noticed = noticed;
    if (!task.isOver) queue.sources.add(task);
    return noticed;
  }

  #make(task: Task, noticed: Noticed<Task>, what: Happening, seq: number, at: number): TaskNotice {
    noticed.made++;
    const id = `${task.id}.${noticed.made}`;
    if (seq === 0) this.#untaken?.add(id);
    return { id, task, at, order: ++this.#order, seq, what };
  }

  #told(task: Task, noticed: Noticed<Task>, ids: readonly string[]): void {
    for (const id of ids) noticed.remove(id);
    if (noticed.pending.length === 0) this.#rooms.onTold(task);
    this.#lookAbove(noticed.queue);
  }

  /** The loop of `owner` reads, from now on: it is told of the ends of those that did not say, also of the earlier ones. */
  #beginReading(owner: NoticeOwner, context: Attempt | undefined): void {
    this.#queueOf(owner).isRead = true;
    if (typeof owner === "string" || context === undefined || owner.state.details.readsNotices) return;
    this.#rooms.loop.write(owner, { type: "update", attempt: context.number, patch: { readsNotices: true } });
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
    this.#ofTasks.delete(gone);
    const { stop, outcome } = gone.state;
    const error = overError(
      gone.id,
      stop === undefined && outcome?.status === "succeeded",
      "nothing is told through it",
    );
    for (const reader of [...from.readers]) reader.refuse(error);
    const owner = ownerOf(gone);
    for (const queue of this.#read) this.#look(queue);
    if (owner === undefined) {
      for (const { task } of from.pending) this.#forget(task);
      for (const task of from.sources) this.#forget(task);
      return;
    }
    const to = this.#queueOf(owner);
    for (const notice of from.pending) {
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
    this.#rooms.onTold(task);
  }

  // ── telling ──────────────────────────────────────────────────────────────

  /** Oldest first. What a wait is about to hand out, and what is not stored, is not told of yet. */
  #ready(queue: Queue): readonly TaskNotice[] {
    const { storedSeq } = this.#rooms.loop;
    const ready: TaskNotice[] = [];
    for (const notice of queue.pending) if (notice.seq <= storedSeq && !this.#isKeptBack(notice)) ready.push(notice);
    const messages = messagesFor(queue.owner).filter(({ seq }) => seq <= storedSeq);
    if (messages.length === 0) return ready;
    return [...ready, ...messages].toSorted((a, b) => a.at - b.at);
  }

  /** A wait is about to hand it out, or the journal it comes from is not this process's yet. */
  #isKeptBack({ id, task, what }: TaskNotice): boolean {
    return (task.claims > 0 && isEnd(what)) || this.#untaken?.has(id) === true;
  }

  /** Something is to be told, or some living task can still add to it and does not itself wait for the reader to end (L3). */
  #mayWake(queue: Queue, waiting: Task | undefined): boolean {
    if (queue.size > 0 || messagesFor(queue.owner).length > 0) return true;
    for (const source of queue.sources) {
      if (this.#rooms.isParked(source)) continue;
      if (waiting === undefined || findCycle(waiting, (task) => task === source) === undefined) return true;
    }
    // A silent task with a loop of its own hands on what that has not been told, or will be.
    for (const { owner, size, sources } of this.#ofTasks.values())
      if (isBelow(owner, queue.owner) && (size > 0 || sources.size > 0)) return true;
    return false;
  }

  /** What a queue loses, those above it will not be handed any more. */
  #lookAbove(queue: Queue): void {
    this.#look(queue);
    for (const other of this.#read) if (isBelow(queue.owner, other.owner)) this.#look(other);
  }

  /** At the end of the turn, once what is decided by now is stored. */
  #look(queue: Queue): void {
    if (queue.readers.size === 0 || queue.isLooking) return;
    queue.isLooking = true;
    this.#rooms.loop.call(() => {
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
    const ready = this.#ready(queue);
    for (const reader of [...queue.readers]) {
      if (ready.length > 0) this.#tell(queue, reader, ready);
      else if (!this.#mayWake(queue, reader.waiting)) reader.give(undefined);
    }
  }

  #tell(queue: Queue, reader: Reader, ready: readonly TaskNotice[]): void {
    if (reader.coalesceMs === 0) return reader.give(ready);
    reader.company ??= new Alarm(this.#rooms.loop.clock, reader.coalesceMs, () => {
      reader.company = undefined;
      const gathered = this.#ready(queue);
      // A wait may have given them meanwhile.
      if (gathered.length > 0) reader.give(gathered);
      else if (!this.#mayWake(queue, reader.waiting)) reader.give(undefined);
    });
  }
}

const STORM = 10;

/** What the task whose loop it is was sent, and nobody has read. Kept where messages are kept. */
function messagesFor(owner: NoticeOwner): readonly TaskNotice[] {
  if (typeof owner === "string") return NO_MESSAGES;
  const unread = owner.desk?.mailbox?.unread ?? [];
  return unread.map(({ message, seq }) => {
    const what = { type: "message.sent", message } as const;
    return { id: message.id, task: owner, at: message.createdAt, order: 0, seq, what };
  });
}
const NO_MESSAGES: readonly TaskNotice[] = Object.freeze([]);

function endOf({ state }: Task): Happening {
  const { outcome } = state;
  if (outcome === undefined) throw new TypeError("it has not ended");
  return { type: `task.${outcome.status}` };
}
