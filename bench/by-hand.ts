// By hand: what a program writes when it composes p-queue or p-limit, AbortController, eventemitter3 and a Map itself.
//
// The peer of spawn.ts. Owns a record per task (queued, running, then its end), a token per task, three events, and
// something to await. No tree, no waits that lend a slot, no inbox, no limits, no eviction: what it lacks is free.
import { EventEmitter } from "eventemitter3";
import pLimit from "p-limit";
import PQueue from "p-queue";

export interface HandRecord {
  readonly id: string;
  status: "queued" | "running" | "succeeded" | "failed" | "cancelled";
  readonly createdAt: number;
  startedAt: number | undefined;
  finishedAt: number | undefined;
}
export interface HandEvent {
  readonly type: "task.created" | "task.started" | "task.ended";
  readonly at: number;
  readonly taskId: string;
}
export interface HandTask<T> {
  readonly record: HandRecord;
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

export class ByHand {
  /** Kept for whoever comes with an id, to read, await or cancel it. */
  readonly tasks = new Map<string, HandTask<unknown>>();
  readonly events = new EventEmitter<{ [K in HandEvent["type"]]: [HandEvent] }>();
  readonly #pool: Pool;
  #count = 0;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  spawn<T>(job: (signal: AbortSignal) => Promise<T>): HandTask<T> {
    const controller = new AbortController();
    const { signal } = controller;
    const record: HandRecord = {
      id: `task_${(this.#count += 1)}`,
      status: "queued",
      createdAt: Date.now(),
      startedAt: undefined,
      finishedAt: undefined,
    };
    this.events.emit("task.created", { type: "task.created", at: record.createdAt, taskId: record.id });
    const done = this.#pool(async () => {
      record.status = "running";
      record.startedAt = Date.now();
      this.events.emit("task.started", { type: "task.started", at: record.startedAt, taskId: record.id });
      try {
        const value = await job(signal);
        this.#end(record, "succeeded");
        return value;
      } catch (error) {
        this.#end(record, signal.aborted ? "cancelled" : "failed");
        throw error;
      }
    }, signal);
    const task: HandTask<T> = {
      record,
      done,
      cancel: () => {
        if (record.status === "queued") this.#end(record, "cancelled");
        controller.abort();
      },
    };
    this.tasks.set(record.id, task);
    return task;
  }

  #end(record: HandRecord, status: HandRecord["status"]): void {
    record.status = status;
    record.finishedAt = Date.now();
    this.events.emit("task.ended", { type: "task.ended", at: record.finishedAt, taskId: record.id });
  }
}
