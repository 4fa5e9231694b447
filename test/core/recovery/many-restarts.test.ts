// Any number of crashes (D4, H7): whatever families do, and wherever each process ends, the next one goes on with a state that keeps the rules.

import type { TaskContext, TaskEvent, TaskHandle, TaskRecord } from "errand";
import { viewStore } from "errand";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { settled } from "../../support/basics.js";
import { deaf, isEnd, isTerminal, untilStopped } from "../../support/program.js";
import { compacted, durable, type Process, started } from "../../support/restarts.js";

type Step =
  | { readonly do: "spawn"; readonly going: boolean; readonly keyed: boolean }
  | {
      readonly do: "child";
      readonly at: number;
      readonly going: boolean;
      readonly keyed: boolean;
      readonly detached: boolean;
    }
  | { readonly do: "cancel" | "finish" | "fail" | "write" | "answer"; readonly at: number }
  | { readonly do: "turn" | "hold" | "release" | "compact" | "crash" | "close" };

const at = fc.nat({ max: 12 });
const going = fc.boolean();
const keyed = fc.boolean();
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("spawn" as const), going, keyed }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("child" as const), at, going, keyed, detached: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("cancel" as const, "finish" as const, "fail" as const, "write" as const, "answer" as const),
      at,
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("turn" as const, "hold" as const, "release" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("crash" as const, "crash" as const, "close" as const, "compact" as const),
    }),
  },
);

