// Room: whoever is told that there is room spawns, whatever else happens in between (L6).
//
// Producers ask for room and spawn; tasks end, lanes are paused and resumed. No spawn that follows room is refused, and no producer waits while
// there is room.

import { isErrandError, TaskManager } from "errand";
import { countedIds, manualClock } from "errand/testing";
import { array, assert, asyncProperty, constantFrom, integer, oneof, record } from "fast-check";
import { expect, test } from "vitest";
import { type Deferred, deferred, settled } from "../support/basics.js";

const lane = constantFrom("default", "slow");
const happening = oneof(
  { weight: 5, arbitrary: record({ do: constantFrom("produce" as const), lane }) },
  { weight: 3, arbitrary: record({ do: constantFrom("finish" as const), lane }) },
  { weight: 2, arbitrary: record({ do: constantFrom("cancel" as const), lane }) },
  { weight: 1, arbitrary: record({ do: constantFrom("pause" as const, "resume" as const), lane }) },
  { weight: 1, arbitrary: record({ do: constantFrom("give up" as const), lane }) },
);
const bursts = array(array(happening, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 20 });

test("a caller that got room spawns, and no caller waits while there is room", async () => {
  await assert(
    asyncProperty(integer({ min: 0, max: 3 }), integer({ min: 1, max: 2 }), bursts, async (maxQueued, slots, turns) => {
      const manager = new TaskManager({
        concurrency: 3,
        lanes: { default: { concurrency: slots }, slow: { concurrency: 1 } },
        limits: { maxQueued },
        clock: manualClock(),
        ids: countedIds(),
      });
      const gates: Deferred<void>[] = [];
      const seeking = new Map<AbortController, string>();
      const refused: unknown[] = [];
      const produce = async (lane: string): Promise<void> => {
        const giveUp = new AbortController();
        seeking.set(giveUp, lane);
        try {
          await manager.room({ lane, signal: giveUp.signal });
        } catch {
          return;
        } finally {
          seeking.delete(giveUp);
        }
        const gate = deferred();
        try {
          manager.spawn((ctx) => Promise.race([gate.promise, ctx.cancelled()]), { lane });
          gates.push(gate);
        } catch (error) {
          refused.push(error);
        }
      };
      const happen = {
        produce: (lane: string) => void produce(lane),
        finish: () => gates.shift()?.resolve(),
        cancel: (lane: string) => void manager.get(manager.list({ lane, status: "queued" })[0]?.id ?? "none")?.cancel(),
        pause: (lane: string) => manager.pause(lane),
        resume: (lane: string) => manager.resume(lane),
        "give up": () => seeking.keys().next().value?.abort("no more"),
      };
      for (const turn of turns) {
        for (const { do: what, lane } of turn) happen[what](lane);
        await settled();
        // A start that pause took back may stand in line over the bound: those told before it are not to blame.
        expect(refused.filter((error) => !isErrandError(error, "QUEUE_FULL"))).toEqual([]);
        if (!turns.flat().some((each) => each.do === "pause")) expect(refused).toEqual([]);
        const { lanes } = manager.stats();
        const places = maxQueued - Object.values(lanes).reduce((sum, { queued }) => sum + queued, 0);
        expect(places > 0 ? [...seeking.values()] : []).toEqual([]);
      }
    }),
    { numRuns: 300, seed: 20 },
  );
});
