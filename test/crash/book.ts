// Book: what is true of a directory, by all that was read from its journal or told from it, over the lives of many processes.
//
// Takes every event once, in order, and holds each against the laws of a journal; keeps no more of an event than what must hold later. It is
// written against RULES.md, not against lib/: a fault in `evolve` or in a snapshot shows as a difference from it.

import type { Artifact, InboxRequest, Json, Message, Progress, TaskEvent, TaskRecord, TaskStatus, Usage } from "errand";
import { KINDS, RETENTION } from "./setting.js";

/** A law that is broken. */
export class Breach extends Error {
  override readonly name = "Breach";
}

export function mustHold(holds: boolean, law: string): asserts holds {
  if (!holds) throw new Breach(law);
}

export interface BookTask {
  readonly id: string;
  readonly made: TaskRecord;
  readonly hasGivenId: boolean;
  readonly parent: BookTask | undefined;
  /** Its own. */
  readonly totalDeadlineAt: number;
  status: TaskStatus;
  attempt: number;
  /** Attempts that failed, or died with their process while their function ran (D4). */
  used: number;
  isDetached: boolean;
  stop: { readonly stopReason: string; readonly reason: string } | undefined;
  returned: Extract<TaskEvent, { type: "task.returned" }> | undefined;
  end: End | undefined;
  /** Which end it was, of all. */
  endOrder: number;
  /** Who ran it; before it ran, who made it. */
  pid: number | undefined;
  startedAt: number | undefined;
  readonly usage: { inputTokens: number; outputTokens: number; costUsd: number; tasks: number };
  readonly messages: Message[];
  readonly artifacts: Artifact[];
  /** Oldest first, with the attempt that stored it. */
  readonly checkpoints: { readonly attempt: number; readonly value: Json }[];
  progress: Progress | undefined;
  summary: string | undefined;
}

export type End = Extract<
  TaskEvent,
  { type: "task.succeeded" | "task.failed" | "task.cancelled" | "task.interrupted" }
>;

/** What becomes of an active task when its process is dead (D4, H7). */
export type Fate = "goes on" | "as it returned" | "as it was stopped" | "out of time" | "swept" | "interrupted";

/** From `dueAt` on another one, because its time, or that of one above it, has run out (§5). */
export interface Foretold {
  readonly fate: Fate;
  readonly dueAt: number;
  readonly late: Fate;
}

const NEVER = Number.POSITIVE_INFINITY;

/** Only these may come after the end (S6). */
const AFTER_END: readonly string[] = ["task.updated", "artifact.added", "task.lateSettled"];

export class Book {
  lastSeq = 0;
  readonly tasks = new Map<string, BookTask>();
  readonly requests = new Map<string, InboxRequest>();
  readonly messageIds = new Set<string>();
  readonly sessions = new Map<string, Usage>();
  /** Tasks whose end its owner has acknowledged (N1). */
  readonly acknowledged = new Set<string>();
  /** The process that made the newest task. */
  #maker: number | undefined;
  /** `id` and attempt of each function that was called. */
  readonly ran = new Set<string>();
  ends = 0;
  /** Every event that the journal still keeps. */
  readonly kept = new Map<number, TaskEvent>();
  /** Whose process is dead, and the first thing that was decided of each since. */
  #foretold: ReadonlyMap<BookTask, Foretold> = new Map();
  #decided = new Map<string, TaskEvent>();

  // ── the next event ───────────────────────────────────────────────────────

  take(event: TaskEvent): void {
    mustHold(event.seq === this.lastSeq + 1, `D6: after event ${this.lastSeq} comes ${event.seq}`);
    this.lastSeq = event.seq;
    this.kept.set(event.seq, event);
    if (event.type === "task.created") return this.#made(event);
    const task = this.tasks.get(event.taskId);
    mustHold(task !== undefined, `${say(event)}: there is no such task`);
    mustHold(task.end === undefined || AFTER_END.includes(event.type), `S6: ${say(event)} comes after the end`);
    const attempt = event.type === "task.reattached" ? task.attempt + 1 : task.attempt;
    mustHold(event.attempt === attempt, `S2: ${say(event)} is of attempt ${event.attempt}, and it is in ${attempt}`);
    this.#happened(task, event);
  }

