// Task: the live entry of one task, and of the attempt that runs it.
//
// A task holds its state, which the loop alone replaces, and its places among others: in line (slots), in the family, and under
// those who wait for it (watchers). Each group of fields below names the part that writes it.

import type { AsyncResource } from "node:async_hooks";
import type { Delivery } from "../events/delivery.js";
import type { Held } from "../events/held-deliveries.js";
import type { Lane, Slotted } from "../lanes/lane.js";
import type { Start } from "../lanes/rate-limiter.js";
import type { Holder } from "../lanes/slots.js";
import type { TaskCancelledError } from "../task/errors.js";
import type { KindParts, Work } from "../task/kind-parts.js";
import type { TaskRecord, Usage, Wait, Wake, Weight } from "../task/record.js";
import { type Stop, type TaskSpec, type TaskState, type TaskTraits, toRecord } from "../task/state.js";
import { minus, NOTHING_SPENT } from "../task/usage.js";
import type { Timekeeper } from "../time/clock.js";
import { type Extras, extrasOf, heldRecord } from "./extras.js";
import { Family } from "./family-links.js";
import type { Grace } from "./grace.js";
import type { Noticed } from "./notice-queue.js";
import type { Limit, OpenWait } from "./open-wait.js";
import type { SessionAccount } from "./session-account.js";
import { settle } from "./sums.js";

/** Somebody who waits for tasks to end. */
export interface Watcher {
  /** Called in the call in which `task` ended, before anything is delivered. */
  taskEnded(task: Task): void;
  /** The task whose pending wait this is: the edge of L3. */
  readonly waiting: Task | undefined;
}

/** One watcher's place under one task. */
export class Link {
  readonly task: Task;
  /** Nobody any more once it was unwatched. */
  watcher: Watcher | undefined;
  previous: Link | undefined;
  next: Link | undefined;

  constructor(task: Task, watcher: Watcher) {
    this.task = task;
    this.watcher = watcher;
  }
}

const NO_FAMILY: Family<Task> = Object.freeze(new Family<Task>());
const ONE_TASK: Usage = Object.freeze({ ...NOTHING_SPENT, tasks: 1 });

/** To write: the task's own. */
export function familyOf(task: Task): Family<Task> {
  if (task.family === NO_FAMILY) task.family = new Family<Task>();
  return task.family;
}

/** More claims than there will ever be: one field says both, since every task has it. */
const HANDED = 2 ** 20;

/** What a spawn gives. */
interface Spawned {
  readonly id: string;
  readonly sessionId: string | undefined;
  readonly createdAt: number;
  readonly traits: TaskTraits;
  readonly state: TaskState;
  readonly lane: Lane<Task>;
  readonly parent: Task | undefined;
  readonly work: Work | undefined;
  readonly kind?: KindParts | undefined;
  readonly context: AsyncResource | undefined;
}

export class Task implements TaskSpec, Slotted {
  readonly id: string;
  readonly sessionId: string | undefined;
  readonly depth: number;
  readonly createdAt: number;
  readonly traits: TaskTraits;

  // ── the loop ──
  state: TaskState;
  /** `seq` of the fact that made it, or its newest attempt: its function starts once that is stored (L9). */
  madeSeq = 0;
  #record: TaskRecord | undefined;

  // ── the runner ──
  /** The function and the async context of its spawn call, in which it runs (H0); gone with the end. */
  work: Work | undefined;
  /** What it was spawned as, in this process. */
  kind: KindParts | undefined;
  context: AsyncResource | undefined;
  attempt: Attempt | undefined;
  /** Of all ends in this process: tells which of two tasks ended first. */
  endOrder = 0;
  /** The instant of its end on the monotonic clock of this process, also when it ended in an earlier one. Written by retention. */
  endedAt = 0;
  /** `seq` of the fact that ended it: its outcome is delivered once that is stored (D1). 0 when an earlier process stored it. */
  endSeq = 0;

  // ── the hierarchy ──
  /** Another object only when a new attempt takes the place of an ended parent. */
  parent: Task | undefined;
  readonly root: Task;
  previousSibling: Task | undefined;
  nextSibling: Task | undefined;
  family: Family<Task> = NO_FAMILY;

  // ── the slots ──
  readonly lane: Lane<Task>;
  rank = 0;
  order = 0;
  /** Of an ended task: in the retention's queue. */
  place = -1;
  holdsSlot = false;
  // ── the ledger ──
  /** The account of the task's session; `undefined` in no session. */
  account: SessionAccount | undefined;

  // ── who waits for it ──
  watchers: Link | undefined;