class Life {
  process: Process | undefined;
  #contexts: { readonly ctx: TaskContext; readonly end: (how: "finish" | "fail") => void }[] = [];
  #made = 0;
  /** By task: processes that died while its function ran. */
  readonly #deaths = new Map<string, number>();
  readonly #kind = durable(
    (ctx, input) => {
      if (input?.n === 0) return ctx.ask({ question: "Which?", key: "which" });
      return new Promise((resolve, reject) => {
        this.#contexts.push({ ctx, end: (how) => (how === "finish" ? resolve("done") : reject(new Error("failed"))) });
        untilStopped(ctx).catch(reject);
      });
    },
    { retry: { maxAttempts: 3 } },
  );
  readonly options = { kinds: [this.#kind], concurrency: 4, graceMs: 20, limits: { maxDepth: 4 } };

  async take(step: Step): Promise<void> {
    const process = this.process ?? (await started(this.options));
    this.process = process;
    const { manager, store } = process;
    switch (step.do) {
      case "spawn":
        this.#spawn(manager, step.going, step.keyed, false);
        return;
      case "child": {
        const parent = this.#contexts[step.at]?.ctx;
        if (parent !== undefined) this.#spawn(parent, step.going, step.keyed, step.detached);
        return;
      }
      case "cancel": {
        const record: TaskRecord | undefined = manager.list()[step.at];
        if (record !== undefined)
          void manager
            .get(record.id)
            ?.cancel("enough")
            .catch(() => undefined);
        return;
      }
      case "finish":
      case "fail":
        this.#contexts[step.at]?.end(step.do);
        return;
      case "write":
        this.#contexts[step.at]?.ctx.reportUsage({ inputTokens: 1 });
        return;
      case "answer": {
        const [asked] = manager.inbox.list();
        if (asked !== undefined) manager.inbox.answer(asked.id, "this", { by: "ann" }).catch(() => undefined);
        return;
      }
      case "turn":
        return settled(2);
      case "hold":
        return store.hold();
      case "release":
        return store.letThrough();
      case "compact":
        store.letThrough();
        await process.pass(0);
        return compacted(process);
      case "close": {
        store.letThrough();
        const closing = manager.close();
        await process.pass(20);
        await closing;
        return this.#next(process);
      }
      case "crash":
        return this.#next(process);
    }
  }

  async #next(process: Process): Promise<void> {
    this.#contexts = [];
    const left = await viewStore(process.store.crash());
    this.process = await process.restart(this.options, 100);
    keepsTheRules(this.process, left.list(), this.#deaths);
    await settled();
  }

  #spawn(owner: { spawn: Process["manager"]["spawn"] }, going: boolean, keyed: boolean, detached: boolean): void {
    this.#made++;
    const options = { ...(keyed ? { id: `id-${this.#made}` } : {}), detached };
    try {
      const handle: TaskHandle = going
        ? owner.spawn(this.#kind, { ...options, input: { n: this.#made % 3 } })
        : owner.spawn((ctx) => {
            this.#contexts.push({ ctx, end: () => undefined });
            return deaf();
          }, options);
      void handle.stored().catch(() => undefined);
    } catch {
      // Its parent is over, or too deep.
    }
  }
}

/** What holds of every process when it has opened; `left` is what it found. */
function keepsTheRules(
  { manager, store, clock }: Process,
  left: readonly TaskRecord[],
  deaths: Map<string, number>,
): void {
  for (const { id, status, stopReason } of left)
    if (status === "running" && stopReason === undefined) deaths.set(id, (deaths.get(id) ?? 0) + 1);
  const records = new Map(manager.list().map((record) => [record.id, record]));
  const events: readonly TaskEvent[] = store.kept;
  for (const [index, { seq }] of events.entries()) if (index > 0) expect(seq).toBe((events[index - 1]?.seq ?? 0) + 1);
  for (const record of records.values()) {
    const parent = record.parentId === undefined ? undefined : records.get(record.parentId);
    // H1: a terminal task has no living attached child.
    if (parent !== undefined && isTerminal(parent.status) && !record.detached)
      expect(isTerminal(record.status)).toBe(true);
    // D4: what lives goes on, as a kind, and starts anew.
    if (!isTerminal(record.status))
      expect([record.kind, record.status, record.blockedOn]).toEqual(["durable", "queued", []]);
    // Only failures, and deaths while the function ran, use up attempts.
    const own = events.filter(({ taskId }) => taskId === record.id);
    expect(own.filter(isEnd).length).toBeLessThanOrEqual(1);
    const used = own.filter(({ type }) => type === "task.retried").length + (deaths.get(record.id) ?? 0);
    if (!isTerminal(record.status)) expect(used).toBeLessThan(3);
  }
  for (const before of left) {
    const now = records.get(before.id);
    expect(now).toBeDefined();
    if (now === undefined) continue;
    // S1: what was over is as it was.
    if (isTerminal(before.status)) expect(now).toEqual({ ...before, usage: now.usage });
    // One in the pause before its next attempt has that one before it still.
    else if (!isTerminal(now.status))
      expect(now.attempt).toBe(before.attempt + ((before.notBeforeAt ?? 0) > clock.now() ? 0 : 1));
    // S5: a stop that was asked for before is carried out.
    if (!isTerminal(before.status) && before.stopReason === "cancel") expect(isTerminal(now.status)).toBe(true);
    expect(now.usage).toEqual(before.usage);
  }
  for (const { taskId, key, status } of manager.inbox.list()) {
    expect([isTerminal(records.get(taskId)?.status ?? "failed"), key, status]).toEqual([false, "which", "open"]);
  }
}

describe("D4 H7 crash after crash", () => {
  test("each process finds the rules kept, and in the end everything is over once", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: "max" }), async (steps) => {
        const life = new Life();
        for (const step of steps) await life.take(step);
        await life.take({ do: "crash" });
        const { process } = life;
        if (process === undefined) return;
        const { manager, store, pass } = process;
        void manager.cancelAll();
        await pass(20);
        await manager.idle();
        expect(manager.list().every(({ status }) => isTerminal(status))).toBe(true);
        expect(manager.inbox.list()).toEqual([]);
        expect(manager.stats()).toMatchObject({ queued: 0, running: 0, blocked: 0 });
        const view = await viewStore(store);
        expect(view.list()).toEqual(manager.list());
        await manager.close();
      }),
      { numRuns: 50 },
    );
  });
});
