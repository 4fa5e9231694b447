// By hand: what a program writes when it composes p-queue or p-limit, AbortController, eventemitter3 and a Map itself.
//
// A peer of spawn.ts. Owns a token per task, something to await, and who may come with an id. No tree, no waits that lend
// a slot, no inbox, no limits, no eviction: what it lacks is free.
import pLimit from "p-limit";
import PQueue from "p-queue";
import { type Peer, type PeerJob, type PeerRecord, PeerRecords } from "./peer-records.js";

export interface HandTask<T> {
  readonly record: PeerRecord;
  readonly done: Promise<T>;
  readonly cancel: () => void;
}
/** The pool: starts `work` when there is room. */
export type Pool = <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>;

export function onPQueue(concurrency: number): Pool {
  const queue = new PQueue({ concurrency });
  return (work, signal) => queue.add(work, { signal });
}
export function onPLimit(concurrency: number): Pool {
  const limit = pLimit(concurrency);
  return (work, signal) =>
    limit(() => {
      signal.throwIfAborted();
      return work();
    });
}

export class ByHand implements Peer {
  /** Kept for whoever comes with an id, to read, await or cancel it. */
  readonly tasks = new Map<string, HandTask<unknown>>();
  readonly records = new PeerRecords();
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  spawn<T>(job: (signal: AbortSignal) => Promise<T>): HandTask<T> {
    const controller = new AbortController();
    const { signal } = controller;
    const record = this.records.create();
    const done = this.#pool(async () => {
      this.records.start(record);
      try {
        const value = await job(signal);
        this.records.end(record, "succeeded");
        return value;
      } catch (error) {
        this.records.end(record, signal.aborted ? "cancelled" : "failed");
        throw error;
      }
    }, signal);
    const task: HandTask<T> = {
      record,
      done,
      cancel: () => {
        if (record.status === "queued") this.records.end(record, "cancelled");
        controller.abort();
      },
    };
    this.tasks.set(record.id, task);
    return task;
  }

  async runAll(job: PeerJob, tasks: number): Promise<number> {
    const spawned = Array.from({ length: tasks }, () => this.spawn(job));
    let sum = 0;
    for (const value of await Promise.all(spawned.map(({ done }) => done))) sum += value;
    return sum;
  }
}
