// One process after the other on what the one before it left: a manager on a manual clock and a store that is held by hand.

import type { InboxRequest, TaskEvent, TaskHandle, TaskManagerOptions, TaskOutcome } from "errand";
import { defineKind, StoreUnavailableError, TaskManager } from "errand";
import { type ManualClock, manualClock } from "errand/testing";
import { settled } from "./basics.js";
import { HeldStore } from "./held-store.js";
import { given } from "./program.js";

type Options = Omit<TaskManagerOptions, "clock" | "store">;

export interface Process {
  readonly manager: TaskManager;
  readonly store: HeldStore;
  readonly clock: ManualClock;
  /** Moves the clock and lets everything that follows from it come to rest. */
  readonly pass: (ms: number) => Promise<void>;
  /** kill -9, and `downMs` later the next process, with `options`: default the same. */
  readonly restart: (options?: Options, downMs?: number) => Promise<Process>;
}

export async function started(options: Options = {}, store = new HeldStore(), at = 1_000): Promise<Process> {
  const clock = manualClock(at);
  const manager = await TaskManager.open({ ...options, clock, store });
  return {
    manager,
    store,
    clock,
    async pass(ms) {
      await clock.advance(ms);
      await settled();
    },
    restart: (next = options, downMs = 1_000) => started(next, store.crash(), clock.now() + downMs),
  };
}

/** The task, which the process must know. */
export function task(process: Process, id: string): TaskHandle {
  return given(process.manager.get(id), `a task ${id}`);
}

export function outcome(process: Process, id: string): Promise<TaskOutcome> {
  return task(process, id).outcome();
}

/** The one open request. */
export function request({ manager }: Process): InboxRequest {
  const open = manager.inbox.list();
  if (open.length !== 1) throw new Error(`expected one open request, got ${open.length}`);
  return given(open[0]);
}

/** A kind that a restart goes on with, whose attempts do as `run` says. */
export function durable<T>(
  run: Parameters<typeof defineKind<T, { readonly n: number } | undefined>>[0]["run"],
  more: Partial<Parameters<typeof defineKind<T, { readonly n: number } | undefined>>[0]> = {},
) {
  return defineKind<T, { readonly n: number } | undefined>({ name: "durable", canReattach: () => true, ...more, run });
}

/** Makes the manager hand the store a snapshot: its store says that it needs one. */
export async function compacted({ store, manager, pass }: Process): Promise<void> {
  store.failure = new StoreUnavailableError("a snapshot is needed", { needsSnapshot: true });
  const before = store.compactions;
  manager.spawn(() => "compact", { root: true });
  await settled();
  store.failure = undefined;
  // A retry comes after 100 ms.
  await pass(100);
  if (store.compactions !== before + 1) throw new Error("expected one snapshot");
}

/** The first `count` of a stream. */
export async function take<T>(stream: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  if (count === 0) return taken;
  for await (const item of stream) {
    taken.push(item);
    if (taken.length === count) break;
  }
  return taken;
}

/** The `seq` of each, and that there is no gap. */
export function gapless(events: readonly TaskEvent[]): number[] {
  const seqs = events.map(({ seq }) => seq);
  for (const [index, seq] of seqs.entries()) {
    if (index > 0 && seq !== (seqs[index - 1] ?? 0) + 1) throw new Error(`${seqs[index - 1]} is followed by ${seq}`);
  }
  return seqs;
}