  // ── the notices ──
  /** Its own notices, if it makes any. */
  noticed: Noticed<Task> | undefined;
  /** Waits of its owner that have its outcome, and have not given it yet. */
  claims = 0;

  // ── what only some tasks have: requests, messages, output, deadlines, an external signal ──
  extras: Extras | undefined;

  constructor({ id, sessionId, createdAt, traits, state, lane, parent, work, kind, context }: Spawned) {
    this.id = id;
    this.sessionId = sessionId;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
    this.createdAt = createdAt;
    this.traits = traits;
    this.state = state;
    this.work = work;
    this.kind = kind;
    this.context = context;
    this.lane = lane;
    this.parent = parent;
    this.root = parent === undefined ? this : parent.root;
    if (traits.budget !== undefined) familyOf(this.root).hasBudgets = true;
  }

  get parentId(): string | undefined {
    return this.parent?.id;
  }
  get rootId(): string {
    return this.root.id;
  }
  get laneName(): string {
    return this.lane.name;
  }
  get laneKey(): string | undefined {
    return this.traits.laneKey;
  }
  get weight(): Weight | undefined {
    return this.traits.weight;
  }
  get start(): Start | undefined {
    return this.extras?.start;
  }
  set start(start: Start | undefined) {
    if (start !== undefined || this.extras !== undefined) extrasOf(this).start = start;
  }
  /** A started task stands in line for the way back from its wait. */
  get isResume(): boolean {
    return this.attempt !== undefined;
  }
  /** A wait gave its outcome to its owner. */
  get isHanded(): boolean {
    return this.claims >= HANDED;
  }
  handed(): void {
    if (!this.isHanded) this.claims += HANDED;
  }
  get isOver(): boolean {
    return this.state.finishedAt !== undefined;
  }
  /** The same spawn finds it again, in whichever process (H7). */
  get isReturnable(): boolean {
    return this.traits.hasGivenId || this.traits.callId !== undefined;
  }
  get isAttached(): boolean {
    return this.parent !== undefined && !this.state.details.detached;
  }

  /** The newest snapshot; the same object until something changes. */
  get record(): TaskRecord {
    const untilAt = this.heldUntil;
    if (untilAt === undefined) return this.decidedRecord;
    return heldRecord(extrasOf(this), this.decidedRecord, untilAt);
  }

  /** The newest snapshot, as facts made it: without what only time changes. */
  get decidedRecord(): TaskRecord {
    settle(this);
    this.#record ??= toRecord(this, this.state, this.usage(), this.totalDeadlineAt, this.wake);
    return this.#record;
  }

  /** L7: until when it stands in line because of its rate. */
  get heldUntil(): number | undefined {
    return this.lane.isRated && this.state.status === "queued" ? this.lane.heldUntil(this) : undefined;
  }

  /** When its owner is told of it. */
  get wake(): Wake {
    return this.traits.wake ?? (this.parent?.state.details.readsNotices ? "onTerminal" : "silent");
  }

  /** Its own, or the nearest one inherited: a detached task is on its own. */
  get totalDeadlineAt(): number | undefined {
    let first = this.traits.limits?.totalDeadlineAt;
    let above = this.isAttached ? this.parent : undefined;
    while (above !== undefined) {
      const totalDeadlineAt = above.traits.limits?.totalDeadlineAt;
      if (totalDeadlineAt !== undefined && (first === undefined || totalDeadlineAt < first)) first = totalDeadlineAt;
      above = above.isAttached ? above.parent : undefined;
    }
    return first;
  }

  /** What the snapshot shows has changed. */
  touch(): void {
    this.#record = undefined;
  }

  usage(): Usage {
    if (this.family === NO_FAMILY) return ONE_TASK;
    settle(this);
    const { spent, tasksBelow } = this.family;
    return Object.freeze({ ...spent, tasks: tasksBelow + 1 });
  }

  /** Without what the task used itself. */
  usageBelow(): Usage {
    settle(this);
    const { spent, ownSpent, tasksBelow } = this.family;
    return Object.freeze({ ...minus(spent, ownSpent), tasks: tasksBelow });
  }
}

/** A manager whose tasks a wait reports, which may be another than the one that keeps the wait. */
export interface StoredIn {
  /** Delivers `wait` once everything that is decided there by now is stored; `undefined` when it is stored already, and nothing is done. */
  deliverWhenStored(wait: Pending): Held | undefined;
}

