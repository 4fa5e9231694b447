// Work elsewhere over a restart (§10, D1, D4, D8): it is steered once that is stored, found again by its links, and wound down once.

import type { Logger, ReconcileReport, TaskRecord } from "errand";
import { defineKind } from "errand";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { deferred, peek, settled } from "../../support/basics.js";
import { given, untilStopped } from "../../support/program.js";
import { compacted, durable, outcome, type Process, started, task } from "../../support/restarts.js";

/** A service that runs jobs for a kind of ours; it does not notice that a process of ours dies. */
function service() {
  const started: string[] = [];
  const found: string[] = [];
  const polls: TaskRecord[] = [];
  const cancelled: { id: string; reason: string; stopReason: string | undefined; attempt: number }[] = [];
  let report: ReconcileReport<string> = { status: "running" };
  const kind = defineKind<string>({
    name: "job",
    run: (ctx) => {
      const { remoteTaskId } = ctx.record.links;
      if (remoteTaskId === undefined) {
        const id = `job-${started.length + 1}`;
        started.push(id);
        ctx.link({ remoteTaskId: id });
      } else found.push(remoteTaskId);
    },
    reconcile: (record) => {
      polls.push(record);
      return report;
    },
    cancel: ({ id, stopReason, attempt }, reason) => void cancelled.push({ id, reason, stopReason, attempt }),
    canReattach: ({ links }) => links.remoteTaskId !== undefined,
  });
  return {
    kind,
    started,
    found,
    polls,
    cancelled,
    says(next: ReconcileReport<string>) {
      report = next;
    },
  };
}

