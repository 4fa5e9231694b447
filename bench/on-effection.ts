// On effection: the same task as in by-hand.ts, written with effection's operations.
//
// A peer of spawn.ts. A task of effection per task, halted to cancel; the limit is a semaphore written here, because
// effection has none. An AbortSignal is made only for a job that names one.
import { type Operation, run, spawn, type Task, until, useAbortSignal, withResolvers } from "effection";
import { type Peer, type PeerJob, type PeerRecord, PeerRecords } from "./peer-records.js";

export class Slots {
  #free: number;
  /** First come, first served. */
  readonly #line = new Set<() => void>();

  constructor(concurrency: number) {
    this.#free = concurrency;
  }

  *hold<T>(work: () => Operation<T>): Operation<T> {
    if (this.#free > 0) this.#free -= 1;
    else yield* this.#turn();
    try {
      return yield* work();
    } finally {
      this.#release();
    }
  }

  *#turn(): Operation<void> {
    const turn = withResolvers<void>();
    let isCalled = false;
    let isTaken = false;
    const called = (): void => {
      isCalled = true;
      this.#line.delete(called);
      turn.resolve();
    };
    this.#line.add(called);
    try {
      yield* turn.operation;
      isTaken = true;
    } finally {
      // Halted in line, it leaves it; halted as it was called, the next is.
      this.#line.delete(called);
      if (isCalled && !isTaken) this.#release();
    }
  }

  #release(): void {
    const [next] = this.#line;
    if (next === undefined) this.#free += 1;
    else next();
  }
}

interface EffectionTask {
  readonly record: PeerRecord;
  readonly task: Task<number>;
}

export class OnEffection implements Peer {
  /** Kept for whoever comes with an id, to read, await or cancel it. */
  readonly tasks = new Map<string, EffectionTask>();
  readonly records = new PeerRecords();
  readonly #slots: Slots;

  constructor(concurrency: number) {
    this.#slots = new Slots(concurrency);
  }

  *spawn(job: PeerJob): Operation<EffectionTask> {
    const { records } = this;
    const record = records.create();
    const slots = this.#slots;
    const task = yield* spawn(function* () {
      let status: "succeeded" | "failed" | "cancelled" = "cancelled";
      try {
        const value = yield* slots.hold(function* () {
          records.start(record);
          return yield* until(job(job.length === 0 ? unread : yield* useAbortSignal()));
        });
        status = "succeeded";
        return value;
      } catch (error) {
        status = "failed";
        throw error;
      } finally {
        records.end(record, status);
      }
    });
    const spawned: EffectionTask = { record, task };
    this.tasks.set(record.id, spawned);
    return spawned;
  }

  async runAll(job: PeerJob, tasks: number): Promise<number> {
    const all = this.#all(job, tasks);
    return await run(() => all);
  }

  *#all(job: PeerJob, tasks: number): Operation<number> {
    const spawned: Task<number>[] = [];
    while (spawned.length < tasks) spawned.push((yield* this.spawn(job)).task);
    let sum = 0;
    for (const task of spawned) sum += yield* task;
    return sum;
  }
}

const unread = new AbortController().signal;
