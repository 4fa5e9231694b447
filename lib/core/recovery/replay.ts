// Replay: makes the tasks of an earlier process from the stored snapshot and events.
//
// Owns the tasks that were made and have not ended. The snapshot comes first, then the later events, each through the
// same `evolve` that made the state when it happened (§2). The consequences of a fact follow as for a live fact;
// deliveries are not repeated. Called by `read-journal.ts`. Calls the loop and the consequences.

import type { Consequences } from "../consequences.js";
import type { ReplayedStarts } from "../durable/stored-starts.js";
import type { Messages } from "../inbox/messages.js";
import type { Requests } from "../inbox/requests.js";
import type { Lane } from "../lanes/lane.js";
import { extrasOf } from "../live/extras.js";
import type { Registry } from "../live/registry.js";
import type { SessionUsage, StoredSession } from "../live/session-usage.js";
import { addUpSums } from "../live/sums.js";
import { familyOf, type Run, Task } from "../live/task.js";
import type { Loop } from "../loop.js";
import type { Notices } from "../notices/notices.js";
import type { Fact, TaskEvent } from "../task/events.js";
import { evolve } from "../task/evolve.js";
import { type SpawnBesideRecord, toFact, toState, toTraits } from "../task/from-stored.js";
import type { Runtime, TaskRecord } from "../task/record.js";
import type { Output, TaskState } from "../task/state.js";
import { freezeJson } from "../values/json.js";
import { noticesOf, ofTask, renamedIn } from "./renamed.js";
import type { Snapshot, StoredTask } from "./snapshot.js";

/** The parts that a replay writes to. */
export interface ReplayDeps {
  readonly loop: Loop;
  readonly registry: Registry;
  readonly requests: Requests;
  readonly messages: Messages;
  readonly sessions: SessionUsage;
  readonly notices: Notices;
  readonly consequences: Consequences;
  /** The starts that the windows of rated lanes count. */
  readonly starts: ReplayedStarts;
  /**
   * The declared lane with this name, or a substitute in which nothing starts: each process declares its lanes anew.
   */
  readonly laneOf: (name: string) => Lane<Run>;
}

/** A journal of another process whose tasks join those of this process. */
export interface JoiningJournal {
  /** Ids of the tasks that stay in that journal. */
  readonly left: ReadonlySet<string>;
  /** The process that wrote the journal. */
  readonly writer: Runtime;
  /** The task of this process that waits for the unfinished task of this record, and takes its place (D9). */
  readonly standbyFor?: (record: TaskRecord) => Task | undefined;
  /** The task of this process that is the ended task of this record, with the same end: no second one is made (N1). */
  readonly sameFor?: (record: TaskRecord) => Task | undefined;
}

/** The part of a stored task that its record does not show. */
type StoredSpawn = SpawnBesideRecord & Pick<StoredTask, "formerId">;

/** One replay of one journal. */
export class Replay {
  readonly #deps: ReplayDeps;
  /** The process that made the tasks that come next. */
  #process: Runtime | undefined;
  /** The other journal, when tasks of this process exist: each of them keeps its id. */
  readonly #beside: JoiningJournal | undefined;
  readonly #renamed = new Map<string, string>();
  readonly #renamedTo = new Set<string>();
  /** Ids that were renamed here, or by an earlier takeover, each with the id under which the task is kept. */
  readonly #former = new Map<string, string>();
  /** The tasks of this process that the other journal has too: their session counts them already. */
  readonly #counted: Task[] = [];
  /** The tasks that were made from the other journal. */
  readonly #mine = new Map<string, Task>();
  /**
   * The tasks of this process that the other journal has too, each with its state there; `undefined`: the task ran in
   * this process.
   */
  readonly #joined = new Map<Task, TaskState | undefined>();
  /** The tasks that were made and have not ended, parents before children, each with the process that made it. */
  readonly #living = new Map<Task, Runtime | undefined>();

  constructor(deps: ReplayDeps, beside: JoiningJournal | undefined) {
    this.#deps = deps;
    this.#beside = beside;
  }

