// Map: one child for each item, so many at a time, whatever each of them does (§8, L2, H1, H2).
//
// Items end in any order and any way, while the mapping task may be cancelled or the mapping given up. What may be seen from outside is
// held to what `ctx.map` promises.

import { isErrandError, TaskManager, type TaskRecord } from "errand";
import { countedIds, manualClock } from "errand/testing";
import { array, assert, asyncProperty, constantFrom, integer, nat, oneof, record } from "fast-check";
import { expect, test } from "vitest";
import { allFree, type Deferred, deferred, settled } from "../support/basics.js";
import { isTerminal } from "../support/program.js";

const happening = oneof(
  { weight: 6, arbitrary: record({ do: constantFrom("return" as const), at: nat({ max: 5 }) }) },
  {
    weight: 2,
    arbitrary: record({ do: constantFrom("throw" as const, "cancel child" as const), at: nat({ max: 5 }) }),
  },
  { weight: 1, arbitrary: record({ do: constantFrom("cancel" as const, "abort" as const), at: nat() }) },
);
const turns = array(array(happening, { minLength: 1, maxLength: 3 }), { maxLength: 10 });

test("map keeps to its concurrency, its order and its first failure, and leaves no child behind", async () => {
  await assert(
    asyncProperty(
      nat({ max: 6 }),
      integer({ min: 1, max: 3 }),
      integer({ min: 1, max: 2 }),
      turns,
      async (count, most, slots, all) => {
        const manager = new TaskManager({ concurrency: slots, graceMs: 10, clock: manualClock(), ids: countedIds() });
        const giveUp = new AbortController();
        const begun: number[] = [];
        const open = new Map<number, Deferred<number>>();
        let result: unknown = "pending";
        const mapper = manager.spawn(async (ctx) => {
          const items = Array.from({ length: count }, (_, item) => item);
          const work = async (child: typeof ctx, item: number): Promise<number> => {
            begun.push(item);
            const gate = deferred<number>();
            open.set(item, gate);
            child.signal.addEventListener("abort", () => gate.reject(child.signal.reason), { once: true });
            return gate.promise;
          };
          await ctx.map(items, work, { concurrency: most, signal: giveUp.signal }).then(
            (values) => (result = values),
            (error: unknown) => (result = error),
          );
        });
        const children = (): readonly TaskRecord[] => manager.list({ parentId: mapper.id });
        const living = (): readonly TaskRecord[] => children().filter(({ status }) => !isTerminal(status));
        const failed = (): boolean => children().some(({ status }) => status === "failed" || status === "cancelled");
        let spawnedAtEnd: number | undefined;

        const check = async (): Promise<void> => {
          await settled();
          expect(living().length).toBeLessThanOrEqual(most);
          // Items begin in order of their places, and none twice.
          expect([...begun].sort((a, b) => a - b)).toEqual(begun);
          const isBack = mapper.record.blockedOn.some(({ on }) => on === "slot");
          // W4: a failure is reported when those that it stopped have ended.
          const hasFailed = failed() && living().length === 0;
          if (result === "pending") expect(!isBack && (hasFailed || giveUp.signal.aborted)).toBe(false);
          else spawnedAtEnd ??= children().length;
          // Over is over: nothing is spawned any more.
          if (spawnedAtEnd !== undefined) expect(children().length).toBe(spawnedAtEnd);
          if (isTerminal(mapper.status)) expect(living()).toEqual([]);
          expect(manager.stats().lanes["default"]?.held).toBeLessThanOrEqual(slots);
        };

        await check();
        for (const turn of all) {
          for (const { do: what, at } of turn) {
            const item = [...open.keys()][at % Math.max(1, open.size)];
            const gate = item === undefined ? undefined : open.get(item);
            if (what === "cancel") void mapper.cancel("enough");
            else if (what === "abort") giveUp.abort("given up");
            else if (what === "cancel child") void manager.get(living()[0]?.id ?? "none")?.cancel();
            else if (what === "throw") gate?.reject(new Error("out of paper"));
            else gate?.resolve(item ?? 0);
            if (item !== undefined && (what === "return" || what === "throw")) open.delete(item);
          }
          await check();
        }
        for (let left = count; left >= 0; left--) {
          for (const [item, gate] of open) gate.resolve(item);
          open.clear();
          await check();
        }
        const isStopped = mapper.record.stopReason !== undefined;
        if (Array.isArray(result)) expect(result).toEqual(Array.from({ length: count }, (_, item) => item));
        else if (isErrandError(result, "TASK_CANCELLED")) expect(isStopped).toBe(true);
        else if (isErrandError(result, "TASK_OUTCOME")) expect(failed()).toBe(true);
        else
          expect(result === "pending" ? mapper.record.startedAt : result).toBe(
            result === "pending" ? undefined : "given up",
          );
        expect(isTerminal(mapper.status)).toBe(true);
        allFree(manager);
      },
    ),
    { numRuns: 300, seed: 20 },
  );
});