  #made(event: Extract<TaskEvent, { type: "task.created" }>): void {
    const { record, taskId } = event;
    const known = this.tasks.get(taskId);
    mustHold(known === undefined || this.isEvictable(known), `D4: ${say(event)}: there is a task of this id`);
    const parent = record.parentId === undefined ? undefined : this.tasks.get(record.parentId);
    mustHold(record.parentId === undefined || parent !== undefined, `${say(event)}: its parent is nobody`);
    this.#maker = event.runtime?.pid ?? this.#maker;
    this.acknowledged.delete(taskId);
    this.tasks.set(taskId, {
      id: taskId,
      made: record,
      hasGivenId: event.hasGivenId === true,
      parent,
      totalDeadlineAt: event.limits?.totalDeadlineAt ?? NEVER,
      status: record.status,
      attempt: record.attempt,
      used: 0,
      isDetached: record.detached,
      stop: undefined,
      returned: undefined,
      end: undefined,
      endOrder: 0,
      pid: this.#maker,
      startedAt: undefined,
      usage: { inputTokens: 0, outputTokens: 0, costUsd: 0, tasks: 1 },
      messages: [],
      artifacts: [],
      checkpoints: [],
      progress: undefined,
      summary: undefined,
    });
    for (let above = parent; above !== undefined; above = above.parent) above.usage.tasks++;
    this.#spend(record.sessionId, { tasks: 1 });
  }

  #happened(task: BookTask, event: Exclude<TaskEvent, { type: "task.created" }>): void {
    switch (event.type) {
      case "task.started":
        mustHold(task.status === "queued", `S8: ${say(event)}: it is ${task.status}`);
        task.status = "running";
        task.startedAt ??= event.at;
        task.pid = event.runtime.pid;
        return;
      case "task.reattached":
        mustHold(task.returned === undefined, `D4: ${say(event)}: it had returned`);
        this.#decide(task, event);
        if (hasDied(task)) task.used++;
        task.status = "queued";
        task.attempt++;
        task.stop = undefined;
        task.pid = event.runtime.pid;
        return;
      case "task.parked":
        mustHold(false, `D4: ${say(event)}: its kind is known`);
        return;
      case "task.blocked":
        task.status = "blocked";
        return;
      case "task.resumed":
        task.status = "running";
        return;
      case "task.cancelRequested":
        mustHold(task.stop === undefined, `S5: ${say(event)}: it was stopped before`);
        task.stop = { stopReason: event.stopReason, reason: event.reason };
        return;
      case "task.returned":
        mustHold(task.returned === undefined, `H1: ${say(event)}: it returned before`);
        task.returned = event;
        return;
      case "task.succeeded":
      case "task.failed":
      case "task.cancelled":
      case "task.interrupted":
        return this.#ended(task, event);
      case "task.progressed":
        task.progress = event.progress;
        return;
      case "task.updated": {
        const { checkpoint, summary, detached, acknowledged } = event.patch;
        if (acknowledged !== undefined) this.acknowledged.add(task.id);
        if (checkpoint !== undefined) task.checkpoints.push({ attempt: event.attempt, value: checkpoint });
        if (summary !== undefined) task.summary = summary;
        if (detached !== undefined) task.isDetached = detached;
        return;
      }
      case "artifact.added":
        task.artifacts.push(event.artifact);
        return;
      case "message.sent":
        mustHold(!this.messageIds.has(event.message.id), `D4: ${say(event)}: there is a message ${event.message.id}`);
        this.messageIds.add(event.message.id);
        task.messages.push(event.message);
        return;
      case "usage.reported":
        for (let each: BookTask | undefined = task; each !== undefined; each = each.parent)
          spend(each.usage, event.usage);
        this.#spend(task.made.sessionId, event.usage);
        return;
      case "request.opened":
        mustHold(!this.requests.has(event.request.id), `D4: ${say(event)}: there is a request ${event.request.id}`);
        this.requests.set(event.request.id, event.request);
        return;
      case "request.answered":
      case "request.rejected":
      case "request.expired":
      case "request.withdrawn": {
        const { request } = event;
        mustHold(this.requests.get(request.id)?.status === "open", `A1: ${say(event)}: ${request.id} is not open`);
        this.requests.set(request.id, request);
        return;
      }
      case "task.abandoned":
      case "task.lateSettled":
      case "custom":
      case "task.retried":
        return;
      default:
        event satisfies never;
    }
  }

  #ended(task: BookTask, event: End): void {
    this.#decide(task, event);
    task.status = event.type.slice("task.".length) as TaskStatus;
    task.end = event;
    task.endOrder = ++this.ends;
    const open = this.requestsOf(task).find(({ status }) => status === "open");
    mustHold(open === undefined, `S4: ${say(event)}: its request ${open?.id} is still open`);
    // H7: what a dead process left ends top-down.
    if (this.#foretold.has(task)) return;
    const child = [...this.tasks.values()].find((each) => each.parent === task && !each.isDetached && !each.end);
    mustHold(child === undefined, `H1: ${say(event)}: its child ${child?.id} is ${child?.status}`);
  }

  #spend(sessionId: string | undefined, report: Parameters<typeof spend>[1]): void {
    if (sessionId === undefined) return;
    const sum = this.sessions.get(sessionId) ?? { inputTokens: 0, outputTokens: 0, costUsd: 0, tasks: 0 };
    this.sessions.set(sessionId, spend({ ...sum }, report));
  }

  // ── what is to be expected ───────────────────────────────────────────────

  requestsOf(task: BookTask): readonly InboxRequest[] {
    return [...this.requests.values()].filter(({ taskId }) => taskId === task.id);
  }

  get active(): readonly BookTask[] {
    return [...this.tasks.values()].filter(({ end }) => end === undefined);
  }

  /** So many have ended after it that it need not be kept. */
  isEvictable(task: BookTask): boolean {
    return task.end !== undefined && this.ends - task.endOrder >= RETENTION.maxFinished;
  }

  /** What must become of each active task at the next opening. From now on what is decided of them is written down. */
  foretell(): ReadonlyMap<BookTask, Foretold> {
    this.#decided = new Map();
    this.#foretold = new Map(this.active.map((task) => [task, foretold(task)]));
    return this.#foretold;
  }

  /** Whether it is left to the next process when this one closes (D8). */
  staysActive(task: BookTask): boolean {
    return task.end === undefined && goesOn(task, false);
  }

  decidedOf(task: BookTask): TaskEvent | undefined {
    return this.#decided.get(task.id);
  }

  #decide(task: BookTask, event: TaskEvent): void {
    if (!this.#decided.has(task.id)) this.#decided.set(task.id, event);
  }

  /** What nobody can ask for any more. */
  forget(oldestSeq: number): void {
    for (const seq of this.kept.keys()) {
      if (seq >= oldestSeq) break;
      this.kept.delete(seq);
    }
  }
}

