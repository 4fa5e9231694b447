// Bare schedulers: so many jobs, so many at a time, and the value of each. No record, no event, no token.
//
// Each is written as its library's own documentation does. The floor is the least that still gives a promise per job.
import { queue as asyncQueue } from "async";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Semaphore from "effect/Semaphore";
import { run, spawn, type Task, until } from "effection";
import fastq from "fastq";
import pLimit from "p-limit";
import PQueue from "p-queue";
import { type Case, check } from "./interleave.js";
import { Slots } from "./on-effection.js";

type Job = () => Promise<number>;
const job: Job = async () => 1;
/** Gives the values of all jobs. */
type Scheduler = (jobs: number, concurrency: number) => Promise<readonly number[]>;

const manyOf = <T>(length: number, make: () => T): T[] => Array.from({ length }, make);

interface Entry {
  readonly job: Job;
  readonly resolve: (value: number) => void;
  readonly reject: (error: unknown) => void;
}
/** Loops over a ring of jobs, a promise each. */
const floor: Scheduler = (jobs, concurrency) => {
  const ring: Entry[] = [];
  const results = manyOf(jobs, () => new Promise<number>((resolve, reject) => ring.push({ job, resolve, reject })));
  let next = 0;
  const loop = async (): Promise<void> => {
    for (let entry = ring[next++]; entry !== undefined; entry = ring[next++]) {
      try {
        entry.resolve(await entry.job());
      } catch (error) {
        entry.reject(error);
      }
    }
  };
  for (let started = 0; started < concurrency; started += 1) void loop();
  return Promise.all(results);
};

const schedulers = {
  floor,
  "async.queue": (jobs, concurrency) => {
    // An async function is a worker too, says its documentation; its types do not.
    // oxlint-disable-next-line typescript/no-misused-promises
    const queue = asyncQueue<Job>(async (work) => work(), concurrency);
    return Promise.all(manyOf(jobs, () => queue.push<number>(job)));
  },
  "fastq.promise": (jobs, concurrency) => {
    const queue = fastq.promise<unknown, Job, number>((work) => work(), concurrency);
    return Promise.all(manyOf(jobs, () => queue.push(job)));
  },
  "p-limit": (jobs, concurrency) => {
    const limit = pLimit(concurrency);
    return Promise.all(manyOf(jobs, () => limit(job)));
  },
  "p-queue": (jobs, concurrency) => {
    const queue = new PQueue({ concurrency });
    return Promise.all(manyOf(jobs, () => queue.add(job)));
  },
  "Effect forEach": (jobs, concurrency) => {
    const work = Effect.promise(job);
    return Effect.runPromise(
      Effect.forEach(
        manyOf(jobs, () => work),
        (one) => one,
        { concurrency },
      ),
    );
  },
  "Effect fork + Semaphore": (jobs, concurrency) => {
    const slots = Semaphore.makeUnsafe(concurrency);
    const all = Effect.gen(function* () {
      const fibers: Fiber.Fiber<number>[] = [];
      while (fibers.length < jobs) fibers.push(yield* Effect.forkChild(slots.withPermit(Effect.promise(job))));
      return yield* Fiber.joinAll(fibers);
    });
    return Effect.runPromise(all);
  },
  "effection spawn + semaphore": async (jobs, concurrency) => {
    const slots = new Slots(concurrency);
    return await run(function* () {
      const tasks: Task<number>[] = [];
      while (tasks.length < jobs) tasks.push(yield* spawn(() => slots.hold(() => until(job()))));
      const values: number[] = [];
      for (const task of tasks) values.push(yield* task);
      return values;
    });
  },
} satisfies { readonly [name: string]: Scheduler };

export type SchedulerName = keyof typeof schedulers;
export const schedulerNames = Object.keys(schedulers) as readonly SchedulerName[];

export function bare(scheduler: SchedulerName, jobs: number, concurrency: number): Case {
  return {
    name: scheduler,
    units: jobs,
    prepare: () => {
      let sum = 0;
      return {
        work: async () => {
          for (const value of await schedulers[scheduler](jobs, concurrency)) sum += value;
        },
        finish: () => check(scheduler, sum, jobs),
      };
    },
  };
}
