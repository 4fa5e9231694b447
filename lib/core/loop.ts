// Loop: applies commands and facts, and with them replaces the state of a task. Beside this file only the constructor
// of `Task` and the replay set a state: that of a new task, and that of a task which another process ran.
//
// Owns the numbers of the facts, the order of deliveries and the deliveries held for the store. A command is decided
// and its facts evolve the state inside the call (§2). Events, settled waits and starts of functions queue here
// and are delivered in one order, in a microtask, never inside the call. With a store, a delivery waits until the facts
// that it reports are stored; an abort waits for nothing (D1). The event of a fact is made only for a reader. Called by
// every part that decides something. Calls the consequences, the committer and the listeners.

import { type Committer, NOT_STORED } from "./durable/committer.js";
import { StoredMark } from "./durable/stored-mark.js";
import { Call, Delivery, Told } from "./events/delivery.js";
import { type Held, HeldDeliveries } from "./events/held-deliveries.js";
import type { Listeners } from "./events/listeners.js";
import { RecentEvents } from "./events/recent-events.js";
import { Phase } from "./live/phase.js";
import type { Attempt, Task } from "./live/task.js";
import type { Command, Refusal } from "./task/commands.js";
import { decide, isRefusal } from "./task/decide.js";
import { ManagerClosedError } from "./task/errors.js";
import type { Fact, TaskEvent } from "./task/events.js";
import { evolve } from "./task/evolve.js";
import type { Runtime } from "./task/record.js";
import { toEvent } from "./task/to-event.js";
import type { Timekeeper } from "./time/clock.js";
import { runOutside } from "./values/outside.js";
import { Ring } from "./values/ring.js";

const RESOLVED = Promise.resolve();

/** The consequences of a fact; `consequences.ts` has them. */
interface FactFollower {
  /** The state of `task` has changed by `fact`. */
  follow(task: Task, fact: Fact, seq: number, at: number): void;
}
const NO_CONSEQUENCES: FactFollower = { follow() {} };

/** The loop of one manager. */
export class Loop {
  /** The clock of the manager. */
  readonly clock: Timekeeper;
  /** The listeners of events. */
  readonly listeners: Listeners;
  /** How far the end of the manager has come. */
  readonly phase = new Phase();
  /** How far the facts are stored. */
  readonly stored = new StoredMark();
  #recent: RecentEvents | undefined;
  #committer: Committer | undefined;
  /** This process, until the first stored task has recorded it. */
  #unrecordedRuntime: Runtime | undefined;
  #seq = 0;
  readonly #held = new HeldDeliveries();
  /** The reason why held deliveries are dropped: the manager is closed and the store did not take them. */
  #dropped: Error | undefined;
  readonly #queue = new Ring<Delivery>();
  readonly #announcer: Announcer;
  #isScheduled = false;
  #isDraining = false;
  /** The consequences of every fact, live and replayed. Written by the core. */
  consequences: FactFollower = NO_CONSEQUENCES;
  /** Writes of superseded, abandoned or settled functions (S2). */
  droppedWrites = 0;

  constructor(clock: Timekeeper, listeners: Listeners) {
    this.clock = clock;
    this.listeners = listeners;
    this.#announcer = new Announcer(listeners);
  }

  /** `seq` of the newest fact. */
  get seq(): number {
    return this.#seq;
  }
  /** `seq` of the next fact. */
  get nextSeq(): number {
    return this.#seq + 1;
  }

  /** Whether facts go to a store. */
  get hasStore(): boolean {
    return this.#committer !== undefined;
  }
  /** The writer of the store, when there is a store. */
  get committer(): Committer | undefined {
    return this.#committer;
  }

  /** Sends facts to a store, whose last fact is `seq`. Without `isStrict` no delivery waits for the store. */
  attach(committer: Committer, seq: number, isStrict: boolean, runtime: Runtime): void {
    this.#committer = committer;
    this.#unrecordedRuntime = runtime;
    this.#seq = seq;
    this.stored.attach(seq, isStrict);
  }

