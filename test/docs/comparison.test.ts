// "How it compares" in README.md: every cell is the word that its experiment observes.
//
// An experiment knows nothing of the table. It uses one library as that library's own documentation says, looks at
// what happens, and returns the word for it. One row's experiments set the same scene for every library. That a library
// has no such thing ("no limiter") is read off the names it exports. "deadlock": nothing in the work takes any time,
// and yet its promise stays pending while the library counts no free slot.

import { AsyncLocalStorage } from "node:async_hooks";
import type { webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import * as Cause from "effect/Cause";
import * as Context from "effect/Context";
import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Layer from "effect/Layer";
import * as PartitionedSemaphore from "effect/PartitionedSemaphore";
import * as Schedule from "effect/Schedule";
import * as Schema from "effect/Schema";
import * as Scope from "effect/Scope";
import * as Semaphore from "effect/Semaphore";
import * as TxSemaphore from "effect/TxSemaphore";
import * as DurableDeferred from "effect/workflow/DurableDeferred";
import * as Workflow from "effect/workflow/Workflow";
import * as WorkflowEngine from "effect/workflow/WorkflowEngine";
import * as effection from "effection";
import * as effectionExperimental from "effection/experimental";
import * as errand from "errand";
import { TaskCancelledError, TaskManager } from "errand";
import pLimit, * as limiting from "p-limit";
import PQueue, * as queueing from "p-queue";
import { describe, expect, test } from "vitest";
import { deferred, settled } from "../support/basics.js";

// Effect's declarations name three of the browser's types, which Node has under other names or not at all.
declare global {
  interface CryptoKey extends webcrypto.CryptoKey {}
  interface JsonWebKey extends webcrypto.JsonWebKey {}
  interface Storage {}
}

/** The table's columns, and the package each of them is about. */
const packages = {
  errand: "errand",
  "p-queue 9": "p-queue",
  "p-limit 7": "p-limit",
  "Effect 4": "effect",
  "effection 4": "effection",
} as const;

type Library = keyof typeof packages;
type Experiments = Readonly<Record<Library, () => string | Promise<string>>>;

// ── looking ────────────────────────────────────────────────────────────────

/** Waits in steps of 1 ms. A process that got no processor for a while has lost one step, and work between them runs. */
async function steadily(ms: number): Promise<void> {
  for (let step = 0; step < ms; step += 1) await delay(1);
}

/** Everything that can go on without a further event has gone on: timers of a few milliseconds, then some turns. */
async function quiet(ms = 10): Promise<void> {
  await steadily(ms);
  await settled();
}

type Standing = "fulfilled" | "rejected" | "pending";

/** How a promise stands as soon as it has settled, or after `ms`; marks a rejection as seen. */
async function standing(promise: Promise<unknown>, ms: number): Promise<Standing> {
  const settling = promise.then(
    (): Standing => "fulfilled",
    (): Standing => "rejected",
  );
  return Promise.race([settling, steadily(ms).then((): Standing => "pending")]);
}

/** Whether nested work, of which nothing takes any time, has finished; `isStuck`: the library counts no free slot. */
async function nested(promise: Promise<unknown>, isStuck: () => boolean): Promise<string> {
  const seen = await standing(promise, 100);
  if (seen === "fulfilled") return "yes";
  return seen === "pending" && isStuck() ? "deadlock" : `${seen}, and it is not stuck`;
}

const settlesAtOnce = async (all: Promise<unknown>): Promise<boolean> => (await standing(all, 100)) === "fulfilled";

/** `word` if none of the names tells of such a thing. */
function lacking(word: string, such: RegExp, names: readonly string[]): string {
  const found = names.filter((name) => such.test(name));
  return names.length === 0 || found.length > 0 ? `not "${word}": ${found.join(", ")}` : word;
}

const membersOf = (thing: object): readonly string[] => [
  ...Object.getOwnPropertyNames(thing),
  ...Object.getOwnPropertyNames(Object.getPrototypeOf(thing)),
];

const limiters = /semaphore|limit|permit|mutex|lock|pool|throttle|concurren/i;
const cancels = /cancel|abort|halt|interrupt|signal|stop|kill/i;
const priorities = /priorit/i;
const inboxes = /^(ask|inbox|question|approv|confirm|prompt|answer|human|token)/i;
const retries = /retr|schedule|backoff|attempt/i;

/** Each option there is, or this does not compile. */
const pLimitOptions: Record<keyof limiting.Options, true> = { concurrency: true, rejectOnClear: true };

const names = {
  pQueue: [...Object.keys(queueing), ...membersOf(new PQueue())],
  pLimit: [...Object.keys(limiting), ...Object.getOwnPropertyNames(pLimit(1)), ...Object.keys(pLimitOptions)],
  effectLimiters: [
    ...[Semaphore, PartitionedSemaphore, TxSemaphore].flatMap((module) => Object.keys(module)),
    ...membersOf(Semaphore.makeUnsafe(1)),
    ...membersOf(PartitionedSemaphore.makeUnsafe({ permits: 1 })),
  ],
  effection: [...Object.keys(effection), ...Object.keys(effectionExperimental)],
  errand: Object.keys(errand),
};

/** No name of p-limit speaks of it, and the function gets nothing by which it could hear of it. */
async function pLimitCannotCancel(): Promise<string> {
  const received: unknown[] = [];
  await pLimit(1)((...given: readonly unknown[]) => void received.push(...given));
  return received.length > 0 ? "the work is given something" : lacking("no cancel", cancels, names.pLimit);
}

/** Also `all`, which runs several at once, takes nothing but the operations. */
function effectionCannotLimit(): string {
  return effection.all.length === 1 ? lacking("no limiter", limiters, names.effection) : "all() takes more";
}

// ── the work ───────────────────────────────────────────────────────────────

const why = "the user moved on";

/** Work that goes on until it is told to stop, in the platform's way; told of nothing, for ever. */
function untilAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal?.aborted === true) reject(signal.reason);
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** A slot that is wanted while the cancelled work in it may still be winding down. */
function windingDown() {
  const [clean, begun] = [deferred(), deferred()];
  let ended = false;
  let beganEarly = false;
  return {
    /** Takes as long as the experiment likes to clean up. */
    work: async (signal: AbortSignal | undefined): Promise<void> => {
      try {
        await untilAborted(signal);
      } finally {
        await clean.promise;
        ended = true;
      }
    },
    next: (): void => {
      beganEarly = !ended;
      begun.resolve();
    },
    /** Gives the next in line its chance, lets the work end, and tells whether the slot was kept until then. */
    keptUntilTheEnd: async (): Promise<boolean> => {
      await quiet();
      clean.resolve();
      if ((await standing(begun.promise, 1_000)) === "pending") throw new Error("the slot never came back");
      return !beganEarly;
    },
  };
}

