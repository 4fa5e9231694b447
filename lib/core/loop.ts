// Loop: the only writer of a task's state.
//
// One way for data (§2): a command is decided and its facts evolve the state inside the call, wherever it is made; what
// the outside then sees (events, settled waits, a function that starts) queues here and is delivered in one order, in a
// microtask, never inside the call. Each fact has a `seq`; the event of a fact is made only when somebody will read it.
// With a store, what is delivered waits until the facts it tells of are stored (D1); what only stops waits for nothing.

import type { Committer } from "./durable/committer.js";
import { Call, Delivery, Told } from "./events/delivery.js";
import { type Held, HeldDeliveries } from "./events/held-deliveries.js";
import type { Listeners } from "./events/listeners.js";
import { RecentEvents } from "./events/recent-events.js";
import type { Attempt, Task } from "./live/task.js";
import type { Command, Refusal } from "./task/commands.js";
import { decide, isRefusal } from "./task/decide.js";
import { type Fact, type TaskEvent, toEvent } from "./task/events.js";
import { evolve } from "./task/evolve.js";
import type { Runtime } from "./task/record.js";
import type { Timekeeper } from "./time/clock.js";
import { runOutside } from "./values/outside.js";

const RESOLVED = Promise.resolve();

export class Loop {
  readonly clock: Timekeeper;
  readonly listeners: Listeners;
  #recent: RecentEvents | undefined;
  #committer: Committer | undefined;
  /** This process, until the store knows of it: it is told with the first task. */
  #untold: Runtime | undefined;
  #seq = 0;
  /** `seq` of the newest fact that may be told of: all of them, without a store. */
  #stored = Number.POSITIVE_INFINITY;
  readonly #held = new HeldDeliveries();
  /** Why nothing is held any more: it is closed, and the store did not take what there was. */
  #dropped: Error | undefined;
  #first: Delivery | undefined;
  #last: Delivery | undefined;
  #isScheduled = false;
  #isDraining = false;
  #isClosed = false;
  /** Who hears every fact of a task that has notices to make, or to read; live and replayed. Written by the core. */
  onFact: (task: Task, fact: Fact, seq: number, at: number) => void = () => {};
  /** S2: writes of superseded, abandoned or settled functions. */
  droppedWrites = 0;

  constructor(clock: Timekeeper, listeners: Listeners) {
    this.clock = clock;
    this.listeners = listeners;
  }

  /** `seq` of the newest fact. */
  get seq(): number {
    return this.#seq;
  }
  /** `seq` of the next fact. */
  get nextSeq(): number {
    return this.#seq + 1;
  }
  /** Of the newest fact that may be told of. */
  get storedSeq(): number {
    return this.#stored;
  }

  get hasStore(): boolean {
    return this.#committer !== undefined;
  }

  /** From now on facts go to a store, whose last one is `seq`. Relaxed, nothing waits for it. */
  attach(committer: Committer, seq: number, isStrict: boolean, runtime: Runtime): void {
    this.#committer = committer;
    this.#untold = runtime;
    this.#seq = seq;
    if (isStrict) this.#stored = seq;
  }

