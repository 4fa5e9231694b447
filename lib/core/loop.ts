// Loop: the only writer of a task's state.
//
// One way for data (DESIGN §2): a command is decided and its facts evolve the state inside the call, wherever it is made; what
// the outside then sees (events, settled waits, a function that starts) queues here and is delivered in one order, in a
// microtask, never inside the call. Each fact has a `seq`; the event of a fact is made only when somebody will read it.

import { runOutside } from "./ambient.js";
import type { Clock } from "./clock.js";
import type { Command, Refusal } from "./commands.js";
import { decide, isRefusal } from "./decide.js";
import { Call, Delivery } from "./delivery.js";
import { type Fact, type TaskEvent, toEvent } from "./events.js";
import { evolve } from "./evolve.js";
import { Journal } from "./journal.js";
import type { Listeners } from "./listeners.js";
import type { Task } from "./task.js";

const RESOLVED = Promise.resolve();

export class Loop {
  readonly clock: Clock;
  readonly listeners: Listeners;
  #journal: Journal | undefined;
  #seq = 0;
  #first: Delivery | undefined;
  #last: Delivery | undefined;
  #isScheduled = false;
  #isDraining = false;
  #isClosed = false;
  /** S2: writes of superseded, abandoned or settled functions. */
  droppedWrites = 0;

  constructor(clock: Clock, listeners: Listeners) {
    this.clock = clock;
    this.listeners = listeners;
  }

  /** `seq` of the next fact. */
  get nextSeq(): number {
    return this.#seq + 1;
  }

  /** From now on events are kept. */
  get journal(): Journal {
    if (this.#journal === undefined) {
      this.#journal = new Journal(this.nextSeq);
      if (this.#isClosed) this.#journal.close();
    }
    return this.#journal;
  }

  closeJournal(): void {
    this.#isClosed = true;
    this.#journal?.close();
  }

  /** Decides `command` and evolves the task by its facts, in this call. A refusal changes nothing. */
  apply(task: Task, command: Command): Refusal | undefined {
    const now = this.clock.now();
    const decision = decide(task.state, command);
    if (isRefusal(decision)) return decision;
    for (const fact of decision) {
      task.state = evolve(task.state, fact, now);
      task.touch();
      this.#record(task, fact, now);
    }
    return undefined;
  }

  /** As `apply`, for what a function writes about itself: a refusal drops the write whole, and counts it (S2). */
  write(task: Task, command: Command): boolean {
    if (this.apply(task, command) === undefined) return true;
    this.droppedWrites++;
    return false;
  }

  /** The first fact of a task: its state is in place already. */
  created(task: Task): void {
    this.#record(task, { type: "task.created", state: task.state }, task.createdAt);
  }

  #record(task: Task, fact: Fact, at: number): void {
    this.#seq++;
    if (this.#journal === undefined && !this.listeners.has(fact.type)) return;
    this.deliver(new Announcement(toEvent(fact, task, this.#seq, at), this.listeners, this.#journal));
  }

  /** As `deliver`, for what needs no more than a call. */
  call(deliver: () => void): void {
    this.deliver(new Call(deliver));
  }

  /** Last in the queue. A delivery stands in it once at a time. */
  deliver(delivery: Delivery): void {
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
  readonly #journal: Journal | undefined;

  constructor(event: TaskEvent, listeners: Listeners, journal: Journal | undefined) {
    super();
    this.#event = event;
    this.#listeners = listeners;
    this.#journal = journal;
  }

  deliver(): void {
    this.#journal?.add(this.#event);
    this.#listeners.emit(this.#event);
  }
}