describe("D4 work elsewhere that a crash left", () => {
  test("is found again by its links, not started again, and asked about until it ends", async () => {
    const jobs = service();
    const first = await started({ kinds: [jobs.kind] });
    const { id } = first.manager.spawn("job");
    await first.pass(3_500);
    const asked = jobs.polls.length;
    const second = await first.restart();
    expect(task(second, id).record).toMatchObject({ status: "queued", attempt: 2, links: { remoteTaskId: "job-1" } });
    await second.pass(1_000);
    expect([jobs.started, jobs.found]).toEqual([["job-1"], ["job-1"]]);
    expect(jobs.polls.length).toBeGreaterThan(asked);
    expect(jobs.polls.at(-1)).toMatchObject({ attempt: 2, links: { remoteTaskId: "job-1" } });
    jobs.says({ status: "succeeded", value: "done" });
    await second.pass(30_000);
    expect(await outcome(second, id)).toMatchObject({ status: "succeeded", value: "done" });
    expect(jobs.cancelled).toEqual([]);
  });

  test("ends while no process is there, and the next one reports it", async () => {
    const jobs = service();
    const first = await started({ kinds: [jobs.kind] });
    const { id } = first.manager.spawn("job");
    await first.pass(1_500);
    jobs.says({ status: "failed", message: "it burnt", code: "stalled" });
    const second = await first.restart(undefined, 60_000);
    await second.pass(1_000);
    expect(await outcome(second, id)).toMatchObject({
      status: "failed",
      error: { code: "stalled", message: "it burnt" },
    });
  });

  test("D1 whose links were not stored is not found again: its task was never known to have any", async () => {
    const jobs = service();
    const first = await started({ kinds: [jobs.kind] });
    const handle = first.manager.spawn("job");
    await handle.stored();
    first.store.hold();
    await first.pass(100);
    expect([jobs.started, handle.record.links]).toEqual([["job-1"], { remoteTaskId: "job-1" }]);
    const second = await first.restart();
    expect(task(second, handle.id).record).toMatchObject({ status: "interrupted", links: {} });
  });

  test("keeps what it used over restarts: usage is added, never twice", async () => {
    const jobs = service();
    jobs.says({ status: "running", usage: { inputTokens: 5 } });
    const first = await started({ kinds: [jobs.kind] });
    const { id } = first.manager.spawn("job", { budget: { tokens: 1_000 } });
    await first.pass(1_500);
    const used = task(first, id).usage().inputTokens;
    expect(used).toBe(jobs.polls.length * 5);
    const second = await first.restart();
    expect(task(second, id).usage().inputTokens).toBe(used);
    await second.pass(1_500);
    expect(task(second, id).usage().inputTokens).toBe(jobs.polls.length * 5);
  });

  test.each<[string, (id: string, process: Process) => Promise<unknown>]>([
    ["cancelled", (id, process) => task(process, id).cancel("words")],
    ["out of total time", (_id, process) => process.pass(100_000)],
  ])(
    "that waits for its slot after the restart, %s there, is wound down: it still goes on outside",
    async (_how, stop) => {
      const jobs = service();
      const first = await started({ kinds: [jobs.kind], concurrency: 1 });
      const { id } = first.manager.spawn("job", { totalTimeoutMs: 100_000 });
      await first.pass(1_500);
      const second = await first.restart();
      second.manager.pause();
      await settled();
      expect(task(second, id).record).toMatchObject({ status: "queued", attempt: 2 });
      await stop(id, second);
      await settled();
      expect(["cancelled", "failed"]).toContain(task(second, id).status);
      expect([jobs.started, jobs.found, jobs.cancelled.length]).toEqual([["job-1"], [], 1]);
      // The work is wound down: a later process that reads this end calls nothing.
      const third = await second.restart();
      await compacted(third);
      await third.restart();
      await settled();
      expect(jobs.cancelled.length).toBe(1);
    },
  );

  test.each<[how: string, stop: (id: string, process: Process) => Promise<unknown>, wound: readonly string[]]>([
    ["cancelled", (id, { manager }) => manager.get(id)?.cancel("words") ?? Promise.resolve(), ["words"]],
    ["left to the next process by a close", (_id, { manager }) => manager.close({ graceMs: 0 }), []],
  ])(
    "whose next start is not stored yet is wound down when it is %s: its function is not called",
    async (_how, stop, wound) => {
      const jobs = service();
      const first = await started({ kinds: [jobs.kind] });
      const { id } = first.manager.spawn("job");
      await first.pass(1_500);
      const second = await first.restart();
      second.store.hold();
      await settled();
      expect(task(second, id).status).toBe("running");
      const stopped = stop(id, second);
      await settled();
      second.store.letThrough();
      await second.pass(0);
      await stopped;
      await settled();
      expect([jobs.found, jobs.cancelled.map(({ reason }) => reason)]).toEqual([[], wound]);
    },
  );

  test("that a process without its kind has parked, out of time in no process, is wound down once", async () => {
    const jobs = service();
    const first = await started({ kinds: [jobs.kind] });
    const { id } = first.manager.spawn("job", { totalTimeoutMs: 100_000 });
    await first.pass(1_500);
    const second = await first.restart({ kinds: [] });
    await settled();
    expect(task(second, id).record).toMatchObject({ status: "blocked", blockedOn: [{ on: "kind" }] });
    const third = await second.restart({ kinds: [jobs.kind] }, 200_000);
    await settled();
    expect([task(third, id).status, jobs.cancelled.map(({ reason }) => reason)]).toEqual(["failed", ["total_timeout"]]);
  });

  test.each(["by its events", "by a snapshot"])(
    "is left also by the next process, which dies before it goes on with it: a stop in the third winds it down (%s)",
    async (how) => {
      const jobs = service();
      const first = await started({ kinds: [jobs.kind], concurrency: 1 });
      const { id } = first.manager.spawn("job");
      await first.pass(1_500);
      const second = await first.restart();
      second.manager.pause();
      await settled();
      if (how === "by a snapshot") await compacted(second);
      expect(task(second, id).status).toBe("queued");
      const third = await second.restart();
      third.manager.pause();
      await settled();
      expect(task(third, id).status).toBe("queued");
      await task(third, id).cancel("words");
      await settled();
      expect([jobs.found, jobs.cancelled.map(({ reason }) => reason)]).toEqual([[], ["words"]]);
    },
  );

  test("is left also by a process that closes before it goes on with it, and out of time in none: it is wound down", async () => {
    const jobs = service();
    const first = await started({ kinds: [jobs.kind], concurrency: 1 });
    const { id } = first.manager.spawn("job", { totalTimeoutMs: 100_000 });
    await first.pass(1_500);
    const second = await first.restart();
    second.manager.pause();
    await settled();
    await second.manager.close();
    expect(jobs.cancelled).toEqual([]);
    const third = await second.restart(undefined, 200_000);
    await settled();
    expect(task(third, id).record.error?.code).toBe("total_timeout");
    expect([jobs.found, jobs.cancelled.map(({ reason }) => reason)]).toEqual([[], ["total_timeout"]]);
  });

  test("was over when its process died in the pause before a retry: a stop after the restart winds nothing down", async () => {
    const calls: string[] = [];
    const kind = durable(() => Promise.reject(new Error("once more")), {
      retry: { maxAttempts: 3, backoffMs: 60_000 },
      cancel: ({ id }) => void calls.push(id),
    });
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { input: undefined });
    await settled();
    const second = await first.restart();
    await settled();
    expect(task(second, id).record).toMatchObject({ status: "queued", attempt: 2 });
    await task(second, id).cancel();
    expect(calls).toEqual([]);
  });

  test("is wound down once: stopped in the attempt that found it again, it is that one's to do", async () => {
    const jobs = service();
    const first = await started({ kinds: [jobs.kind] });
    const { id } = first.manager.spawn("job", { totalTimeoutMs: 100_000 });
    await first.pass(1_500);
    const second = await first.restart();
    await second.pass(1_500);
    await task(second, id).cancel("words");
    await settled();
    expect(jobs.cancelled).toEqual([{ id, reason: "words", stopReason: "cancel", attempt: 2 }]);
  });

  test("C6 whose total time ran out while no process was there is wound down on open, and not asked about", async () => {
    const jobs = service();
    const first = await started({ kinds: [jobs.kind] });
    const { id } = first.manager.spawn("job", { totalTimeoutMs: 10_000 });
    await first.pass(1_500);
    const asked = jobs.polls.length;
    const second = await first.restart(undefined, 60_000);
    await settled();
    expect(await outcome(second, id)).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
    expect(jobs.cancelled).toEqual([{ id, reason: "total_timeout", stopReason: "total_timeout", attempt: 1 }]);
    expect(jobs.polls.length).toBe(asked);
  });
});

