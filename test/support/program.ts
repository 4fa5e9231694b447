// What a program under test starts from: a manager on a manual clock with counted ids, work that the test holds in its
// hand, and refusals read by their code.

import { inspect } from "node:util";
import type {
  AnyErrandError,
  ErrandErrorCode,
  SpawnOptions,
  TaskContext,
  TaskEvent,
  TaskHandle,
  TaskManagerOptions,
  TaskStatus,
} from "errand";
import { isErrandError, TaskManager } from "errand";
import { countedIds, type ManualClock, manualClock } from "errand/testing";
import { deferred, settled } from "./basics.js";

export interface World {
  readonly manager: TaskManager;
  readonly clock: ManualClock;
  /** Moves the clock and lets everything that follows from it come to rest. */
  readonly pass: (ms: number) => Promise<void>;
}

export function world(options: Omit<TaskManagerOptions, "clock" | "ids"> = {}): World {
  const clock = manualClock();
  const manager = new TaskManager({ ...options, clock, ids: countedIds() });
  return {
    manager,
    clock,
    async pass(ms) {
      await clock.advance(ms);
      await settled();
    },
  };
}

/** Work that obeys: it goes on until its signal aborts, and then rejects with the signal's reason. */
export function untilStopped(ctx: TaskContext): Promise<never> {
  return new Promise((_resolve, reject) => {
    const { signal } = ctx;
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

/** Work that hears nothing and never ends. */
export function deaf(): Promise<never> {
  return new Promise(() => undefined);
}

/** A task that runs, without a wait, until the test ends it. */
export interface Held<T> {
  readonly handle: TaskHandle<T>;
  /** The context of the started task; throws before the start. */
  readonly ctx: TaskContext;
  readonly started: boolean;
  finish(value: T): void;
  fail(error: unknown): void;
}

/** Work that obeys its signal and otherwise ends when the test says so. */
export function hold<T = void>(owner: Pick<TaskManager, "spawn">, options: SpawnOptions = {}): Held<T> {
  return held<T>(owner, options, (ctx, gate) => Promise.race([gate, untilStopped(ctx)]));
}

/** Work that hears no signal and ends only when the test says so. */
export function holdDeaf<T = void>(owner: Pick<TaskManager, "spawn">, options: SpawnOptions = {}): Held<T> {
  return held<T>(owner, options, (_ctx, gate) => gate);
}

function held<T>(
  owner: Pick<TaskManager, "spawn">,
  options: SpawnOptions,
  work: (ctx: TaskContext, gate: Promise<T>) => Promise<T>,
): Held<T> {
  const gate = deferred<T>();
  let taken: TaskContext | undefined;
  const handle = owner.spawn((ctx) => {
    taken = ctx;
    return work(ctx, gate.promise);
  }, options);
  return {
    handle,
    get ctx() {
      if (taken === undefined) throw new Error(`${handle.id} has not started`);
      return taken;
    },
    get started() {
      return taken !== undefined;
    },
    finish: gate.resolve,
    fail: gate.reject,
  };
}

/** The error, when it is errand's and carries this code; throws otherwise. */
export function errandError<C extends ErrandErrorCode>(value: unknown, code: C): Extract<AnyErrandError, { code: C }> {
  if (!isErrandError(value, code)) throw new Error(`expected ${code}, got ${inspect(value)}`);
  return value;
}

/** What a call threw, or what its promise rejected with; throws when it did neither. */
export async function refusalOf(call: () => unknown): Promise<unknown> {
  let value: unknown;
  try {
    value = await call();
  } catch (error) {
    return error;
  }
  throw new Error(`expected a refusal, got ${inspect(value)}`);
}

/** The refusal of a call that answers with a promise. */
export async function rejected<C extends ErrandErrorCode>(
  call: () => unknown,
  code: C,
): Promise<Extract<AnyErrandError, { code: C }>> {
  return errandError(await refusalOf(call), code);
}

/** The refusal of a call that answers at once. */
export function refused<C extends ErrandErrorCode>(call: () => unknown, code: C): Extract<AnyErrandError, { code: C }> {
  let value: unknown;
  try {
    value = call();
  } catch (error) {
    return errandError(error, code);
  }
  throw new Error(`expected ${code}, got ${inspect(value)}`);
}

export function isTerminal(status: TaskStatus): boolean {
  return status !== "queued" && status !== "running" && status !== "blocked";
}

/** A task's end, as an event. */
export function isEnd(event: TaskEvent): boolean {
  const ends: readonly string[] = ["task.succeeded", "task.failed", "task.cancelled", "task.interrupted"];
  return ends.includes(event.type);
}

/** The ids of the tasks that ended, in the order told. */
export function endsIn(told: readonly TaskEvent[]): string[] {
  return told.filter(isEnd).map((event) => event.taskId);
}

/** The types of one task's events, in the order told. */
export function typesOf(told: readonly TaskEvent[], taskId: string): string[] {
  return told.filter((event) => event.taskId === taskId).map((event) => event.type);
}

/** The value, which must be there. */
export function given<T>(value: T | undefined, what = "a value"): T {
  if (value === undefined) throw new Error(`expected ${what}`);
  return value;
}
