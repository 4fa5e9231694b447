// Any program on a lane with rates starts what the model starts, at the same instants, in the same order (L4, L6, L7, L10).

import { type SpawnOptions, type TaskContext, type TaskHandle, TaskManager } from "errand";
import { countedIds, type ManualClock, manualClock } from "errand/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deferred, settled } from "../support/basics.js";
import { HeldStore } from "../support/held-store.js";
import { type Bounds, RateModel, type Window } from "./model-rate.js";

type Step =
  | { readonly do: "spawn"; readonly key: string | undefined; readonly tokens: number; readonly isLong: boolean }
  | { readonly do: "cancel" | "end"; readonly job: number }
  | { readonly do: "report"; readonly job: number; readonly tokens: number }
  | { readonly do: "pause"; readonly forMs: number | undefined }
  | { readonly do: "resume" | "commit" | "settle" }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "set"; readonly bounds: Bounds };

const window = fc.record<Window>({
  limit: fc.integer({ min: 1, max: 4 }),
  periodMs: fc.constantFrom(40, 100, 250),
  unit: fc.constantFrom("starts", "tokens"),
});
/** Holds nobody back, and knows every start for longer than any other window: new windows count what the old ones knew. */
const LONG: Window = { limit: 1_000, periodMs: 1_000, unit: "starts" };
const bounds = fc.record<Bounds>({
  concurrency: fc.integer({ min: 1, max: 6 }),
  rate: fc.array(window, { maxLength: 2 }).map((windows) => [...windows, LONG]),
  keyConcurrency: fc.constantFrom(1, 2, Number.POSITIVE_INFINITY),
  keyRate: fc.array(window, { maxLength: 1 }).map((windows) => [...windows, LONG]),
});
const job = fc.nat({ max: 25 });
const spawn = fc.record({
  do: fc.constant("spawn" as const),
  key: fc.constantFrom(undefined, "a", "b"),
  // No more than the least limit: a larger one is refused.
  tokens: fc.constantFrom(0, 1),
  isLong: fc.boolean(),
});
const advance = fc.record({ do: fc.constant("advance" as const), ms: fc.constantFrom(1, 30, 40, 60, 100, 170) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: spawn },
  { weight: 5, arbitrary: advance },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("cancel" as const, "end" as const), job }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("settle" as const, "commit" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("report" as const), job, tokens: fc.integer({ min: 0, max: 5 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("pause" as const), forMs: fc.constantFrom(undefined, 25, 90) }) },
  { weight: 1, arbitrary: fc.constant({ do: "resume" } as const) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("set" as const), bounds }) },
);

/** The same program on a manager. */
class Played {
  readonly starts: string[] = [];
  readonly #manager: TaskManager;
  readonly #clock: ManualClock;
  readonly #store: HeldStore | undefined;
  readonly #handles: TaskHandle<void>[] = [];
  readonly #running = new Map<number, { readonly ctx: TaskContext; readonly end: () => void }>();

  static async open({ concurrency, rate, keyConcurrency, keyRate }: Bounds, isStored: boolean): Promise<Played> {
    const clock = manualClock();
    const store = isStored ? new HeldStore() : undefined;
    const perKey = { concurrency: keyConcurrency, rate: keyRate };
    const manager = await TaskManager.open({
      clock,
      ids: countedIds(),
      retention: { ttlMs: Number.POSITIVE_INFINITY },
      lanes: { rated: { concurrency, rate, perKey } },
      ...(store === undefined ? {} : { store }),
    });
    store?.hold();
    return new Played(manager, clock, store);
  }

  constructor(manager: TaskManager, clock: ManualClock, store: HeldStore | undefined) {
    this.#manager = manager;
    this.#clock = clock;
    this.#store = store;
  }