describe("D4 a stop that was stored and not carried out", () => {
  test("is carried out on open: `cancel` is called once, with its reason, and `run` is not", async () => {
    const calls: [string, string][] = [];
    const runs: number[] = [];
    const kind = durable(
      (ctx) => {
        runs.push(ctx.attempt);
        return untilStopped(ctx);
      },
      // The first process dies while it winds down.
      {
        cancel: ({ id }, reason) => {
          calls.push([id, reason]);
          return calls.length === 1 ? new Promise<void>(() => undefined) : undefined;
        },
      },
    );
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind, { input: undefined });
    await settled();
    void handle.cancel("words");
    await settled();
    expect([handle.status, calls]).toEqual(["running", [[handle.id, "words"]]]);
    const second = await first.restart();
    await settled();
    expect(calls).toEqual([
      [handle.id, "words"],
      [handle.id, "words"],
    ]);
    expect(await outcome(second, handle.id)).toMatchObject({ status: "cancelled", reason: "words" });
    const third = await second.restart();
    await settled();
    expect([calls.length, runs]).toEqual([2, [1]]);
    expect(task(third, handle.id).status).toBe("cancelled");
  });

  test("H2 of a whole family calls it for each that had started, and for none that had not", async () => {
    const calls: string[] = [];
    const ids: string[] = [];
    const kind = durable(
      (ctx) => {
        if (ctx.record.depth === 0) {
          ids.push(ctx.spawn("durable", { id: "child" }).id);
          ids.push(ctx.spawn("durable", { id: "queued", lane: "full" }).id);
        }
        return new Promise<never>(() => undefined);
      },
      { cancel: ({ id }, reason) => void calls.push(`${id} ${reason}`) },
    );
    const options = { kinds: [kind], lanes: { full: { concurrency: 1 } } };
    const first = await started(options);
    first.manager.spawn(() => new Promise<never>(() => undefined), { lane: "full" });
    const root = first.manager.spawn(kind, { input: undefined, id: "root" });
    await settled();
    expect(ids).toEqual(["child", "queued"]);
    void root.cancel("words");
    await settled();
    calls.length = 0;
    const second = await first.restart();
    await settled();
    expect(calls.toSorted()).toEqual(["child words", "root words"]);
    for (const id of ["root", "child", "queued"]) expect(task(second, id).status).toBe("cancelled");
  });

  test("whose `cancel` throws, or never ends, does not keep `open`, and the throw is reported to the logger", async () => {
    const warnings: string[] = [];
    const ignore = (): void => undefined;
    const logger: Logger = {
      debug: ignore,
      info: ignore,
      error: ignore,
      warn: (message) => void warnings.push(message),
    };
    let isBroken = false;
    const kind = durable(() => new Promise<never>(() => undefined), {
      cancel: ({ id }) => {
        if (!isBroken || id === "silent") return new Promise<void>(() => undefined);
        throw new Error("no line");
      },
    });
    const first = await started({ kinds: [kind], logger });
    for (const id of ["loud", "silent"]) void first.manager.spawn(kind, { input: undefined, id });
    await settled();
    for (const id of ["loud", "silent"]) void task(first, id).cancel();
    await settled();
    isBroken = true;
    const second = await first.restart();
    await settled();
    expect(["loud", "silent"].map((id) => task(second, id).status)).toEqual(["cancelled", "cancelled"]);
    expect(warnings).toEqual([expect.stringContaining("loud")]);
  });

  test("of a kind that the next process does not know calls nothing, and ends as it was asked to", async () => {
    const calls: string[] = [];
    const kind = durable(() => new Promise<never>(() => undefined), { cancel: ({ id }) => void calls.push(id) });
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind, { input: undefined });
    await settled();
    void handle.cancel("words");
    await settled();
    calls.length = 0;
    const second = await first.restart({ kinds: [] });
    await settled();
    expect([task(second, handle.id).status, calls]).toEqual(["cancelled", []]);
  });

  test("that was carried out in the first process is not carried out again", async () => {
    const calls: string[] = [];
    const kind = durable(untilStopped, { cancel: ({ id }) => void calls.push(id) });
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind, { input: undefined });
    await settled();
    await handle.cancel();
    await first.restart();
    await settled();
    expect(calls).toEqual([handle.id]);
  });

  test("by its total time, in the pause before a retry, calls nothing: no attempt ran", async () => {
    const calls: string[] = [];
    const kind = durable(() => Promise.reject(new Error("once more")), {
      retry: { maxAttempts: 3, backoffMs: 60_000 },
      cancel: ({ id }) => void calls.push(id),
    });
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind, { input: undefined, totalTimeoutMs: 10_000 });
    await settled();
    expect(handle.status).toBe("queued");
    const second = await first.restart(undefined, 20_000);
    await settled();
    expect(task(second, handle.id).record).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
    expect(calls).toEqual([]);
  });

  test("without a stop nothing is wound down: a kind that cannot go on ends interrupted", async () => {
    const calls: string[] = [];
    const kind = durable(() => new Promise<never>(() => undefined), {
      canReattach: () => false,
      cancel: ({ id }) => void calls.push(id),
    });
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind, { input: undefined });
    await settled();
    const second = await first.restart();
    await settled();
    expect([task(second, handle.id).status, calls]).toEqual(["interrupted", []]);
  });

  test("H0 its `cancel` runs outside any task", async () => {
    const inside: unknown[] = [];
    const kind = durable(() => new Promise<never>(() => undefined), {
      cancel: () => void inside.push(processes.at(-1)?.manager.current),
    });
    const processes = [await started({ kinds: [kind] })];
    const first = given(processes[0]);
    const handle = first.manager.spawn(kind, { input: undefined });
    await settled();
    void handle.cancel();
    await settled();
    const outer = first.manager.spawn(async () => void processes.push(await first.restart()), { root: true });
    await outer.result();
    await settled();
    expect(inside).toEqual([undefined, undefined]);
  });
});

