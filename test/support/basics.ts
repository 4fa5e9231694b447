// What the core's tests share: quiet, a promise the test holds, the facts told, and a gauge of true concurrency.
//
// The gauge sees user code only: it asks the manager for nothing, so a wrong count in the core cannot hide from it.

import type { LaneStats, TaskContext, TaskEvent, TaskManager } from "errand";

/** Resolves when everything that can go on without a timer has gone on. */
export async function settled(turns = 8): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

export type Seen<T> = { is: "pending" } | { is: "fulfilled"; value: T } | { is: "rejected"; error: unknown };

/** How a promise stands once everything is quiet; marks a rejection as seen. */
export async function peek<T>(promise: Promise<T>): Promise<Seen<T>> {
  let seen: Seen<T> = { is: "pending" };
  promise.then(
    (value) => (seen = { is: "fulfilled", value }),
    (error: unknown) => (seen = { is: "rejected", error }),
  );
  await settled();
  return seen;
}

const factTypes = [
  "task.created",
  "task.started",
  "task.blocked",
  "task.resumed",
  "task.progressed",
  "task.updated",
  "task.cancelRequested",
  "task.returned",
  "task.succeeded",
  "task.failed",
  "task.cancelled",
  "task.interrupted",
  "task.abandoned",
  "task.retried",
  "task.reattached",
  "task.parked",
  "task.lateSettled",
  "request.opened",
  "request.answered",
  "request.rejected",
  "request.expired",
  "request.withdrawn",
  "message.sent",
  "artifact.added",
  "usage.reported",
  "custom",
] as const;

/** Every fact the manager tells from now on, in the order told. */
export function facts(manager: TaskManager): TaskEvent[] {
  const told: TaskEvent[] = [];
  for (const type of factTypes) manager.on(type, (event) => void told.push(event));
  return told;
}

/** One lane's slots, after checking L8 on them: free + held = concurrency. */
export function slots(manager: TaskManager, lane = "default"): LaneStats {
  const stats = manager.stats().lanes[lane];
  if (stats === undefined) throw new Error(`no lane ${lane} in stats()`);
  const { concurrency, free, held } = stats;
  if (concurrency === undefined || free === undefined) {
    if (held < 0 || free !== concurrency)
      throw new Error(`L8: held ${held}, free ${free} of ${concurrency} in lane ${lane}`);
  } else if (held < 0 || free < 0 || free + held !== concurrency) {
    throw new Error(`L8: free ${free} + held ${held} is not ${concurrency} in lane ${lane}`);
  }
  return stats;
}

/** Throws unless every slot of every lane is back and nobody stands in line (L8). */
export function allFree(manager: TaskManager): void {
  for (const lane of Object.keys(manager.stats().lanes)) {
    const stats = slots(manager, lane);
    if (stats.held !== 0 || stats.queued !== 0) throw new Error(`${lane} is not free: ${JSON.stringify(stats)}`);
  }
}

/** One task's place on a gauge. */
export interface Place {
  /** `start` begins a wait: from that call until this wait and every other has ended, the task is not counted. */
  wait<T>(start: () => Promise<T>): Promise<T>;
  leave(): void;
}

/** Counts tasks whose code runs and that have no pending wait. */
export interface Gauge {
  readonly now: number;
  readonly peak: number;
  enter(ctx: TaskContext): Place;
  /** A task's function, counted from its first line to its last. */
  around<T>(work: (ctx: TaskContext, place: Place) => Promise<T>): (ctx: TaskContext) => Promise<T>;
}

/** `counts` leaves out those whose slot is rightly gone while their code goes on: the abandoned (C2). */
export function gauge(counts: (ctx: TaskContext) => boolean = () => true): Gauge {
  const inside = new Set<TaskContext>();
  let peak = 0;
  const count = (): number => [...inside].filter(counts).length;
  const comeIn = (ctx: TaskContext): void => {
    inside.add(ctx);
    peak = Math.max(peak, count());
  };
  const enter = (ctx: TaskContext): Place => {
    let pending = 0;
    let left = false;
    comeIn(ctx);
    return {
      wait(start) {
        const begun = start();
        pending += 1;
        inside.delete(ctx);
        const ended = (): void => {
          pending -= 1;
          // A stopped task needs no slot to come back from a wait (C3), so it is not counted.
          if (pending === 0 && !left && !ctx.isCancelled) comeIn(ctx);
        };
        begun.then(ended, ended);
        return begun;
      },
      leave() {
        left = true;
        inside.delete(ctx);
      },
    };
  };
  return {
    get now() {
      return count();
    },
    get peak() {
      return peak;
    },
    enter,
    around: (work) => async (ctx) => {
      const place = enter(ctx);
      try {
        return await work(ctx, place);
      } finally {
        place.leave();
      }
    },
  };
}

/** The rejections nobody handled while `run` ran. */
export async function unhandled(run: () => Promise<void>): Promise<readonly unknown[]> {
  const seen: unknown[] = [];
  const note = (error: unknown): void => void seen.push(error);
  process.on("unhandledRejection", note);
  try {
    await run();
    await settled();
  } finally {
    process.off("unhandledRejection", note);
  }
  return seen;
}
