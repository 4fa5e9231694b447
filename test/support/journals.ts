// Journals for the command to look at, made by real managers on a clock that stands, with counted ids.

import { defineKind, TaskManager, type TaskManagerOptions } from "errand";
import { fileStore } from "errand/stores/file";
import { countedIds, type ManualClock, manualClock } from "errand/testing";
import { expect, onTestFinished } from "vitest";
import { place } from "./place.js";

export const STARTED_AT = Date.parse("2026-01-02T03:04:05Z");
const MINUTE = 60_000;

export interface Kept {
  readonly directory: string;
  readonly manager: TaskManager;
  readonly clock: ManualClock;
}

/** Closed when the test is over. */
export async function keep(options: TaskManagerOptions = {}): Promise<Kept> {
  const directory = await place();
  const clock = manualClock(STARTED_AT);
  const manager = await TaskManager.open({ store: fileStore(directory), clock, ids: countedIds(), ...options });
  onTestFinished(async () => {
    const closing = manager.close({ graceMs: 0 });
    await clock.advance(MINUTE);
    await closing;
  });
  return { directory, manager, clock };
}

export const crawl = defineKind({
  name: "crawl",
  run: async (ctx, { site }: { site: string }) => {
    ctx.progress({ current: 2, total: 3, unit: "pages" });
    ctx.reportUsage({ inputTokens: 12_300, outputTokens: 450, costUsd: 0.0312 });
    await ctx.checkpoint("page 2");
    await ctx.post(`half of ${site}`);
    const more = await ctx.receive();
    return { site, more: more?.content ?? [] };
  },
});

/** Three minutes in, a family with a task of nearly every fate. All of it is stored. */
export async function family(): Promise<Kept> {
  const kept = await keep({ kinds: [crawl], lanes: { narrow: { concurrency: 1 } } });
  const { manager, clock } = kept;
  manager.spawn(
    async (ctx) => {
      const page = ctx.spawn(crawl, { input: { site: "example.org" }, title: "example.org", tags: ["page"] });
      const broken = ctx.spawn(() => Promise.reject(new RangeError("no such host\nexample.invalid")), { title: "dns" });
      const ask = ctx.spawn((child) => child.approve("Publish it?", { timeoutMs: 10 * MINUTE }), { name: "publisher" });
      ctx.spawn((child) => child.sleep(5 * MINUTE), { title: "nap" });
      ctx.spawn((child) => child.cancelled(), { lane: "narrow", title: "hold" });
      ctx.spawn(() => "never", { lane: "narrow", title: "in line" });
      await broken.outcome();
      await ctx.awaitTasks([page, ask]);
    },
    { title: "Nightly build", agent: "lead" },
  );
  await expect.poll(() => manager.inbox.list().length).toBe(1);
  await expect.poll(() => manager.list({ status: "blocked" }).length).toBe(4);
  await clock.advance(MINUTE);
  const done = manager.spawn(() => ({ pages: 3 }), { title: "quick" });
  await done.result();
  await manager.spawn((ctx) => ctx.cancelled(), { title: "stopped" }).cancel("not needed");
  await clock.advance(2 * MINUTE);
  return kept;
}