function foretold(task: BookTask): Foretold {
  if (task.returned !== undefined) return { fate: "as it returned", dueAt: NEVER, late: "as it returned" };
  if (isStopped(task)) return { fate: "as it was stopped", dueAt: NEVER, late: "as it was stopped" };
  const fate = goesOn(task) ? "goes on" : "interrupted";
  for (let above = task; above.parent !== undefined && !above.isDetached; ) {
    above = above.parent;
    const isOpen = above.returned === undefined && !isStopped(above);
    if (isOpen && above.totalDeadlineAt < NEVER) return { fate, dueAt: above.totalDeadlineAt, late: "swept" };
  }
  return { fate, dueAt: task.totalDeadlineAt, late: "out of time" };
}

function hasDied({ status, stop }: BookTask): boolean {
  return status === "running" && stop === undefined;
}

function isStopped({ stop }: BookTask): boolean {
  return stop !== undefined && stop.stopReason !== "shutdown";
}

/** `isAsked`: its process died, and its kind is asked; otherwise that is closed, and its kind only could be asked. */
function goesOn(task: BookTask, isAsked = true): boolean {
  const { made, attempt, used, parent } = task;
  const kind = made.kind === undefined ? undefined : Object.entries(KINDS).find(([name]) => name === made.kind)?.[1];
  if (kind?.canReattach === undefined || (isAsked && !kind.canReattach(attempt))) return false;
  if (used + (isAsked && hasDied(task) ? 1 : 0) >= (kind.maxAttempts ?? 3)) return false;
  if (task.returned !== undefined || isStopped(task)) return false;
  if (parent === undefined || task.isDetached) return true;
  return parent.end === undefined && goesOn(parent, isAsked) && (task.hasGivenId || made.callId !== undefined);
}

type Sums = { inputTokens: number; outputTokens: number; costUsd: number; tasks: number };

function spend(sums: Sums, report: { readonly [K in keyof Sums]?: number | undefined }): Sums {
  sums.inputTokens += report.inputTokens ?? 0;
  sums.outputTokens += report.outputTokens ?? 0;
  sums.costUsd += report.costUsd ?? 0;
  sums.tasks += report.tasks ?? 0;
  return sums;
}

export function say({ type, seq, taskId }: TaskEvent): string {
  return `event ${seq}, ${type} of ${taskId}`;
}
