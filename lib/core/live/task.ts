// Task: the live entry of one task, and of the attempt that runs it.
//
// A task holds its state and its positions in other parts: in line (slots), in the family, and in the lists of waits
// for its end (watchers). Its constructor sets the first state; the loop replaces it after each fact, and the replay
// when the task gets what another process stored of it. Each group of fields below names the part that writes it.

import type { AsyncResource } from "node:async_hooks";
import type { Lane, Slotted } from "../lanes/lane.js";
import type { Start } from "../lanes/rate-limiter.js";
import type { Holder } from "../lanes/slots.js";
import type { TaskCancelledError } from "../task/errors.js";
import type { KindParts, Work } from "../task/kind-parts.js";
import type { TaskRecord, Usage, Wait, Wake, Weight } from "../task/record.js";
import { type Stop, type TaskSpec, type TaskState, type TaskTraits, toRecord } from "../task/state.js";
import { minus, NOTHING_SPENT } from "../task/usage.js";
import { reported } from "../task/wait.js";
import { type Extras, extrasOf, heldRecord } from "./extras.js";
import { Family } from "./family-links.js";
import type { Grace } from "./grace.js";
import type { Noticed } from "./notice-queue.js";
import type { SessionAccount } from "./session-account.js";
import { addUpSums } from "./sums.js";
import type { PendingOf, WaitKeeperOf } from "./wait-keeper.js";

/** A wait for the end of tasks. */
export interface Watcher {
  /** Called inside the call that ended `task`, before anything is delivered. */
  taskEnded(task: Task): void;
  /** The task that waits, for the search of wait cycles (L3). */
  readonly waiting: Task | undefined;
}

/** The position of one watcher in the list of one task. */
export class Link {
  /** The watched task. */
  readonly task: Task;
  /** The watcher; `undefined` once it was unwatched. */
  watcher: Watcher | undefined;
  /** The newer link. */
  previous: Link | undefined;
  /** The older link. */
  next: Link | undefined;

  constructor(task: Task, watcher: Watcher) {
    this.task = task;
    this.watcher = watcher;
  }
}

const NO_FAMILY: Family<Task> = Object.freeze(new Family<Task>());
const ONE_TASK: Usage = Object.freeze({ ...NOTHING_SPENT, tasks: 1 });

/** The task's own family, for writing. */
export function familyOf(task: Task): Family<Task> {
  if (task.family === NO_FAMILY) task.family = new Family<Task>();
  return task.family;
}

/**
 * Added to `claims` when the outcome was delivered: larger than every number of claims. One field holds both, because
 * every task has it.
 */
const OUTCOME_DELIVERED = 2 ** 20;

/** The fields of a new task. */
interface TaskInit {
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

/** The live entry of one task. */
export class Task implements TaskSpec, Slotted {
  /** The id of the task. */
  readonly id: string;
  /** The session of the task. */
  readonly sessionId: string | undefined;
  /** The number of ancestors. */
  readonly depth: number;
  /** The time of the spawn, in epoch milliseconds. */
  readonly createdAt: number;
  /** The part of the record that never changes. */
  readonly traits: TaskTraits;

  // ── the loop ──
  /** The part of the record that facts change. */
  state: TaskState;
  /** `seq` of the fact that made the task or its newest attempt: its function starts once that is stored (L9). */
  madeSeq = 0;
  #record: TaskRecord | undefined;

  // ── the runner ──
  /** The function of the task; removed at the end. */
  work: Work | undefined;
  /** The kind that the spawn brought, in this process. */
  kind: KindParts | undefined;
  /** The async context of the spawn call, in which the function runs (H0); removed at the end. */
  context: AsyncResource | undefined;
  /** The running attempt. */
  attempt: Attempt | undefined;
  /** The number among all ends in this process: tells which of two tasks ended first. */
  endOrder = 0;
  /**
   * The end on the monotonic clock of this process, also when the task ended in an earlier one. Written by retention.
   */
  endedAt = 0;
  /**
   * `seq` of the fact that ended the task: its outcome is delivered once that is stored (D1). 0 when an earlier process
   * stored it.
   */
  endSeq = 0;
  /** The number among all tasks of the manager, in order of creation. Written by the registry. */
  number = 0;