  /** A promise when it goes on until everything is quiet; else it is one call of the same turn. */
  play(step: Step): void | Promise<void> {
    switch (step.do) {
      case "spawn":
        return this.#spawn(step);
      case "cancel":
        if (!this.#running.has(step.job)) void this.#handles[step.job]?.cancel();
        return;
      case "end":
        return settled().then(() => {
          this.#running.get(step.job)?.end();
          return settled();
        });
      case "report":
        this.#running.get(step.job)?.ctx.reportUsage({ inputTokens: step.tokens });
        return;
      case "pause":
        if (step.forMs === undefined) this.#manager.pause("rated");
        else this.#manager.pause("rated", { untilAt: this.#clock.now() + step.forMs });
        return;
      case "resume":
        return this.#manager.resume("rated");
      case "commit":
        return this.commit();
      case "settle":
        return settled();
      case "advance":
        return this.#clock.advance(step.ms);
      case "set": {
        const { concurrency, rate, keyConcurrency, keyRate } = step.bounds;
        const perKey = { concurrency: keyConcurrency, rate: keyRate };
        return this.#manager.setLane("rated", { concurrency, rate, perKey });
      }
    }
  }

  #spawn({ key, tokens, isLong }: Extract<Step, { do: "spawn" }>): void {
    const index = this.#handles.length;
    const options: SpawnOptions = { lane: "rated", laneKey: key, weight: { tokens } };
    const run = async (ctx: TaskContext): Promise<void> => {
      this.starts.push(`${index} at ${this.#clock.now()}`);
      if (!isLong) return;
      const { promise, resolve } = deferred();
      this.#running.set(index, { ctx, end: resolve });
      await promise;
      this.#running.delete(index);
    };
    this.#handles.push(this.#manager.spawn(run, options));
  }

  /** Spawns that were stored together, one commit after the other. */
  readonly commits: string[][] = [];

  async commit(): Promise<void> {
    await settled();
    while (this.#store !== undefined && this.#store.held.length > 0) {
      const spawned = this.#store.held.filter(({ type }) => type === "task.created").map(({ taskId }) => taskId);
      this.commits.push(spawned.map((id) => `${this.#handles.findIndex((handle) => handle.id === id)}`));
      this.#store.release();
      await settled();
    }
  }

  get queued(): number {
    return this.#manager.stats().queued;
  }

  async close(): Promise<void> {
    if (this.#store !== undefined) this.#store.isOpen = true;
    if (this.#store !== undefined && this.#store.held.length > 0) this.#store.release();
    const closed = this.#manager.close({ graceMs: 0 });
    await this.#clock.advance(1);
    await closed;
  }
}

function model(model: RateModel, step: Step): void {
  switch (step.do) {
    case "spawn":
      return model.spawn(`${model.jobs.length}`, step);
    case "cancel":
      return model.cancel(`${step.job}`);
    case "end":
      // Its function goes on in a later microtask than those that start in this turn.
      model.settle();
      model.end(`${step.job}`);
      return model.settle();
    case "report":
      return model.report(`${step.job}`, step.tokens);
    case "pause":
      return model.pause(step.forMs === undefined ? Number.POSITIVE_INFINITY : model.now + step.forMs);
    case "resume":
      return model.resume();
    case "settle":
    case "commit":
      return model.settle();
    case "advance":
      model.settle();
      return model.advance(step.ms);
    case "set":
      return model.change(step.bounds);
  }
}

async function compare(first: Bounds, steps: readonly Step[], isStored: boolean): Promise<void> {
  const played = await Played.open(first, isStored);
  const expected = new RateModel(first, !isStored);
  try {
    for (const each of steps) {
      const quiet = played.play(each);
      model(expected, each);
      if (quiet === undefined) continue;
      await quiet;
      for (const names of played.commits.splice(0)) {
        expected.stored(names);
        expected.settle();
      }
      const starts = expected.starts.map(({ job: { name }, at }) => `${name} at ${at}`);
      expect([played.starts, played.queued]).toEqual([starts, expected.queued]);
    }
  } finally {
    await played.close();
  }
}

describe.each([
  ["in memory", false],
  ["with a store that commits late", true],
] as const)("%s", (_, isStored) => {
  test("L7 L6 L10 exactly what the windows allow starts, at the instant at which they allow it, in the order of the line", async () => {
    await fc.assert(
      fc.asyncProperty(bounds, fc.array(step, { minLength: 4, maxLength: 40, size: "max" }), async (first, steps) =>
        compare(first, [...steps, { do: "commit" }, { do: "advance", ms: 1_000 }], isStored),
      ),
      { numRuns: 200 },
    );
  }, 120_000);
});