/** A wait in flight, as its keeper sees it. */
export interface Pending extends Delivery, OpenWait<never> {
  /** Whose code began it; `undefined`: nobody's. */
  readonly attempt: Attempt | undefined;
  /** What the record shows; asked only when somebody looks. */
  describe(): Wait;
  /** Hooks it to what it waits for, once it has begun. */
  hook(): void;
  /** Stops following the signal that may withdraw it. */
  unfollow: (() => void) | undefined;
  /** What it gives tells of facts. One that is stopped tells of none, and is not kept waiting for the store (D1). */
  readonly tells: boolean;
  /** Its delivery waits for the store, at this place. */
  hold(held: Held): void;
  /** The signal that may withdraw it has aborted. */
  abort(reason: unknown): void;
  /** Rejects it, even one that is over and only waits for its slot. */
  withdraw(error: Error): void;
}

/** Where the waits of an attempt are kept: in its own manager, whichever manager the handle waited for is of. */
export interface WaitKeeper {
  /** Whether a decided wait may be held for the store (D1). */
  readonly hasStore: boolean;
  readonly clock: Timekeeper;
  /** What a wait that may not begin gives instead; `undefined` when it may. */
  refusal(attempt: Attempt | undefined, signal: AbortSignal | undefined): Promise<never> | undefined;
  /** A wait begins that may; `signal` withdraws it. */
  begin(wait: Pending, signal: AbortSignal | undefined): void;
  /** A wait begins, if it may, of `attempt` or of nobody. `arrange` hooks it to its source and returns what unhooks it, called once. */
  open<T>(
    attempt: Attempt | undefined,
    describe: () => Wait,
    signal: AbortSignal | undefined,
    arrange: (wait: OpenWait<T>) => () => void,
    more?: { readonly limit?: Limit<T> | undefined; readonly homes?: StoredIn[] | undefined },
  ): Promise<T>;
  /** A pending wait of `attempt` waits for other tasks than it did. */
  changed(attempt: Attempt): void;
  /** `wait` is decided: it returns at once or with a slot. */
  over(wait: Pending): void;
  /** `wait` is decided and held for a store: a stop of its attempt ends it too (C3). */
  remember(wait: Pending, held: Held): void;
  /** `wait`, which was held, is delivered. */
  delivered(wait: Pending): void;
}

/** One run of a task's function: whether it still may write and wait, and what it waits for. */
export class Attempt {
  readonly task: Task;
  readonly number: number;
  readonly waits: WaitKeeper;
  /** `open` until the function settles or is given up (S2). */
  phase: "open" | "settled" | "abandoned" = "open";
  /** `seq` of the fact by which it started. */
  readonly startSeq: number;
  /** The attempt before it failed, and this one tries again. */
  readonly isRetry: boolean;
  /** What it waits for now, in order of beginning; made with the first wait. Written by the waits. */
  pending: Set<Pending> | undefined;
  /** The last wait, over, on its way back to a slot. Written by the waits. */
  returning: Pending | undefined;

  /** The signal, once somebody reads it. Written by `attempt-signal.ts`. */
  controller: AbortController | undefined;
  cancelError: TaskCancelledError | undefined;
  /** The grace it shares with all that were stopped with it. Written by the runner. */
  grace: Grace | undefined;
  /** Once another attempt follows: what had stopped this one, and what has its slot. Written by the runner. */
  past: { readonly stop: Stop | undefined; readonly holder: Holder } | undefined;

  constructor(task: Task, startSeq: number, isRetry: boolean, waits: WaitKeeper) {
    this.task = task;
    this.number = task.state.attempt;
    this.startSeq = startSeq;
    this.isRetry = isRetry;
    this.waits = waits;
  }

  /** What stopped it; that of its task, while it is the newest. */
  get stop(): Stop | undefined {
    return this.past === undefined ? this.task.state.stop : this.past.stop;
  }

  /** What has its slot: its task, while it is the newest. */
  get holder(): Holder {
    return this.past?.holder ?? this.task;
  }

  /** Its function returned, and nothing had stopped it. */
  get hasReturned(): boolean {
    const { stop, outcome } = this.task.state;
    return this.past === undefined && stop === undefined && outcome?.status === "succeeded";
  }

  /** It waits for something, or is on its way back from it. */
  get isWaiting(): boolean {
    return this.returning !== undefined || (this.pending !== undefined && this.pending.size > 0);
  }

  /** The pending waits as the record tells them, whenever it is asked. */
  *[Symbol.iterator](): Iterator<Wait> {
    if (this.returning !== undefined) yield { on: "slot" };
    for (const wait of this.pending ?? []) yield wait.describe();
  }
}