/** One task of low priority behind a hundred of high priority, each of which brings the next one before it ends. */
function crowd(enqueue: (work: () => Promise<void>, priority: number) => void): Promise<string> {
  const ran = deferred<string>();
  let passed = 0;
  let lowRan = false;
  const high = async (): Promise<void> => {
    passed += 1;
    if (passed < 100 && !lowRan) enqueue(high, 1);
    await delay(1);
  };
  const low = async (): Promise<void> => {
    lowRan = true;
    ran.resolve(passed < 100 ? "yes" : "no");
  };
  enqueue(high, 1);
  enqueue(low, 0);
  return ran.promise;
}

type Add = (work: () => unknown) => Promise<unknown>;

/** Whether a limit of one lets another work run while the first waits for a person. */
async function runsBesideAnAsker(add: Add): Promise<boolean> {
  const person = deferred();
  const asker = add(() => person.promise);
  const other = add(() => "ran meanwhile");
  const seen = await standing(other, 50);
  person.resolve();
  await Promise.all([asker, other]);
  return seen === "fulfilled";
}

/** What work finds in its AsyncLocalStorage in its first line, and after somebody else's doing has resumed it. */
const requests = new AsyncLocalStorage<string>();
function keptContext([start, resumed]: readonly unknown[]): string {
  if (start !== "spawner") return "no";
  return resumed === "spawner" ? "yes" : "at first";
}

/** Work that had to wait for the only slot, and then for another's doing. */
async function contextOfQueued(add: Add): Promise<string> {
  const [before, another] = [deferred(), deferred()];
  const seen: unknown[] = [];
  const first = requests.run("before", () => add(() => before.promise));
  const work = requests.run("spawner", () =>
    add(async () => {
      seen.push(requests.getStore());
      await another.promise;
      seen.push(requests.getStore());
    }),
  );
  await quiet();
  requests.run("another", () => before.resolve());
  await first;
  await quiet();
  requests.run("another", () => another.resolve());
  await work;
  return keptContext(seen);
}