  /** Every fact up to `seq` is stored: what waited for them is delivered. At the top of a microtask. */
  stored(seq: number): void {
    if (seq <= this.#stored) return;
    this.#stored = seq;
    for (const delivery of this.#held.take(seq)) this.#enqueue(delivery);
    this.drain();
  }

  /** The newest events. The first call begins to keep them. */
  recentEvents(): RecentEvents {
    if (this.#recent === undefined) {
      this.#recent = new RecentEvents(this.nextSeq);
      if (this.#isClosed) this.#recent.close();
    }
    return this.#recent;
  }

  closeRecentEvents(): void {
    this.#isClosed = true;
    this.#recent?.close();
  }

  /** Decides `command` and evolves the task by its facts, in this call. A refusal changes nothing. */
  apply(task: Task, command: Command): Refusal | undefined {
    // A sweep is one command, at one instant.
    const now = command.type === "stop" ? command.stop.at : this.clock.now();
    const decision = decide(task.state, command);
    if (isRefusal(decision)) return decision;
    for (const fact of decision) {
      this.#evolve(task, fact, now);
      this.#record(task, fact, now);
      this.onFact(task, fact, this.#seq, now);
    }
    return undefined;
  }

  /** As `apply`, for what a function writes about itself: a refusal drops the write whole, and counts it (S2). */
  write(task: Task, command: Command): boolean {
    if (this.apply(task, command) === undefined) return true;
    this.droppedWrites++;
    return false;
  }

  /** Same as `write`, for the function of `attempt`, which may be over though the record is still that of a task that runs (D8). */
  writeOf(attempt: Attempt, command: Command): boolean {
    if (attempt.phase === "open") return this.write(attempt.task, command);
    this.droppedWrites++;
    return false;
  }

  /** A fact of an earlier process: it was told, and stored, when it happened. */
  restore(task: Task, fact: Fact, at: number): void {
    this.#evolve(task, fact, at);
    this.onFact(task, fact, 0, at);
  }

  #evolve(task: Task, fact: Fact, at: number): void {
    const next = evolve(task.state, fact, at);
    if (next === task.state) return;
    task.state = next;
    task.touch();
  }

  /** The first fact of a task: its state is in place already. */
  created(task: Task): void {
    task.madeSeq = this.nextSeq;
    const runtime = this.#untold;
    this.#untold = undefined;
    this.#record(task, { type: "task.created", state: task.state, runtime }, task.createdAt);
  }

  #record(task: Task, fact: Fact, at: number): void {
    this.#seq++;
    const isHeard = this.#recent !== undefined || this.listeners.has(fact.type);
    if (!isHeard && this.#committer === undefined) return;
    const event = toEvent(fact, task, this.#seq, at);
    this.#committer?.add(event);
    if (isHeard) this.deliver(new Announcement(event, this.listeners, this.#recent));
  }

  /** A promise of `value`, once everything that is decided by now is stored. */
  tell<T>(value: T): Promise<T> {
    if (this.#seq <= this.#stored) return Promise.resolve(value);
    return this.told(value);
  }

  /** As `tell`, and in its place in the queue: after what was decided before it. */
  told<T>(value: T): Promise<T> {
    const told = new Told(value);
    this.deliver(told);
    return told.promise;
  }

  /** What is still held will not be told any more, and nothing that is decided from now on (D8). */
  drop(why: Error): void {
    this.#dropped = why;
    for (const delivery of this.#held.takeAll()) delivery.drop(why);
  }

  /** As `deliver`, for what needs no more than a call. */
  call(deliver: () => void, needs?: number): void {
    this.deliver(new Call(deliver), needs);
  }

  /**
   * Last in the queue, once every fact up to `needs` is stored: all that are decided by now, unless it tells of less. What needs 0
   * stops something (D1). A delivery stands in the queue once at a time. Returns its place while it is held for the store.
   */
  deliver(delivery: Delivery, needs: number = this.#seq): Held | undefined {
    if (needs <= this.#stored) this.#enqueue(delivery);
    else if (this.#dropped !== undefined) delivery.drop(this.#dropped);
    else return this.#held.add(delivery, needs);
    return undefined;
  }

  #enqueue(delivery: Delivery): void {
    // It stands there already: one that was held, and was withdrawn when what it told of had just been stored.
    if (delivery.next !== undefined || this.#last === delivery) return;
    if (this.#last === undefined) this.#first = delivery;
    else this.#last.next = delivery;
    this.#last = delivery;
    this.#schedule();
  }

  /** Delivers all there is, and what comes of it. Called at the top of a microtask or a macrotask, never under a caller's code. */
  readonly drain = (): void => {
    if (this.#isDraining) return;
    this.#isScheduled = false;
    if (this.#first === undefined) return;
    this.#isDraining = true;
    try {
      runOutside(this.#drainAll);
    } finally {
      this.#isDraining = false;
      this.#schedule(); // Empty, unless a delivery threw: it must not take the others along.
    }
  };

  #schedule(): void {
    if (this.#first === undefined || this.#isScheduled || this.#isDraining) return;
    this.#isScheduled = true;
    void RESOLVED.then(this.drain);
  }

  readonly #drainAll = (): void => {
    for (let delivery = this.#first; delivery !== undefined; delivery = this.#first) {
      this.#first = delivery.next;
      if (this.#first === undefined) this.#last = undefined;
      delivery.next = undefined;
      delivery.deliver();
    }
  };
}

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

  deliver(): void {
    this.#recent?.add(this.#event);
    this.#listeners.emit(this.#event);
  }
}
