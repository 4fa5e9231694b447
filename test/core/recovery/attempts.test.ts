// What uses up an attempt (D4, §10): a failure, and a process that died while the function ran; nothing else.

import { setImmediate } from "node:timers/promises";
import { defineKind, TaskManager } from "errand";
import { manualClock, memoryStore } from "errand/testing";
import { describe, expect, test } from "vitest";
import { settled } from "../../support/basics.js";
import { deaf, given, untilStopped } from "../../support/program.js";
import { compacted, durable, outcome, started, task } from "../../support/restarts.js";

const EVEN = { backoffMs: 100, factor: 1, jitter: false } as const;
const fails = (): never => {
  throw new Error("no");
};

describe("D4 no attempt is used up", () => {
  test("by a process that died while the task was blocked, queued or parked, or in the pause of a retry", async () => {
    const blocked = durable((ctx) => ctx.approve("Go?", { key: "go" }), { name: "blocked", retry: { maxAttempts: 1 } });
    const retried = durable((ctx) => (ctx.attempt === 1 ? fails() : deaf()), {
      name: "retried",
      retry: { ...EVEN, maxAttempts: 2, backoffMs: 1e9 },
    });
    const queued = durable(deaf, { name: "queued", retry: { maxAttempts: 1 }, lane: "shut" });
    const kinds = [blocked, retried, queued];
    const options = { kinds, lanes: { shut: { concurrency: 1 } }, retention: { ttlMs: Number.POSITIVE_INFINITY } };
    let process = await started(options);
    process.manager.pause("shut");
    for (const kind of kinds) process.manager.spawn(kind, { id: kind.name });
    for (let death = 0; death < 6; death++) {
      await settled();
      const all = process.manager.list().flatMap(({ id, kind, status }) => (kind === undefined ? [] : [[id, status]]));
      expect(Object.fromEntries(all)).toEqual({ blocked: "blocked", retried: "queued", queued: "queued" });
      if (death % 2 === 1) await compacted(process);
      // Every third one knows no kind.
      process = await process.restart(death % 3 === 2 ? { lanes: options.lanes } : options, 10);
      process.manager.pause("shut");
    }
  });

  test("by a close, whose functions ignored the grace or not", async () => {
    const kind = durable(deaf, { retry: { maxAttempts: 1 } });
    let process = await started({ kinds: [kind], graceMs: 20 });
    const { id } = process.manager.spawn(kind);
    for (let deploy = 0; deploy < 4; deploy++) {
      await settled();
      expect(task(process, id).status).toBe("running");
      const closing = process.manager.close();
      await process.pass(20);
      await closing;
      process = await process.restart();
    }
  });

  test("by a process that was killed after its close had begun", async () => {
    const kind = durable(deaf, { retry: { maxAttempts: 1 } });
    const first = await started({ kinds: [kind], graceMs: 1e6 });
    const { id } = first.manager.spawn(kind);
    await settled();
    void first.manager.close();
    await settled();
    const second = await first.restart();
    expect(task(second, id).status).toBe("queued");
  });

  test("so a failure after many deploys is tried again as often, and after as long, as without them", async () => {
    const asked: number[] = [];
    const kind = durable((ctx) => (ctx.attempt > 5 ? fails() : deaf()), {
      retry: { ...EVEN, factor: 2, maxAttempts: 3, retryIf: (_, attempt) => asked.push(attempt) > 0 },
    });
    let process = await started({ kinds: [kind], graceMs: 20 });
    const { id } = process.manager.spawn(kind);
    for (let deploy = 0; deploy < 5; deploy++) {
      await settled();
      const closing = process.manager.close();
      await process.pass(20);
      await closing;
      process = await process.restart();
    }
    await settled();
    expect(given(task(process, id).record.notBeforeAt)).toBe(process.clock.now() + 100);
    await process.pass(100);
    expect(given(task(process, id).record.notBeforeAt)).toBe(process.clock.now() + 200);
    await process.pass(200);
    expect([asked, task(process, id).status]).toEqual([[1, 2], "failed"]);
  });
});