/** Work that takes 1 ms a step for ever and reads no signal. */
function steps() {
  let taken = 0;
  return {
    step: async (): Promise<void> => {
      taken += 1;
      await delay(1);
    },
    /** Whether it takes no further step, given some time to take one. */
    haveEnded: async (): Promise<string> => {
      const before = taken;
      await quiet(20);
      if (before === 0) throw new Error("it has not begun");
      return taken === before ? "yes" : "no";
    },
  };
}

/** Fails twice, then succeeds. */
function flaky() {
  let runs = 0;
  return async (): Promise<string> => {
    runs += 1;
    if (runs < 3) throw new Error("not yet");
    return "done";
  };
}

// ── the rows ───────────────────────────────────────────────────────────────

const rows: Readonly<Record<string, Experiments>> = {
  "nested wait with one slot finishes": {
    errand: async () => {
      const manager = new TaskManager({ concurrency: 1 });
      const parent = manager.spawn((ctx) => ctx.spawn(() => "done").result());
      const seen = await nested(parent.result(), () => manager.stats().lanes.default?.free === 0);
      await manager.close();
      return seen;
    },
    "p-queue 9": () => {
      const queue = new PQueue({ concurrency: 1 });
      const parent = queue.add(() => queue.add(() => "done"));
      return nested(parent, () => queue.pending === 1 && queue.size === 1);
    },
    "p-limit 7": () => {
      const limit = pLimit(1);
      const parent = limit(() => limit(() => "done"));
      return nested(parent, () => limit.activeCount === 1 && limit.pendingCount === 1);
    },
    "Effect 4": async () => {
      const semaphore = Semaphore.makeUnsafe(1);
      const child = semaphore.withPermits(1)(Effect.succeed("done"));
      const parent = Effect.runFork(
        semaphore.withPermits(1)(Effect.flatMap(Effect.forkChild(child), (fiber) => Fiber.join(fiber))),
      );
      const isStuck = (): boolean => !Effect.runSync(semaphore.takeIfAvailable(1));
      const seen = await nested(Effect.runPromise(Fiber.join(parent)), isStuck);
      await Effect.runPromise(Fiber.interrupt(parent));
      return seen;
    },
    "effection 4": effectionCannotLimit,
  },

  "cancelling a parent stops its children": {
    errand: async () => {
      const manager = new TaskManager({ concurrency: 2 });
      let stopped = false;
      const child = async ({ signal }: { signal: AbortSignal }) => untilAborted(signal).finally(() => (stopped = true));
      const parent = manager.spawn((ctx) => ctx.spawn(child).result());
      await quiet();
      await parent.cancel();
      await manager.close();
      return stopped ? "yes" : "no";
    },
    "p-queue 9": async () => {
      const stopsChild = async (isHandedOn: boolean): Promise<boolean> => {
        const queue = new PQueue({ concurrency: 2 });
        const controller = new AbortController();
        let stopped = false;
        const child = async ({ signal }: { signal?: AbortSignal | undefined }) =>
          untilAborted(signal).finally(() => (stopped = true));
        const parent = queue.add(({ signal }) => queue.add(child, isHandedOn && signal ? { signal } : {}), {
          signal: controller.signal,
        });
        const ended = standing(parent, 1_000);
        await quiet();
        controller.abort();
        await ended;
        await quiet();
        return stopped;
      };
      if (await stopsChild(false)) return "yes";
      return (await stopsChild(true)) ? "by hand" : "no";
    },
    "p-limit 7": pLimitCannotCancel,
    "Effect 4": async () => {
      let stopped = false;
      const child = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (stopped = true)));
      const parent = Effect.runFork(Effect.flatMap(Effect.forkChild(child), (fiber) => Fiber.join(fiber)));
      await quiet();
      await Effect.runPromise(Fiber.interrupt(parent));
      return stopped ? "yes" : "no";
    },
    "effection 4": async () => {
      let stopped = false;
      const parent = effection.run(function* () {
        yield* yield* effection.spawn(function* () {
          try {
            yield* effection.suspend();
          } finally {
            stopped = true;
          }
        });
      });
      const ended = standing(parent, 1_000);
      await quiet();
      await parent.halt();
      await ended;
      return stopped ? "yes" : "no";
    },
  },

  "the reason of a cancel reaches the work": {
    errand: async () => {
      const manager = new TaskManager();
      let heard: unknown;
      const task = manager.spawn(({ signal }) => untilAborted(signal).catch((reason: unknown) => (heard = reason)));
      await quiet();
      await task.cancel(why);
      await manager.close();
      return heard instanceof TaskCancelledError && heard.reason === why ? "yes" : "no";
    },
    "p-queue 9": async () => {
      const queue = new PQueue();
      const controller = new AbortController();
      let heard: unknown;
      const work = queue.add(({ signal }) => untilAborted(signal).catch((reason: unknown) => (heard = reason)), {
        signal: controller.signal,
      });
      const ended = standing(work, 1_000);
      await quiet();
      controller.abort(why);
      await ended;
      await quiet();
      return heard === why ? "yes" : "no";
    },
    "p-limit 7": pLimitCannotCancel,
    "Effect 4": async () => {
      const Why = Context.Service<string>("test/Why");
      const heard = { bySignal: false, byAnnotation: false };
      const work = Effect.promise((signal) =>
        untilAborted(signal).catch((reason: unknown) => (heard.bySignal = reason === why)),
      ).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            const found = Exit.isFailure(exit) && Context.getOrUndefined(Cause.annotations(exit.cause), Why);
            heard.byAnnotation = found === why;
          }),
        ),
      );
      const fiber = Effect.runFork(work);
      await quiet();
      await Effect.runPromise(Fiber.interruptAs(fiber, undefined, Context.make(Why, why)));
      await quiet();
      if (heard.bySignal) return "yes";
      return heard.byAnnotation ? "as an annotation" : "no";
    },
    "effection 4": async () => {
      let heard: unknown;
      const task = effection.run(function* () {
        const signal = yield* effection.useAbortSignal();
        yield* effection.until(untilAborted(signal).catch((reason: unknown) => (heard = reason)));
      });
      const ended = standing(task, 1_000);
      await quiet();
      const halt: (...given: readonly string[]) => Promise<void> = task.halt.bind(task);
      await halt(why);
      await ended;
      await quiet();
      return heard === why ? "yes" : "no";
    },
  },

  "after a cancel the slot is kept until the work has ended": {
    errand: async () => {
      const isKept = async (graceMs: number): Promise<boolean> => {
        const manager = new TaskManager({ concurrency: 1, graceMs });
        const scene = windingDown();
        const task = manager.spawn(({ signal }) => scene.work(signal));
        await quiet();
        const cancelled = task.cancel();
        manager.spawn(scene.next);
        const kept = await scene.keptUntilTheEnd();
        await cancelled;
        await manager.close();
        return kept;
      };
      if (!(await isKept(5_000))) return "no";
      return (await isKept(1)) ? "yes" : "within its grace";
    },
    "p-queue 9": async () => {
      const queue = new PQueue({ concurrency: 1 });
      const scene = windingDown();
      const controller = new AbortController();
      const ended = standing(
        queue.add(({ signal }) => scene.work(signal), { signal: controller.signal }),
        1_000,
      );
      await quiet();
      controller.abort();
      void queue.add(scene.next);
      const kept = await scene.keptUntilTheEnd();
      await ended;
      return kept ? "yes" : "no";
    },
    "p-limit 7": pLimitCannotCancel,
    "Effect 4": async () => {
      const isKept = async (work: (scene: ReturnType<typeof windingDown>) => Effect.Effect<void>): Promise<boolean> => {
        const semaphore = Semaphore.makeUnsafe(1);
        const scene = windingDown();
        const fiber = Effect.runFork(semaphore.withPermits(1)(work(scene)));
        await quiet();
        const interrupted = Effect.runPromise(Fiber.interrupt(fiber));
        const next = Effect.runPromise(semaphore.withPermits(1)(Effect.sync(scene.next)));
        const kept = await scene.keptUntilTheEnd();
        await Promise.all([interrupted, next]);
        return kept;
      };
      // A finalizer is waited for; a promise gets its signal aborted, and is left behind.
      const finalizer = await isKept((scene) =>
        Effect.onInterrupt(Effect.never, () =>
          Effect.promise(() => scene.work(AbortSignal.abort()).catch(() => undefined)),
        ),
      );
      const promise = await isKept((scene) => Effect.promise((signal) => scene.work(signal).catch(() => undefined)));
      if (finalizer && promise) return "yes";
      return finalizer ? "for effects" : "no";
    },
    "effection 4": effectionCannotLimit,
  },

  "low priority is never starved by high": {
    errand: async () => {
      const manager = new TaskManager({ concurrency: 1, agingMs: 5 });
      const seen = await crowd((work, priority) => void manager.spawn(work, { priority, root: true }));
      await manager.close();
      return seen;
    },
    "p-queue 9": () => {
      const queue = new PQueue({ concurrency: 1 });
      return crowd((work, priority) => void queue.add(work, { priority }));
    },
    "p-limit 7": () => lacking("no priority", priorities, names.pLimit),
    "Effect 4": () => lacking("no priority", priorities, names.effectLimiters),
    "effection 4": effectionCannotLimit,
  },

  "asks a person, and holds no slot meanwhile": {
    errand: async () => {
      const manager = new TaskManager({ concurrency: 1 });
      const asker = manager.spawn((ctx) => ctx.ask({ question: "Which one?", choices: ["this", "that"] }));
      await quiet();
      const [question] = manager.inbox.list();
      const other = await standing(manager.spawn(() => "ran meanwhile").result(), 1_000);
      if (question !== undefined) await manager.inbox.answer(question.id, "that", { by: "ada" });
      const answer = await asker.result();
      await manager.close();
      return other === "fulfilled" && answer === "that" ? "yes" : "no";
    },
    "p-queue 9": async () => {
      const queue = new PQueue({ concurrency: 1 });
      const isFree = await runsBesideAnAsker((work) => queue.add(async () => work()));
      return isFree ? "yes" : lacking("no", inboxes, names.pQueue);
    },
    "p-limit 7": async () => {
      const limit = pLimit(1);
      const isFree = await runsBesideAnAsker((work) => limit(work));
      return isFree ? "yes" : lacking("no", inboxes, names.pLimit);
    },
    "Effect 4": async () => {
      const semaphore = Semaphore.makeUnsafe(1);
      const run = (work: () => unknown): Effect.Effect<unknown> =>
        semaphore.withPermits(1)(Effect.promise(async () => work()));
      if (await runsBesideAnAsker((work) => Effect.runPromise(run(work)))) return "yes";

      // A workflow that waits for the holder of a token is suspended: its run ends, which gives the permit back. The
      // answer runs it again from its top.
      const Approval = DurableDeferred.make("Approval", { success: Schema.Boolean });
      const Publish = Workflow.make("Publish", { payload: {}, success: Schema.Boolean, idempotencyKey: () => "once" });
      const asked = deferred<DurableDeferred.Token>();
      const body = Effect.gen(function* () {
        asked.resolve(yield* DurableDeferred.token(Approval));
        return yield* DurableDeferred.await(Approval);
      });
      const engine = Publish.toLayer(() => semaphore.withPermits(1)(body)).pipe(
        Layer.provideMerge(WorkflowEngine.layerMemory),
      );
      const scene = Effect.gen(function* () {
        const asker = yield* Effect.forkChild(Publish.execute({}));
        const token = yield* Effect.promise(() => asked.promise);
        const other = yield* Effect.promise(() => standing(Effect.runPromise(run(() => "ran meanwhile")), 1_000));
        yield* DurableDeferred.succeed(Approval, { token, value: true });
        return (yield* Fiber.join(asker)) && other === "fulfilled";
      });
      return (await Effect.runPromise(Effect.provide(scene, engine))) ? "in a workflow" : "no";
    },
    "effection 4": () => lacking("no", inboxes, names.effection),
  },

  "works inside the spawner's `AsyncLocalStorage`": {
    errand: async () => {
      const manager = new TaskManager({ concurrency: 1 });
      const before = deferred();
      const seen: unknown[] = [];
      const first = requests.run("before", () => manager.spawn(() => before.promise));
      const task = requests.run("spawner", () =>
        manager.spawn(async (ctx) => {
          seen.push(requests.getStore());
          await ctx.receive();
          seen.push(requests.getStore());
        }),
      );
      await quiet();
      requests.run("another", () => before.resolve());
      await first.outcome();
      await quiet();
      await requests.run("another", () => task.send("go on"));
      await task.result();
      await manager.close();
      return keptContext(seen);
    },
    "p-queue 9": () => {
      const queue = new PQueue({ concurrency: 1 });
      return contextOfQueued((work) => queue.add(async () => work()));
    },
    "p-limit 7": () => contextOfQueued(pLimit(1)),
    "Effect 4": async () => {
      const semaphore = Semaphore.makeUnsafe(1);
      const [before, another] = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()];
      const seen: unknown[] = [];
      const look = Effect.sync(() => void seen.push(requests.getStore()));
      const work = look.pipe(Effect.andThen(Deferred.await(another)), Effect.andThen(look));
      const first = requests.run("before", () => Effect.runPromise(semaphore.withPermits(1)(Deferred.await(before))));
      const forked = Effect.flatMap(Effect.forkChild(semaphore.withPermits(1)(work)), (fiber) => Fiber.join(fiber));
      const task = requests.run("spawner", () => Effect.runPromise(forked));
      await quiet();
      await requests.run("another", () => Effect.runPromise(Deferred.succeed(before, undefined)));
      await first;
      await quiet();
      await requests.run("another", () => Effect.runPromise(Deferred.succeed(another, undefined)));
      await task;
      return keptContext(seen);
    },
    "effection 4": async () => {
      const another = effection.withResolvers<void>();
      const seen: unknown[] = [];
      const task = requests.run("spawner", () =>
        effection.run(function* () {
          yield* yield* effection.spawn(function* () {
            seen.push(requests.getStore());
            yield* another.operation;
            seen.push(requests.getStore());
          });
        }),
      );
      await quiet();
      requests.run("another", () => another.resolve());
      await task;
      return keptContext(seen);
    },
  },

  "stopping leaves no promise pending": {
    errand: async () => {
      const manager = new TaskManager({ concurrency: 1 });
      const results = [1, 2, 3].map(() => manager.spawn(({ signal }) => untilAborted(signal)).result());
      const settle = Promise.allSettled(results);
      await quiet();
      await manager.close();
      return (await settlesAtOnce(settle)) ? "yes" : "no";
    },
    "p-queue 9": async () => {
      const settles = async (isSignalled: boolean): Promise<boolean> => {
        const queue = new PQueue({ concurrency: 1 });
        const running = deferred();
        const controller = new AbortController();
        const options = isSignalled ? { signal: controller.signal } : {};
        const settle = Promise.allSettled([1, 2, 3].map(() => queue.add(() => running.promise, options)));
        await quiet();
        if (isSignalled) controller.abort();
        else queue.clear();
        running.resolve();
        return settlesAtOnce(settle);
      };
      if (await settles(false)) return "yes";
      return (await settles(true)) ? "opt-in" : "no";
    },
    "p-limit 7": async () => {
      const settles = async (rejectOnClear: boolean): Promise<boolean> => {
        const limit = pLimit({ concurrency: 1, rejectOnClear });
        const running = deferred();
        const settle = Promise.allSettled([1, 2, 3].map(() => limit(() => running.promise)));
        await quiet();
        limit.clearQueue();
        running.resolve();
        return settlesAtOnce(settle);
      };
      if (await settles(false)) return "yes";
      return (await settles(true)) ? "opt-in" : "no";
    },
    "Effect 4": async () => {
      const semaphore = Semaphore.makeUnsafe(1);
      const scope = Scope.makeUnsafe();
      const work = semaphore.withPermits(1)(Effect.promise((signal) => untilAborted(signal)));
      const forked = Effect.flatMap(Effect.forkIn(work, scope), (fiber) => Fiber.join(fiber));
      const settle = Promise.allSettled([1, 2, 3].map(() => Effect.runPromise(forked)));
      await quiet();
      await Effect.runPromise(Scope.close(scope, Exit.void));
      return (await settlesAtOnce(settle)) ? "yes" : "no";
    },
    "effection 4": async () => {
      const [scope, destroy] = effection.createScope();
      const settle = Promise.allSettled([1, 2, 3].map(() => scope.run(() => effection.suspend())));
      await quiet();
      await destroy();
      return (await settlesAtOnce(settle)) ? "yes" : "no";
    },
  },

  "stops work that reads no signal, at its next step": {
    errand: async () => {
      const manager = new TaskManager({ graceMs: 5 });
      const { step, haveEnded } = steps();
      let over = false;
      const task = manager.spawn(async () => {
        while (!over) await step();
      });
      await quiet();
      await task.cancel();
      const seen = await haveEnded();
      over = true;
      await manager.close();
      return seen;
    },
    "p-queue 9": async () => {
      const queue = new PQueue();
      const { step, haveEnded } = steps();
      const controller = new AbortController();
      let over = false;
      const work = queue.add(
        async () => {
          while (!over) await step();
        },
        { signal: controller.signal },
      );
      const ended = standing(work, 1_000);
      await quiet();
      controller.abort();
      await ended;
      const seen = await haveEnded();
      over = true;
      return seen;
    },
    "p-limit 7": pLimitCannotCancel,
    "Effect 4": async () => {
      const { step, haveEnded } = steps();
      const fiber = Effect.runFork(Effect.forever(Effect.promise(step)));
      await quiet();
      await Effect.runPromise(Fiber.interrupt(fiber));
      return haveEnded();
    },
    "effection 4": async () => {
      const { step, haveEnded } = steps();
      const task = effection.run(function* () {
        while (true) yield* effection.until(step());
      });
      const ended = standing(task, 1_000);
      await quiet();
      await task.halt();
      await ended;
      return haveEnded();
    },
  },

  "retries by a schedule": {
    errand: async () => {
      const manager = new TaskManager();
      const { status } = await manager.spawn(flaky(), { retry: { maxAttempts: 5, backoffMs: 1 } }).outcome();
      await manager.close();
      return status === "succeeded" ? "yes" : lacking("no", retries, names.errand);
    },
    "p-queue 9": async () => {
      const seen = await standing(new PQueue().add(flaky()), 1_000);
      return seen === "fulfilled" ? "yes" : lacking("no", retries, names.pQueue);
    },
    "p-limit 7": async () => {
      const seen = await standing(pLimit(1)(flaky()), 1_000);
      return seen === "fulfilled" ? "yes" : lacking("no", retries, names.pLimit);
    },
    "Effect 4": async () => {
      const schedule = Schedule.exponential("1 millis").pipe(Schedule.upTo({ times: 3 }));
      const seen = await standing(Effect.runPromise(Effect.retry(Effect.tryPromise(flaky()), schedule)), 1_000);
      return seen === "fulfilled" ? "yes" : "no";
    },
    "effection 4": async () => {
      const work = flaky();
      const seen = await standing(
        effection.run(() => effection.until(work())),
        1_000,
      );
      return seen === "fulfilled" ? "yes" : lacking("no", retries, names.effection);
    },
  },
};