  /** More facts are stored: delivers what waited for them. Runs at the top of a microtask. */
  deliverStored(): void {
    for (const delivery of this.#held.take(this.stored.deliverable)) this.#enqueue(delivery);
    this.drain();
  }

  /** The newest events. The first call starts to keep them. */
  recentEvents(): RecentEvents {
    if (this.#recent === undefined) {
      this.#recent = new RecentEvents(this.nextSeq);
      this.#announcer.recent = this.#recent;
      if (this.phase.isOver) this.#recent.close();
    }
    return this.#recent;
  }

  /** Decides `command` and evolves the task by its facts, in this call. A refusal changes nothing. */
  apply(task: Task, command: Command): Refusal | undefined {
    // A stop of several tasks has one instant.
    const now = command.type === "stop" ? command.stop.at : this.clock.now();
    const decision = decide(task.state, command);
    if (isRefusal(decision)) return decision;
    for (const fact of decision) {
      this.#evolve(task, fact, now);
      this.#record(task, fact, now);
      this.consequences.follow(task, fact, this.#seq, now);
    }
    return undefined;
  }

  /** Same as `apply`, for a function's write about itself. A refusal drops the whole write and counts it (S2). */
  write(task: Task, command: Command): boolean {
    if (this.apply(task, command) === undefined) return true;
    this.droppedWrites++;
    return false;
  }

  /**
   * Same as `write`, for the function of `attempt`. The attempt may be over while the record still belongs to a running
   * task (D8).
   */
  writeOf(attempt: Attempt, command: Command): boolean {
    if (attempt.phase === "open") return this.write(attempt.task, command);
    this.droppedWrites++;
    return false;
  }

  /** Follows a fact of an earlier process, which was stored and delivered there. */
  restore(task: Task, fact: Fact, at: number): void {
    this.#evolve(task, fact, at);
    this.consequences.follow(task, fact, 0, at);
  }

  #evolve(task: Task, fact: Fact, at: number): void {
    const next = evolve(task.state, fact, at);
    if (next === task.state) return;
    task.state = next;
    task.touch();
  }

  /** Records the first fact of a task, whose state is in place. */
  created(task: Task): void {
    task.madeSeq = this.nextSeq;
    const runtime = this.#unrecordedRuntime;
    this.#unrecordedRuntime = undefined;
    this.#record(task, { type: "task.created", state: task.state, runtime }, task.createdAt);
  }

  #record(task: Task, fact: Fact, at: number): void {
    this.#seq++;
    const isHeard = this.#recent !== undefined || this.listeners.has(fact.type);
    if (!isHeard && this.#committer === undefined) return;
    const event = toEvent(fact, task, this.#seq, at);
    this.#committer?.add(event);
    if (isHeard) this.#announce(event);
  }

  /** Resolves with `value` once everything that is decided by now is stored. */
  tell<T>(value: T): Promise<T> {
    if (this.#seq <= this.stored.deliverable) return Promise.resolve(value);
    return this.told(value);
  }

  /** Same as `tell`, and in order: after the deliveries that are queued already. */
  told<T>(value: T): Promise<T> {
    const told = new Told(value);
    this.deliver(told);
    return told.promise;
  }

  /** Drops every held delivery and every later one that needs the store (D8). */
  drop(why: Error): void {
    this.#dropped = why;
    for (const delivery of this.#held.takeAll()) delivery.drop(why);
  }

  /** The manager is closed: drops what is not stored, and ends every reading of recent events. */
  close(): void {
    this.drop(new ManagerClosedError(NOT_STORED));
    this.#recent?.close();
  }

  /** Same as `deliver`, for a plain function. */
  call(deliver: () => void, needs?: number): void {
    this.deliver(new Call(deliver), needs);
  }

  /**
   * Queues a delivery. The delivery waits until every fact up to `needs` is stored; the default is every fact by now,
   * and 0 waits for nothing, as a stop does (D1). A delivery stands in the queue once at a time. Returns its place
   * while it is held for the store.
   */
  deliver(delivery: Delivery, needs: number = this.#seq): Held | undefined {
    if (needs <= this.stored.deliverable) this.#enqueue(delivery);
    else if (this.#dropped !== undefined) delivery.drop(this.#dropped);
    else return this.#held.add(delivery, needs);
    return undefined;
  }

  #enqueue(delivery: Delivery): void {
    // The delivery is queued already: it was held, and was withdrawn just after its facts were stored.
    if (delivery.isQueued) return;
    delivery.isQueued = true;
    this.#queue.push(delivery);
    this.#schedule();
  }

  /** Queues the event for its listeners, once it is stored. Only an event that is held has a delivery of its own. */
  #announce(event: TaskEvent): void {
    if (this.#seq > this.stored.deliverable) {
      this.deliver(new Announcement(event, this.listeners, this.#recent));
      return;
    }
    this.#announcer.add(event);
    this.#queue.push(this.#announcer);
    this.#schedule();
  }

  /**
   * The caller is at the top of a microtask and calls `drain` itself at its end: until then nothing is scheduled. A
   * microtask in vain for each function that settles would cost a tenth of its task.
   */
  holdDrain(): void {
    this.#isScheduled = true;
  }

  /**
   * Delivers the whole queue, including what deliveries add. Called at the top of a microtask or a macrotask, never
   * under a caller's code.
   */
  readonly drain = (): void => {
    this.#isScheduled = false;
    if (this.#isDraining || this.#queue.size === 0) return;
    this.#isDraining = true;
    try {
      runOutside(this.#drainAll);
    } finally {
      this.#isDraining = false;
      // The queue is empty unless a delivery threw; the other deliveries still follow.
      this.#schedule();
    }
  };

  #schedule(): void {
    if (this.#queue.size === 0 || this.#isScheduled || this.#isDraining) return;
    this.#isScheduled = true;
    void RESOLVED.then(this.drain);
  }

  readonly #drainAll = (): void => {
    for (let delivery = this.#queue.shift(); delivery !== undefined; delivery = this.#queue.shift()) {
      delivery.isQueued = false;
      delivery.deliver();
    }
  };
}

/** The delivery of events to their listeners: it stands in the queue once for each event. */
class Announcer extends Delivery {
  readonly #events = new Ring<TaskEvent>();
  readonly #listeners: Listeners;
  /** The newest events, when they are kept. Written by the loop. */
  recent: RecentEvents | undefined = undefined;

  constructor(listeners: Listeners) {
    super();
    this.#listeners = listeners;
  }

  /** Adds an event. The caller queues the announcer once more. */
  add(event: TaskEvent): void {
    this.#events.push(event);
  }

  /** Calls the listeners of the oldest event. */
  deliver(): void {
    const event = this.#events.shift();
    if (event === undefined) return;
    this.recent?.add(event);
    this.#listeners.emit(event);
  }
}

/** The delivery of one event that is held until it is stored. */
class Announcement extends Delivery {
  readonly #event: TaskEvent;
  readonly #listeners: Listeners;
  readonly #recent: RecentEvents | undefined;

  constructor(event: TaskEvent, listeners: Listeners, recent: RecentEvents | undefined) {
    super();
    this.#event = event;
    this.#listeners = listeners;
    this.#recent = recent;
  }

  /** Calls the listeners of the event. */
  deliver(): void {
    this.#recent?.add(this.#event);
    this.#listeners.emit(this.#event);
  }
}
