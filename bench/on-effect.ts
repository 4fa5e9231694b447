// On Effect: the same task as in by-hand.ts, written as an Effect program.
//
// Two peers of spawn.ts. `inside`: one program forks a fiber per task. `outside`: each fiber is forked by `Effect.runFork` of its own, as
// a loop that is no Effect program itself would do. A Semaphore is the limit. The token is the fiber: an AbortSignal is made by Effect
// only for a job that names one.
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Semaphore from "effect/Semaphore";
import { type Peer, type PeerJob, type PeerRecord, PeerRecords } from "./peer-records.js";

interface EffectTask {
  readonly record: PeerRecord;
  /** To await, and to cancel with `Fiber.interrupt`. */
  readonly fiber: Fiber.Fiber<number>;
}

export class OnEffect implements Peer {
  /** Kept for a caller that comes with an id, to read, await or cancel the task. */
  readonly tasks = new Map<string, EffectTask>();
  readonly records = new PeerRecords();
  readonly #slots: Semaphore.Semaphore;
  readonly #forked: "inside" | "outside";

  constructor(concurrency: number, forked: "inside" | "outside") {
    this.#slots = Semaphore.makeUnsafe(concurrency);
    this.#forked = forked;
  }

  runAll(job: PeerJob, tasks: number): Promise<number> {
    return this.#forked === "inside" ? this.#fromInside(job, tasks) : this.#fromOutside(job, tasks);
  }

  #fromInside(job: PeerJob, tasks: number): Promise<number> {
    const spawn = Effect.suspend(() => {
      const record = this.records.create();
      return Effect.map(Effect.forkChild(this.#work(record, job)), (fiber) => this.#keep({ record, fiber }));
    });
    const all = Effect.gen(function* () {
      const fibers: Fiber.Fiber<number>[] = [];
      while (fibers.length < tasks) fibers.push((yield* spawn).fiber);
      return sumOf(yield* Fiber.joinAll(fibers));
    });
    return Effect.runPromise(all);
  }

  async #fromOutside(job: PeerJob, tasks: number): Promise<number> {
    const fibers = Array.from({ length: tasks }, () => {
      const record = this.records.create();
      return this.#keep({ record, fiber: Effect.runFork(this.#work(record, job)) }).fiber;
    });
    return sumOf(await Effect.runPromise(Fiber.joinAll(fibers)));
  }

  /** The job in its slot, and its record. */
  #work(record: PeerRecord, job: PeerJob): Effect.Effect<number> {
    const work = Effect.suspend(() => {
      this.records.start(record);
      return Effect.promise(job);
    });
    const ended = (exit: Exit.Exit<number>): Effect.Effect<void> =>
      Effect.sync(() => this.records.end(record, statusOf(exit)));
    return Effect.onExit(this.#slots.withPermit(work), ended);
  }

  #keep(task: EffectTask): EffectTask {
    this.tasks.set(task.record.id, task);
    return task;
  }
}

function sumOf(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

function statusOf(exit: Exit.Exit<number>): "succeeded" | "failed" | "cancelled" {
  if (Exit.isSuccess(exit)) return "succeeded";
  return Exit.hasInterrupts(exit) ? "cancelled" : "failed";
}