describe("D8 a shutdown", () => {
  test("leaves work elsewhere alone when the next process goes on with it", async () => {
    const jobs = service();
    const first = await started({ kinds: [jobs.kind] });
    const { id } = first.manager.spawn("job");
    await first.pass(1_500);
    await first.manager.close();
    expect(jobs.cancelled).toEqual([]);
    const second = await first.restart();
    await second.pass(1_000);
    expect([jobs.found, task(second, id).record.attempt]).toEqual([["job-1"], 2]);
  });

  test.each(["crash", "close"])(
    "C6 after a %s a task whose total time ran out meanwhile is over on open, and not run again",
    async (how) => {
      const runs: number[] = [];
      const kind = durable((ctx) => {
        runs.push(ctx.attempt);
        return untilStopped(ctx);
      });
      const first = await started({ kinds: [kind] });
      const { id } = first.manager.spawn(kind, { input: undefined, totalTimeoutMs: 10_000 });
      await settled();
      if (how === "close") await first.manager.close();
      const second = await first.restart(undefined, 20_000);
      expect(task(second, id).record).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
      await second.pass(1_000);
      expect([runs, task(second, id).record.attempt]).toEqual([[1], 1]);
    },
  );

  test("winds it down when its kind cannot go on", async () => {
    const calls: string[] = [];
    const kind = defineKind({ name: "job", run: untilStopped, cancel: (_record, reason) => void calls.push(reason) });
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind);
    await settled();
    await first.manager.close();
    const second = await first.restart();
    expect([calls, task(second, id).status]).toEqual([["shutdown"], "interrupted"]);
  });

  test("D4 uses up no attempt, so it leaves its work alone at the last one too", async () => {
    const calls: string[] = [];
    const kind = durable(untilStopped, {
      retry: { maxAttempts: 1 },
      cancel: (_record, reason) => void calls.push(reason),
    });
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { input: undefined });
    await settled();
    await first.manager.close();
    const second = await first.restart();
    expect([calls, task(second, id).status]).toEqual([[], "queued"]);
  });

  test("H7 winds down a child that no process finds again", async () => {
    const calls: string[] = [];
    const kind = durable(untilStopped, { cancel: ({ id }) => void calls.push(id) });
    const first = await started({ kinds: [kind] });
    let child = "";
    first.manager.spawn((ctx) => {
      child = ctx.spawn(kind, { input: undefined }).id;
      return untilStopped(ctx);
    });
    await settled();
    await first.manager.close();
    const second = await first.restart();
    expect([calls, task(second, child).status]).toEqual([[child], "interrupted"]);
  });

  test("S5 of a task that was being cancelled winds it down once", async () => {
    const calls: string[] = [];
    const gate = deferred();
    const kind = durable(untilStopped, {
      cancel: (_record, reason) => {
        calls.push(reason);
        return gate.promise;
      },
    });
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind, { input: undefined });
    await settled();
    const ended = handle.cancel("words");
    await settled();
    const closed = first.manager.close();
    gate.resolve();
    await closed;
    expect([calls, (await ended).status]).toEqual([["words"], "cancelled"]);
  });
});

