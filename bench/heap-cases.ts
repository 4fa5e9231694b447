// Heap cases: so many tasks that are queued, running or finished, to be weighed by spawn.ts: errand's and those written by hand.
import { TaskManager } from "errand";
import PQueue from "p-queue";
import { ByHand, onPLimit, onPQueue, type Pool } from "./by-hand.js";
import { gate } from "./gate.js";
import type { HeapCase } from "./interleave.js";
import { usualWorld, type World } from "./world.js";

const states = ["queued", "running", "finished"] as const;
type State = (typeof states)[number];

/** Queued: behind one that stays. Running: all, on one promise they share. Finished: results unread, records kept. */
function slotsFor(state: State, n: number): number {
  return state === "queued" ? 1 : n;
}
function heapOfPQueue(state: State, n: number): HeapCase[] {
  if (state === "finished") return [];
  return [
    {
      name: `p-queue, ${state}`,
      units: n,
      build: async () => {
        const { closed, open } = gate();
        const queue = new PQueue({ concurrency: slotsFor(state, n) });
        const job = (): Promise<number> => closed;
        for (let added = 0; added < n; added += 1) void queue.add(job);
        return {
          held: queue,
          release: async () => {
            open();
            await queue.onIdle();
          },
        };
      },
    },
  ];
}
function heapByHand(name: string, pool: (concurrency: number) => Pool, state: State, n: number): HeapCase {
  return {
    name: `${name}, ${state}`,
    units: n,
    build: async () => {
      const { closed, open } = gate();
      const hand = new ByHand(pool(slotsFor(state, n)));
      const job = (): Promise<number> => closed;
      for (let spawned = 0; spawned < n; spawned += 1) hand.spawn(job);
      const ended = async (): Promise<void> => {
        open();
        for (const { done } of hand.tasks.values()) await done;
      };
      if (state === "finished") await ended();
      return { held: hand, release: ended };
    },
  };
}
function heapOfErrand(world: World, keepHandles: boolean, state: State, n: number): HeapCase {
  return {
    name: `${keepHandles ? "errand with handles" : "errand"}, ${state}`,
    units: n,
    build: async () => {
      const { closed, open } = gate();
      const manager = new TaskManager({
        concurrency: slotsFor(state, n),
        ambient: world === usualWorld,
        limits: { maxQueued: n },
        retention: { maxFinished: n },
      });
      const job = (): Promise<number> => closed;
      const handles: unknown[] = [];
      for (let spawned = 0; spawned < n; spawned += 1) {
        const handle = manager.spawn(job);
        if (keepHandles) handles.push(handle);
      }
      if (state === "finished") {
        open();
        await manager.idle();
      }
      const release = async (): Promise<void> => {
        open();
        await manager.idle();
        await manager.close();
      };
      return { held: { manager, handles }, release };
    },
  };
}
/** All of them: `n` tasks each. */
export function heapCases(world: World, n: number): HeapCase[] {
  return states.flatMap((state) => [
    ...heapOfPQueue(state, n),
    heapByHand("by hand on p-queue", onPQueue, state, n),
    heapByHand("by hand on p-limit", onPLimit, state, n),
    heapOfErrand(world, false, state, n),
    heapOfErrand(world, true, state, n),
  ]);
}
