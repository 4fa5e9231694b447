// Task: the entry of one task, which stays after its end.
//
// A task holds its state and its positions in other parts: in the family, in retention, and in the waits for its end
// (watchers). What it needs only while it lives is in its run (`run.ts`), its links to relatives in its kin; a task
// without them is small. Its constructor sets the first state; the loop replaces it after each fact, and the replay
// when the task gets what another process stored of it. Each group of fields below names the part that writes it. The
// constructor assigns every field, so that all tasks have one shape.

import type { Lane } from "../lanes/lane.js";
import { toOutcome } from "../task/ending.js";
import type { KindParts } from "../task/kind-parts.js";
import type { TaskOutcome, TaskRecord, Usage, Wake } from "../task/record.js";
import { type TaskSpec, type TaskState, type TaskTraits, toRecord } from "../task/state.js";
import { minus, NOTHING_SPENT } from "../task/usage.js";
import type { NumberedIds } from "../values/ids.js";
import { type Extras, extrasOf, heldRecord } from "./extras.js";
import { Family, Kin } from "./family-links.js";
import type { Noticed } from "./notice-queue.js";
import type { AttemptOf, RunOf } from "./run.js";
import type { SessionAccount } from "./session-account.js";
import { addUpSums } from "./sums.js";

/** The living part of a task. */
export type Run = RunOf<Task>;
/** One run of a task's function. */
export type Attempt = AttemptOf<Task>;

/** A wait for the end of tasks. */
export interface Watcher {
  /** Called inside the call that ended `task`, before anything is delivered. */
  taskEnded(task: Task): void;
  /** The task that waits, for the search of wait cycles (L3). */
  readonly waiting: Task | undefined;
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

/** The relatives and the session of a new task. */
interface TaskPlace {
  readonly parent: Task | undefined;
  readonly sessionId: string | undefined;
}

/** The entry of one task. */
export class Task implements TaskSpec {
  /** The number among all tasks of the manager, in order of creation. */
  readonly number: number;
  /** The id, or the ids that make it from the number at each read: most are read seldom, and a kept text is large. */
  readonly #id: string | NumberedIds;
  /** The session of the task. */
  readonly sessionId: string | undefined;
  /** The time of the spawn, in epoch milliseconds. */
  readonly createdAt: number;
  /** The part of the record that never changes. */
  readonly traits: TaskTraits;
  /** The lane of the task. */
  readonly lane: Lane<Run>;

  // ── the loop ──
  /** The part of the record that facts change. */
  state: TaskState;
  /** `seq` of the fact that made the task or its newest attempt: its function starts once that is stored (L9). */
  madeSeq = 0;
  #record: TaskRecord | undefined = undefined;
  #outcome: TaskOutcome | undefined = undefined;

  // ── the spawner and the runner ──
  /** The living part of the task; `undefined` after its end, and for a task that runs in another process. */
  run: Run | undefined = undefined;
  /** The number among all ends in this process: tells which of two tasks ended first. */
  endOrder = 0;
  /**
   * `seq` of the fact that ended the task: its outcome is delivered once that is stored (D1). 0 when an earlier process
   * stored it.
   */
  endSeq = 0;

  // ── retention ──
  /**
   * The end on the monotonic clock of this process, also when the task ended in an earlier one.
   */
  endedAt = 0;
  /** The position in the queue of ended tasks. */
  place = -1;

  // ── the family ──
  /** The links to the parent and the siblings; `undefined` for a task without a parent. */
  readonly kin: Kin<Task> | undefined;
  /** The children of the task. */
  family: Family<Task> = NO_FAMILY;

  // ── the session usage ──
  /** The account of the task's session; `undefined` in no session. */
  account: SessionAccount | undefined = undefined;

  // ── the watchers ──
  /** The wait for the end of the task, or the set of them. */
  watchers: Watcher | Set<Watcher> | undefined = undefined;

  // ── the notices ──
  /** The notices of the task; `undefined` when it makes none. */
  noticed: Noticed<Task> | undefined = undefined;
  /** Waits of the owner that have the outcome and have not delivered it. See `OUTCOME_DELIVERED`. */
  claims = 0;

  // ── the optional parts ──
  /** Requests, messages, output, deadlines and more; `undefined` for a plain task. */
  extras: Extras | undefined = undefined;

  /** `id`: the id, or the ids from which it follows by the number. */
  constructor(
    id: string | NumberedIds,
    number: number,
    { parent, sessionId }: TaskPlace,
    lane: Lane<Run>,
    createdAt: number,
    traits: TaskTraits,
    state: TaskState,
  ) {
    this.number = number;
    this.#id = id;
    this.sessionId = sessionId;
    this.createdAt = createdAt;
    this.traits = traits;
    this.lane = lane;
    this.state = state;
    this.kin = parent === undefined ? undefined : new Kin(parent);
    if (traits.budget !== undefined) familyOf(this.root).hasBudgets = true;
  }

  /** The id of the task. */
  get id(): string {
    return typeof this.#id === "string" ? this.#id : this.#id.ofTask(this.number);
  }
  /** Whether the id follows from the number. */
  get hasNumberedId(): boolean {
    return typeof this.#id !== "string";
  }
  /** The parent. Another object takes its place only when a new attempt replaces an ended parent. */
  get parent(): Task | undefined {
    return this.kin?.parent;
  }
  /** The topmost ancestor, or the task itself. */
  get root(): Task {
    return this.kin === undefined ? this : this.kin.root;
  }
  /** The number of ancestors. */
  get depth(): number {
    return this.kin === undefined ? 0 : this.kin.depth;
  }
  /** The id of the parent. */
  get parentId(): string | undefined {
    return this.parent?.id;
  }
  /** The id of the root. */
  get rootId(): string {
    return this.root.id;
  }
  /** The newest attempt; `undefined` before its start, between two attempts and after the end. */
  get attempt(): Attempt | undefined {
    return this.run?.attempt;
  }
  /** The kind that the spawn brought, in this process. */
  get kind(): KindParts | undefined {
    return this.extras?.kind;
  }
  set kind(kind: KindParts | undefined) {
    if (kind !== undefined || this.extras !== undefined) extrasOf(this).kind = kind;
  }
  /** The name of the lane. */
  get laneName(): string {
    return this.lane.name;
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
    const { lane, run } = this;
    return lane.isRated && run !== undefined && this.state.status === "queued" ? lane.heldUntil(run) : undefined;
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

  /** How the task ended; `undefined` before its function is over. Returns the same object at each read. */
  get outcome(): TaskOutcome | undefined {
    const { ending, output } = this.state;
    if (ending === undefined) return undefined;
    // Another process may still have a lost output.
    if (output !== undefined && "outputLost" in output) return toOutcome(this.id, ending, output.outputLost);
    this.#outcome ??= toOutcome(this.id, ending, undefined);
    return this.#outcome;
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