describe("D1 deliver", () => {
  function steered(more: Parameters<typeof durable>[1] = {}) {
    const heard: string[] = [];
    const kind = durable(untilStopped, {
      deliver: (_record, { content: [part] }) => void heard.push(part?.type === "text" ? part.text : "?"),
      ...more,
    });
    return { kind, heard };
  }

  test("does not get a message before it is stored", async () => {
    const { kind, heard } = steered();
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind, { input: undefined });
    await settled();
    first.store.hold();
    const sent = handle.send("a");
    await settled();
    expect([heard, (await peek(sent)).is]).toEqual([[], "pending"]);
    first.store.letThrough();
    await settled();
    expect([heard, (await peek(sent)).is]).toEqual([["a"], "fulfilled"]);
  });

  test("does not get a message sent before the start before that is stored", async () => {
    const { kind, heard } = steered();
    const first = await started({ kinds: [kind] });
    first.store.hold();
    const handle = first.manager.spawn(kind, { input: undefined });
    void handle.send("a");
    await settled();
    expect(heard).toEqual([]);
    first.store.letThrough();
    await settled();
    expect([handle.status, heard]).toEqual(["running", ["a"]]);
  });

  test("does not get a message whose task is stopped before it was stored", async () => {
    const { kind, heard } = steered();
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind, { input: undefined });
    await settled();
    first.store.hold();
    void handle.send("a");
    await settled();
    void handle.cancel();
    await settled();
    first.store.letThrough();
    await settled();
    expect([handle.status, heard]).toEqual(["cancelled", []]);
  });

  test("gets what was sent to it before it ever started, also when another process starts it", async () => {
    const { kind, heard } = steered();
    const options = { kinds: [kind], concurrency: 1 };
    const first = await started(options);
    first.manager.spawn(() => new Promise<never>(() => undefined));
    const handle = first.manager.spawn(kind, { input: undefined });
    await handle.send("a");
    await handle.send("b");
    expect(handle.status).toBe("queued");
    const second = await first.restart();
    await settled();
    expect([task(second, handle.id).status, heard]).toEqual(["running", ["a", "b"]]);
  });

  test("does not get again, after a restart, what it got before", async () => {
    const { kind, heard } = steered();
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind, { input: undefined });
    await settled();
    await handle.send("a");
    await settled();
    const second = await first.restart();
    await settled();
    await task(second, handle.id).send("b");
    await settled();
    expect(heard).toEqual(["a", "b"]);
    expect(task(second, handle.id).messages()).toHaveLength(2);
  });

  test.each([
    ["the journal", async () => {}],
    ["a snapshot", compacted],
  ])("receives once what was sent between two attempts, also when the next process reads %s", async (_from, save) => {
    const heard: string[] = [];
    const kind = durable(
      async (ctx) => {
        if (ctx.attempt > 1) return untilStopped(ctx);
        await ctx.receive();
        throw new Error("no");
      },
      {
        deliver: (_record, { content: [part] }) => void heard.push(part?.type === "text" ? part.text : "?"),
        retry: { maxAttempts: 2, backoffMs: 10_000, jitter: false },
      },
    );
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind);
    await settled();
    await handle.send("a");
    await settled();
    await handle.send("b");
    expect([handle.status, heard]).toEqual(["queued", ["a"]]);
    await save(first);
    const second = await first.restart();
    await second.pass(10_000);
    expect([task(second, handle.id).status, heard]).toEqual(["running", ["a", "b"]]);
  });

  test("gets what was sent between the restart and the start", async () => {
    const { kind, heard } = steered();
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind, { input: undefined });
    await settled();
    const second = await first.restart();
    expect(task(second, handle.id).status).toBe("queued");
    await task(second, handle.id).send("a");
    await settled();
    expect(heard).toEqual(["a"]);
  });
});