// ── the table ──────────────────────────────────────────────────────────────

const project = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const cellsOf = (line: string): readonly string[] =>
  line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());

function readTable() {
  const section = readFileSync(project("README.md"), "utf8").match(/^## How it compares\n(?<text>[\s\S]*?)\n## /m);
  const lines = section?.groups?.text?.split("\n").filter((line) => line.startsWith("|")) ?? [];
  const [head = "", , ...body] = lines;
  return { columns: cellsOf(head).slice(1), body: body.map(cellsOf) };
}

function versionOf(name: string): string {
  const path = name === packages.errand ? "package.json" : `node_modules/${name}/package.json`;
  const manifest = JSON.parse(readFileSync(project(path), "utf8")) as { readonly version: string };
  return manifest.version;
}

const table = readTable();

const cells = table.body.flatMap(([row = "", ...words]) =>
  table.columns.map((column, index) => ({ row, column, word: words[index] ?? "" })),
);

describe("the table's frame", () => {
  test("its columns are the libraries, each once", () => {
    expect(table.columns).toEqual(Object.keys(packages));
  });

  test("its rows are those with experiments, each once", () => {
    expect(table.body.map(([row]) => row)).toEqual(Object.keys(rows));
  });

  test("every row has a word for every library", () => {
    for (const row of table.body) expect(row.filter((cell) => cell !== "")).toHaveLength(table.columns.length + 1);
  });

  test("the versions it names are those that run here", () => {
    for (const [column, name] of Object.entries(packages)) {
      const [, major] = column.split(" ");
      if (major !== undefined) expect(versionOf(name).split(".")[0], column).toBe(major);
    }
  });
});

describe.concurrent("each cell is what is observed", () => {
  for (const { row, column, word } of cells) {
    test(`${column}, ${row}: ${word}`, async () => {
      const experiment = rows[row]?.[column as Library];
      if (experiment === undefined) throw new Error(`there is no experiment for ${column} in "${row}"`);
      expect(await experiment()).toBe(word);
    });
  }
});
