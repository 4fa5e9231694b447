// On Effect: the same task as in by-hand.ts, written as an Effect program.
//
// A peer of spawn.ts. A fiber per task, forked by the program that spawns (a third of the price of `Effect.runFork` from
// outside), a Semaphore for the limit. The token is the fiber: an AbortSignal is made by Effect only for a job that names one.
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
  /** Kept for whoever comes with an id, to read, await or cancel it. */
  readonly tasks = new Map<string, EffectTask>();
  readonly records = new PeerRecords();
  readonly #slots: Semaphore.Semaphore;

  constructor(concurrency: number) {
    this.#slots = Semaphore.makeUnsafe(concurrency);
  }

  spawn(job: PeerJob): Effect.Effect<EffectTask> {
    return Effect.suspend(() => {
      const record = this.records.create();
      const work = Effect.suspend(() => {
        this.records.start(record);
        return Effect.promise(job);
      });
      const ended = (exit: Exit.Exit<number>): Effect.Effect<void> =>
        Effect.sync(() => this.records.end(record, statusOf(exit)));
      return Effect.map(Effect.forkChild(Effect.onExit(this.#slots.withPermit(work), ended)), (fiber) => {
        const task: EffectTask = { record, fiber };
        this.tasks.set(record.id, task);
        return task;
      });
    });
  }

  runAll(job: PeerJob, tasks: number): Promise<number> {
    const all = Effect.gen({ self: this }, function* () {
      const fibers: Fiber.Fiber<number>[] = [];
      for (let spawned = 0; spawned < tasks; spawned += 1) fibers.push((yield* this.spawn(job)).fiber);
      let sum = 0;
      for (const value of yield* Fiber.joinAll(fibers)) sum += value;
      return sum;
    });
    return Effect.runPromise(all);
  }
}

function statusOf(exit: Exit.Exit<number>): "succeeded" | "failed" | "cancelled" {
  if (Exit.isSuccess(exit)) return "succeeded";
  return Exit.hasInterrupts(exit) ? "cancelled" : "failed";
}