describe("§10 the input of a kind over a restart", () => {
  test("is kept raw, and parsed again by the schema that the next process has", async () => {
    const parsed: unknown[] = [];
    const of = (input: z.ZodType<Date>) =>
      defineKind({
        name: "dated",
        input,
        canReattach: () => true,
        run: (ctx, at) => {
          parsed.push(at);
          return ctx.attempt === 1 ? untilStopped(ctx) : at.getTime();
        },
      });
    const first = await started({ kinds: [of(z.coerce.date())] });
    const handle = first.manager.spawn("dated", { input: "2020-01-01T00:00:00.000Z" });
    await settled();
    const created = first.store.kept.find(({ type }) => type === "task.created");
    expect(created).toMatchObject({ record: { input: "2020-01-01T00:00:00.000Z" } });
    const nextYear = z.coerce.date().transform((date) => new Date(Date.UTC(date.getUTCFullYear() + 1)));
    const second = await first.restart({ kinds: [of(nextYear)] });
    expect(await task(second, handle.id).result()).toBe(Date.UTC(2021));
    expect(parsed).toEqual([new Date(Date.UTC(2020)), new Date(Date.UTC(2021))]);
    expect(task(second, handle.id).record.input).toBe("2020-01-01T00:00:00.000Z");
  });

  test("that does not fit any more fails the task, which was not run", async () => {
    const runs: unknown[] = [];
    const of = (input: z.ZodType<string>) =>
      defineKind({
        name: "picky",
        input,
        canReattach: () => true,
        run: (ctx, text) => {
          runs.push(text);
          return untilStopped(ctx);
        },
      });
    const first = await started({ kinds: [of(z.string())] });
    const handle = first.manager.spawn("picky", { input: "long" });
    await settled();
    const second = await first.restart({ kinds: [of(z.string().max(2))] });
    expect(await outcome(second, handle.id)).toMatchObject({ status: "failed", error: { code: "error" } });
    expect(runs).toEqual(["long"]);
  });
});