  // ── the family ──
  /** The parent. Another object takes its place only when a new attempt replaces an ended parent. */
  parent: Task | undefined;
  /** The topmost ancestor, or the task itself. */
  readonly root: Task;
  /** The next older child of the parent. */
  previousSibling: Task | undefined;
  /** The next newer child of the parent. */
  nextSibling: Task | undefined;
  /** The children of the task. */
  family: Family<Task> = NO_FAMILY;

  // ── the slots ──
  /** The lane of the task. */
  readonly lane: Lane<Task>;
  /** The rank in line: a lower rank starts earlier. */
  rank = 0;
  /** Breaks ties of the rank. */
  order = 0;
  /** The position in line; of an ended task, the position in the queue of retention. */
  place = -1;
  /** Whether the task has a slot. */
  holdsSlot = false;
  // ── the session usage ──
  /** The account of the task's session; `undefined` in no session. */
  account: SessionAccount | undefined;

  // ── the watchers ──
  /** The newest link of the waits for the end of the task. */
  watchers: Link | undefined;

  // ── the notices ──
  /** The notices of the task; `undefined` when it makes none. */
  noticed: Noticed<Task> | undefined;
  /** Waits of the owner that have the outcome and have not delivered it. See `OUTCOME_DELIVERED`. */
  claims = 0;

  // ── the optional parts ──
  /** Requests, messages, output, deadlines and more; `undefined` for a plain task. */
  extras: Extras | undefined;

  constructor({ id, sessionId, createdAt, traits, state, lane, parent, work, kind, context }: TaskInit) {
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

  /** The id of the parent. */
  get parentId(): string | undefined {
    return this.parent?.id;
  }
  /** The id of the root. */
  get rootId(): string {
    return this.root.id;
  }
  /** The name of the lane. */
  get laneName(): string {
    return this.lane.name;
  }
  /** See `SpawnOptions.laneKey`. */
  get laneKey(): string | undefined {
    return this.traits.laneKey;
  }
  /** The amounts that a start takes from the windows of the lane. */
  get weight(): Weight | undefined {
    return this.traits.weight;
  }
  /** The newest start, as the windows of the lane count it. */
  get start(): Start | undefined {
    return this.extras?.start;
  }
  set start(start: Start | undefined) {
    if (start !== undefined || this.extras !== undefined) extrasOf(this).start = start;
  }
  /** Whether the task stands in line to return from a wait, and not for its start. */
  get isResume(): boolean {
    return this.attempt !== undefined;
  }
  /** Whether a wait has delivered the outcome to the owner. */
  get isHanded(): boolean {
    return this.claims >= OUTCOME_DELIVERED;
  }
  /** A wait has delivered the outcome to the owner. */
  handed(): void {
    if (!this.isHanded) this.claims += OUTCOME_DELIVERED;
  }
  /** Whether the task has ended, with all its attached children. */
  get isOver(): boolean {
    return this.state.finishedAt !== undefined;
  }
  /** Whether the same spawn finds the task again, in every process (H7). */
  get isReturnable(): boolean {
    return this.traits.hasGivenId || this.traits.callId !== undefined;
  }
  /** Whether the task has a parent that waits for it. */
  get isAttached(): boolean {
    return this.parent !== undefined && !this.state.details.detached;
  }

  /** The newest record. Returns the same object until something changes. */
  get record(): TaskRecord {
    const untilAt = this.heldUntil;
    if (untilAt === undefined) return this.decidedRecord;
    return heldRecord(extrasOf(this), this.decidedRecord, untilAt);
  }

  /** The newest record as facts made it, without the parts that only time changes. */
  get decidedRecord(): TaskRecord {
    addUpSums(this);
    this.#record ??= toRecord(this, this.state, this.usage(), this.totalDeadlineAt, this.wake);
    return this.#record;
  }

  /** The instant until which the rate of the lane holds the task in line (L7). */
  get heldUntil(): number | undefined {
    return this.lane.isRated && this.state.status === "queued" ? this.lane.heldUntil(this) : undefined;
  }

  /** The events of the task that become notices of its owner. */
  get wake(): Wake {
    return this.traits.wake ?? (this.parent?.state.details.readsNotices ? "onTerminal" : "silent");
  }

  /** The earliest total deadline of the task and of the ancestors that it is attached to. */
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

  /** Something that the record shows has changed. */
  touch(): void {
    this.#record = undefined;
  }

  /** The usage of the task and everything below it. */
  usage(): Usage {
    if (this.family === NO_FAMILY) return ONE_TASK;
    addUpSums(this);
    const { spent, tasksBelow } = this.family;
    return Object.freeze({ ...spent, tasks: tasksBelow + 1 });
  }

  /** The usage of everything below the task. */
  usageBelow(): Usage {
    addUpSums(this);
    const { spent, ownSpent, tasksBelow } = this.family;
    return Object.freeze({ ...minus(spent, ownSpent), tasks: tasksBelow });
  }
}

/** One run of a task's function: whether it may still write and wait, and its pending waits. */
export class Attempt {
  /** The task of the attempt. */
  readonly task: Task;
  /** The number of the attempt, from 1. */
  readonly number: number;
  /** The waits of the task's manager. */
  readonly waits: WaitKeeperOf<Attempt>;
  /** `open` until the function settles or is abandoned (S2). */
  phase: "open" | "settled" | "abandoned" = "open";
  /** `seq` of the fact that started the attempt. */
  readonly startSeq: number;
  /** Whether the attempt retries a failed one. */
  readonly isRetry: boolean;
  /** The pending waits, in order of beginning; made with the first wait. Written by the waits. */
  pending: Set<PendingOf<Attempt>> | undefined;
  /** The last wait, which is decided and waits for a slot. Written by the waits. */
  returning: PendingOf<Attempt> | undefined;