  /** The tasks that were made and have not ended, parents before children. */
  get living(): readonly Task[] {
    return [...this.#living.keys()];
  }
  /** The ids of all tasks that were made from the other journal. */
  get ids(): Iterable<string> {
    return this.#mine.keys();
  }
  /**
   * Ids that tasks of this process already had, each with the id under which the task of the other journal is kept (D9:
   * no task vanishes).
   */
  get renamed(): ReadonlyMap<string, string> {
    return this.#renamed;
  }

  /** Whether the task lost its id to a task of this process, which does its work. */
  isRenamed({ id, extras }: Task): boolean {
    return this.#renamedTo.has(id) || extras?.formerId !== undefined;
  }

  /** The former ids of the tasks that lost their id in this takeover or in an earlier one, each with the present id. */
  get formerIds(): ReadonlyMap<string, string> {
    return this.#former;
  }

  /** The process that made the task, if the task has not started. */
  processOf(task: Task): Runtime | undefined {
    return task.state.runtime === undefined ? this.#living.get(task) : undefined;
  }

  // ── the snapshot ─────────────────────────────────────────────────────────

  /** Makes the tasks of a snapshot. `apart`: the outputs that the store keeps separately. */
  snapshot({ tasks, requests, sessions, starts, runtime }: Snapshot, apart: ReadonlyMap<string, Output>): void {
    this.#process = runtime;
    const made = tasks.flatMap((stored) => {
      const output = stored.outputApart ? apart.get(stored.record.id) : undefined;
      const beside = output === undefined ? stored : { ...stored, output };
      const task = this.#make(stored.record, stored, toState(stored.record, beside), false);
      return task === undefined ? [] : { task, stored };
    });
    for (const { task, stored } of made) restoreSums(task, stored);
    for (const request of requests) {
      const task = this.#find(request.taskId);
      if (task !== undefined) this.#deps.requests.follow(task, freezeJson(ofTask(task, request)), 0);
    }
    for (const { task, stored } of made) {
      for (const message of stored.messages ?? [])
        this.#deps.messages.follow(task, freezeJson(ofTask(task, message)), 0);
      const { extras, state } = task;
      // The kind has received the other messages of the attempts before.
      if (extras !== undefined && state.startedAt !== undefined)
        extras.unsteered = extras.unsteered?.filter(({ id }) => stored.unsteered?.includes(id));
    }
    const { notices } = this.#deps;
    const own = made.filter(({ task }) => !this.#joined.has(task));
    for (const { task, stored } of own) notices.restore(task, stored.notices?.made ?? 0, noticesOf(task, stored));
    const ended = own.filter(({ task }) => task.isOver);
    ended.sort((a, b) => (a.stored.endOrder ?? 0) - (b.stored.endOrder ?? 0));
    for (const { task } of ended) this.#over(task);
    this.#deps.sessions.restore(withoutCounted(sessions, this.#counted));
    this.#deps.starts.stored(starts);
  }

  // ── the events ───────────────────────────────────────────────────────────

  /** Replays one event. `output`: the output of the event, when the store keeps it separately. */
  event(event: TaskEvent, output?: Output): void {
    if (event.type === "task.created") {
      this.#process = event.runtime ?? this.#process;
      this.#make(event.record, event, toState(event.record, { used: event.used ?? 0 }), true);
      return;
    }
    const task = this.#find(event.taskId);
    // The task was evicted: an event after its end changes nothing.
    if (task === undefined) return;
    const fact = toFact(renamedIn(task, event), output);
    const isJoined = this.#joined.size > 0 && this.#joined.has(task);
    if (!isJoined) this.#deps.loop.restore(task, fact, event.at);
    else if (!this.#joinedBy(task, fact, event.at)) return;
    switch (event.type) {
      case "task.started":
        this.#deps.starts.started(task, event.at);
        // The kind received these messages when the function started.
        if (task.extras !== undefined) task.extras.unsteered = undefined;
        return;
      case "task.succeeded":
      case "task.failed":
      case "task.cancelled":
      case "task.interrupted":
        if (!isJoined) this.#over(task);
        return;
      case "usage.reported":
        this.#deps.starts.reported(task, event.usage);
        return;
      default:
    }
  }

  /** The journal has no more events. */
  done(): void {
    this.#deps.starts.done();
    for (const [task, state] of this.#joined) {
      if (state === undefined) continue;
      task.state = enriched(task.state, state);
      task.touch();
    }
  }

  // ── making ───────────────────────────────────────────────────────────────

  #find(id: string): Task | undefined {
    // A replay of the own journal renames nothing.
    if (this.#beside === undefined) return this.#deps.registry.byId(id);
    return this.#beside.left.has(id) ? undefined : this.#deps.registry.byId(this.#renamed.get(id) ?? id);
  }

  /** Makes one task. `isNew`: the record is that of its creation, and no snapshot counts the task. */
  #make(record: TaskRecord, spawned: StoredSpawn, state: TaskState, isNew: boolean): Task | undefined {
    const { sessionId, createdAt, parentId, lane } = record;
    const { registry, consequences, laneOf } = this.#deps;
    if (this.#beside?.left.has(record.id) === true) return undefined;
    const standby = this.#beside?.standbyFor?.(record);
    if (standby !== undefined) return this.#takePlace(standby, state);
    const same = this.#beside?.sameFor?.(record);
    if (same !== undefined) return this.#join(same, state);
    const id = this.#beside === undefined ? record.id : this.#idFor(record.id, this.#beside.writer);
    const before = registry.byId(id);
    const parent = parentId === undefined ? undefined : this.#find(parentId);
    const traits = toTraits(record, spawned);
    const task = new Task(id, registry.nextNumber(), { parent, sessionId }, laneOf(lane), createdAt, traits, state);
    const formerId = spawned.formerId ?? (id === record.id ? undefined : record.id);
    if (formerId !== undefined) {
      extrasOf(task).formerId = formerId;
      this.#former.set(formerId, id);
    }
    consequences.placed(task, before);
    if (this.#beside !== undefined) this.#mine.set(id, task);
    if (!task.isOver) this.#living.set(task, this.#process);
    consequences.created(task, isNew);
    return task;
  }

  /** Continues from the state that the other process left: its checkpoint, its attempts and its progress. */
  #takePlace(task: Task, state: TaskState): Task {
    this.#counted.push(task);
    task.state = state;
    task.touch();
    this.#mine.set(task.id, task);
    this.#living.set(task, undefined);
    return task;
  }

  /**
   * The end of the task was delivered and is final (S1). The task gets what the other journal knows of its run, if it
   * ran there.
   */
  #join(task: Task, state: TaskState): Task | undefined {
    this.#counted.push(task);
    const ranHere = task.state.startedAt !== undefined;
    this.#joined.set(task, ranHere ? undefined : state);
    return ranHere ? undefined : task;
  }

  /** Applies a fact of the other journal to a joined task. `false`: the fact changes nothing. */
  #joinedBy(task: Task, fact: Fact, at: number): boolean {
    const state = this.#joined.get(task);
    if (state === undefined) return false;
    this.#joined.set(task, evolve(state, fact, at));
    this.#deps.consequences.reported(task, fact, 0);
    return true;
  }

  /** The task's own id, unless a task of this process has it. */
  #idFor(id: string, { instanceId }: Runtime): string {
    const { registry } = this.#deps;
    const known = this.#renamed.get(id) ?? id;
    const before = registry.byId(known);
    if (before === undefined || this.#mine.get(known) === before) return known;
    let free = `${id}~${instanceId}`;
    for (let n = 2; registry.byId(free) !== undefined; n++) free = `${id}~${instanceId}~${n}`;
    this.#renamed.set(id, free);
    this.#renamedTo.add(free);
    return free;
  }

  #over(task: Task): void {
    this.#deps.starts.over(task);
    this.#living.delete(task);
    this.#deps.consequences.ended(task, this.#deps.loop.clock.now());
  }
}

