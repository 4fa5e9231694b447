// Consequences: what follows from a fact, inside the call that decides it. Written once, for live and for replayed
// facts.
//
// Owns no state: it calls the parts that do (registry, family, sessions, requests, messages, notices, retention,
// handoff, idle). Called by the loop with each fact, by the spawner and the replay with each task that is made, by the
// runner and the replay with each task that has ended, and by retention with each task whose record is evicted.

import type { Messages } from "./inbox/messages.js";
import type { Requests } from "./inbox/requests.js";
import { addUsage, attach, childEnded, detach, forget, replaceTask } from "./live/family.js";
import type { Registry } from "./live/registry.js";
import type { SessionUsage } from "./live/session-usage.js";
import type { Task } from "./live/task.js";
import { tellWatchers } from "./live/watchers.js";
import type { Loop } from "./loop.js";
import type { Notices } from "./notices/notices.js";
import type { UnreadFailures } from "./notices/unread.js";
import type { Handoff } from "./run/handoff.js";
import type { Idle } from "./run/idle.js";
import type { Retainer } from "./run/retention.js";
import type { Fact } from "./task/events.js";
import { shared } from "./values/copies.js";

interface ConsequencesDeps {
  readonly loop: Loop;
  readonly registry: Registry;
  readonly sessions: SessionUsage;
  readonly requests: Requests;
  readonly messages: Messages;
  readonly notices: Notices;
  readonly retainer: Retainer;
  readonly handoff: Handoff;
  readonly idle: Idle;
  readonly unread: UnreadFailures;
  /** The ids that this process shares with others; `undefined`: it shares none. */
  readonly standbys: { leave(task: Task): void } | undefined;
  /** A task of an earlier process was stopped and has ended here: calls `cancel` of its kind. */
  windDown(task: Task): void;
  /** No task of the manager is left to end. */
  rested(): void;
}

/** The number of ends in this process, over all managers; numbers `Task.endOrder`. */
const ends = shared("ends", () => ({ count: 0 }));

/** The consequences of facts, for one manager. */
export class Consequences {
  readonly #deps: ConsequencesDeps;

  constructor(deps: ConsequencesDeps) {
    this.#deps = deps;
  }

  /**
   * A task is made and gets its place among the others. `before`: the ended task with the same id, which it replaces.
   */
  placed(task: Task, before: Task | undefined): void {
    if (before !== undefined) this.#deps.retainer.replaced(before);
    this.#deps.registry.add(task);
    attach(task);
    if (before !== undefined) replaceTask(before, task);
  }

  /** The task is created. `isNew` is false when a snapshot counts the task already. */
  created(task: Task, isNew: boolean): void {
    const { idle, sessions, notices } = this.#deps;
    idle.began();
    sessions.spawned(task);
    if (isNew) sessions.count(task);
    notices.taskCreated(task);
  }

  /** The state of `task` has changed by `fact`. `seq` is 0 for a fact of an earlier process. */
  follow(task: Task, fact: Fact, seq: number, at: number): void {
    const { notices } = this.#deps;
    if (fact.type === "task.updated" && fact.patch.detached === true) detach(task);
    if (notices.concerns(task, fact)) notices.follow(task, fact, seq, at);
    this.reported(task, fact, seq);
  }

  /**
   * The fact reports what the function of `task` has used, asked or exchanged. That counts also for a task which has
   * ended here and whose function ran in another process.
   */
  reported(task: Task, fact: Fact, seq: number): void {
    switch (fact.type) {
      case "usage.reported":
        addUsage(task, fact.usage);
        this.#deps.sessions.add(task, fact.usage);
        return;
      case "message.sent":
        if (this.#deps.messages.follow(task, fact.message, seq)) this.#deps.notices.messageCame(task);
        return;
      case "request.opened":
      case "request.answered":
      case "request.rejected":
      case "request.expired":
      case "request.withdrawn":
        this.#deps.requests.follow(task, fact.request, seq);
        return;
      default:
    }
  }

  /** The task has ended, after all tasks that ended before it. `now`: a reading of the wall clock. */
  ended(task: Task, now: number): void {
    const { loop, registry, sessions, retainer, handoff, idle } = this.#deps;
    task.endOrder = ++ends.count;
    task.endSeq = loop.seq;
    childEnded(task);
    tellWatchers(task);
    registry.freeName(task);
    sessions.ended(task);
    retainer.ended(task, now);
    // A task that was left for the next process is not in the count.
    if (!handoff.leave(task)) idle.ended();
    if (task.isAttached) handoff.handOffReturned(task.parent);
  }

  /** The task has ended in this process. A replay does not come here, so the work that it left is wound down once. */
  endedHere(task: Task): void {
    const { loop, standbys, unread, idle } = this.#deps;
    const { finishedAt = loop.clock.now(), details, stop } = task.state;
    standbys?.leave(task);
    this.ended(task, finishedAt);
    unread.ended(task);
    if (details.isLeft && stop !== undefined) this.#deps.windDown(task);
    if (idle.isIdle) this.#deps.rested();
  }

  /** The record of `task` is evicted. */
  forgotten(task: Task): void {
    const { registry, requests, sessions } = this.#deps;
    registry.remove(task);
    requests.forget(task);
    sessions.forgot(task);
    forget(task);
  }
}