describe("D4 §10 an attempt is used up", () => {
  test("by each process that died while the function ran: without `retry` the third one is the last, and the record says so", async () => {
    const warnings: string[] = [];
    const logger = { warn: (message: string) => void warnings.push(message), error: () => undefined };
    const kind = durable(deaf);
    let process = await started({ kinds: [kind], logger });
    const { id } = process.manager.spawn(kind);
    let deaths = 0;
    for (; task(process, id).record.finishedAt === undefined; deaths++) {
      await settled();
      if (deaths === 1) await compacted(process);
      process = await process.restart();
    }
    expect(deaths).toBe(3);
    expect(await outcome(process, id)).toMatchObject({
      status: "interrupted",
      reason: "process_lost",
      attemptsUsed: 3,
    });
    expect(task(process, id).record.reason).toBe("process_lost: its attempts are used up (3)");
    await setImmediate();
    expect(warnings.filter((warning) => warning.includes(id))).toEqual([expect.stringMatching(/used up/)]);
    // And so it is read again.
    expect(await outcome(await process.restart(), id)).toMatchObject({ attemptsUsed: 3 });
  });

  test("by failures and deaths together, as `retry.maxAttempts` says", async () => {
    const kind = durable((ctx) => (ctx.attempt === 1 ? fails() : deaf()), { retry: { ...EVEN, maxAttempts: 3 } });
    let process = await started({ kinds: [kind] });
    const { id } = process.manager.spawn(kind);
    await settled();
    await process.pass(100);
    for (const status of ["queued", "interrupted"]) {
      await settled();
      process = await process.restart();
      expect(task(process, id).status).toBe(status);
    }
  });

  test("also where the death hides the start: from the second process on, a start is stored before its function is called", async () => {
    let runs = 0;
    const kind = durable(() => {
      runs++;
      return deaf();
    });
    let process = await started({ kinds: [kind] });
    process.manager.pause();
    const { id } = process.manager.spawn(kind);
    await settled();
    for (let death = 0; death < 10 && task(process, id).record.finishedAt === undefined; death++) {
      // Nothing is stored from the moment in which the function runs: it ends its process.
      const { store } = process;
      const ran = runs;
      if (death === 0) store.hold();
      process.manager.resume();
      for (let turn = 0; turn < 20 && runs === ran; turn++) await setImmediate();
      process = await process.restart();
    }
    expect(task(process, id).record).toMatchObject({
      status: "interrupted",
      reason: expect.stringContaining("used up"),
    });
    // The first one may not be counted; the three after it are.
    expect(runs).toBe(4);
  });

  test("as an earlier version stored it: each attempt before this one had been", async () => {
    const store = memoryStore();
    const kind = defineKind({ name: "old", canReattach: () => true, retry: { maxAttempts: 3 }, run: untilStopped });
    const clock = manualClock(1_000);
    const first = await TaskManager.open({ store, kinds: [kind], clock, graceMs: 0 });
    first.spawn(kind, { id: "old" });
    await settled();
    await first.close();
    const { nextSeq } = await store.peek();
    const record = given(first.get("old")).record;
    await store.open({ instanceId: "instance_old", pid: 1, startedAt: 1 });
    const stored = {
      version: 1,
      seq: nextSeq - 1,
      runtime: given(record.runtime),
      tasks: [{ record: { ...record, attempt: 3, status: "running" }, hasGivenId: true }],
      requests: [],
      sessions: {},
    };
    await store.compact(JSON.parse(JSON.stringify({ ...stored, tasks: stored.tasks.map(withoutStop) })), nextSeq - 1);
    await store.close();
    const second = await TaskManager.open({ store, kinds: [kind], clock });
    expect(second.get("old")?.record).toMatchObject({ status: "interrupted", attempt: 3 });
    await second.close();
  });
});

function withoutStop<T extends { readonly record: object }>(stored: T): T {
  const record = { ...stored.record, stopReason: undefined, reason: undefined, cancelRequestedAt: undefined };
  return { ...stored, record };
}

describe("D4 §10 a crash loop below a resumed parent is bounded", () => {
  test.each([
    ["a plain function", undefined],
    ["a kind that resumes", { maxAttempts: 3 }],
  ] as const)("for a child that is %s", async (_, retry) => {
    let runs = 0;
    const child = durable(() => (runs++, deaf()), { name: "child", ...(retry === undefined ? {} : { retry }) });
    const plain = () => (runs++, deaf());
    const parent = durable(
      async (ctx) => {
        const work = retry === undefined ? ctx.spawn(plain, { id: "below" }) : ctx.spawn(child, { id: "below" });
        return (await work.outcome()).status;
      },
      { name: "parent" },
    );
    let process = await started({ kinds: [parent, child] });
    process.manager.spawn(parent, { id: "above" });
    for (let death = 0; death < 8; death++) {
      await settled();
      process = await process.restart();
    }
    expect(await outcome(process, "above")).toMatchObject({ status: "succeeded", value: "interrupted" });
    expect(runs).toBe(3);
    await process.manager.close();
  });

  test("and a close uses nothing of it", async () => {
    let runs = 0;
    const parent = durable((ctx) => ctx.spawn(() => (runs++, untilStopped(ctx)), { id: "below" }).result(), {
      name: "parent",
    });
    let process = await started({ kinds: [parent] });
    process.manager.spawn(parent, { id: "above" });
    for (let deploy = 0; deploy < 6; deploy++) {
      await settled();
      expect(runs).toBe(deploy + 1);
      await process.manager.close({ graceMs: 0 });
      process = await process.restart();
    }
    await process.manager.close({ graceMs: 0 });
  });
});