/**
 * The state with what the other process knows of the run, and with its output when that is lost here. The end stays as
 * it was delivered (S1, S3).
 */
function enriched(state: TaskState, ran: TaskState): TaskState {
  const { attempt, runtime, startedAt, details } = ran;
  const isLost = state.output !== undefined && "outputLost" in state.output;
  const { ending, output } = isLost ? ran : state;
  return { ...state, attempt, runtime, startedAt, details, ending, output };
}

/** Restores the sums of a task, which include evicted tasks below it. */
function restoreSums(task: Task, { record, ownSpent }: StoredTask): void {
  const { tasks, ...spent } = record.usage;
  if (tasks === 1 && ownSpent === undefined && task.family.firstChild === undefined) return;
  const family = familyOf(task);
  addUpSums(task);
  family.tasksBelow = tasks - 1;
  family.spent = Object.freeze(spent);
  if (ownSpent !== undefined) family.ownSpent = Object.freeze(ownSpent);
}

/** The usage of sessions without the tasks that this process has counted: a merged task is one task. */
function withoutCounted(sessions: Snapshot["sessions"], counted: readonly Task[]): Snapshot["sessions"] {
  if (counted.length === 0) return sessions;
  const left: { [id: string]: StoredSession } = { ...sessions };
  for (const { sessionId = "" } of counted) {
    const stored = left[sessionId];
    if (stored !== undefined) left[sessionId] = { ...stored, tasks: Math.max(0, stored.tasks - 1) };
  }
  return left;
}