  /** The controller of the signal, made when the signal is first read. Written by `attempt-signal.ts`. */
  controller: AbortController | undefined;
  /** The error of a stopped attempt. Written by `attempt-signal.ts`. */
  cancelError: TaskCancelledError | undefined;
  /** The grace that the attempt shares with all that were stopped together with it. Written by the runner. */
  grace: Grace | undefined;
  /** Set when another attempt follows: the stop of this attempt, and the holder of its slot. Written by the runner. */
  past: { readonly stop: Stop | undefined; readonly holder: Holder } | undefined;

  constructor(task: Task, startSeq: number, isRetry: boolean, waits: WaitKeeperOf<Attempt>) {
    this.task = task;
    this.number = task.state.attempt;
    this.startSeq = startSeq;
    this.isRetry = isRetry;
    this.waits = waits;
  }

  /** The stop of the attempt: that of the task, while this is its newest attempt. */
  get stop(): Stop | undefined {
    return this.past === undefined ? this.task.state.stop : this.past.stop;
  }

  /** The holder of the slot: the task, while this is its newest attempt. */
  get holder(): Holder {
    return this.past?.holder ?? this.task;
  }

  /** Whether the function returned, and no stop came before. */
  get hasReturned(): boolean {
    const { stop, outcome } = this.task.state;
    return this.past === undefined && stop === undefined && outcome?.status === "succeeded";
  }

  /** Whether the attempt waits, or returns from a wait to a slot. */
  get isWaiting(): boolean {
    return this.returning !== undefined || (this.pending !== undefined && this.pending.size > 0);
  }

  /** The pending waits as the record shows them. */
  *[Symbol.iterator](): Iterator<Wait> {
    if (this.returning !== undefined) yield { on: "slot" };
    for (const wait of reported(this.pending ?? [])) yield wait.describe();
  }
}
