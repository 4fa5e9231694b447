// Work elsewhere under any course of events: steered, asked about, finished, stopped, while processes crash and close (§10, D4, D8).
//
// The world outside is simple and keeps count: whatever happens, no job is started twice, no message is handed over twice or out of order,
// no two polls of a task overlap, and what is stopped is wound down, once for each process that had it to do.

import type { ReconcileReport } from "errand";
import { defineKind } from "errand";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { allFree, settled } from "../../support/basics.js";
import { type Process, started, task } from "../../support/restarts.js";

type Step =
  | { readonly do: "spawn"; readonly slow: boolean; readonly totalTimeoutMs: number | undefined }
  | { readonly do: "send" | "cancel" | "finish" | "fail"; readonly which: number }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "pause" | "resume" }
  | { readonly do: "crash" | "close"; readonly downMs: number };

const which = fc.nat({ max: 20 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("spawn" as const),
      slow: fc.boolean(),
      totalTimeoutMs: fc.constantFrom(undefined, 5_000, 40_000),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("send" as const), which }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("cancel" as const, "finish" as const, "fail" as const), which }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(0, 10, 1_000, 2_500, 31_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("pause" as const, "resume" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("crash" as const, "close" as const),
      downMs: fc.constantFrom(0, 1_000, 50_000),
    }),
  },
);

interface Job {
  readonly id: string;
  starts: number;
  report: ReconcileReport<string>;
  polls: number;
  readonly sent: string[];
  readonly heard: string[];
  /** Processes in which it was wound down. */
  readonly wound: number[];
}

/** The service, and the kind that uses it; `slow` jobs answer polls and steering after a while. */
class Service {
  readonly jobs = new Map<string, Job>();
  readonly breaches: string[] = [];
  process = 1;
  readonly late: (() => void)[] = [];

  job(id: string): Job {
    let job = this.jobs.get(id);
    if (job === undefined) {
      job = {
        id,
        starts: 0,
        report: { status: "running" },
        polls: 0,
        sent: [],
        heard: [],
        wound: [],
      };
      this.jobs.set(id, job);
    }
    return job;
  }

  readonly kind = defineKind<string>({
    name: "job",
    retry: { maxAttempts: 100 },
    canReattach: () => true,
    run: (ctx) => {
      const { totalDeadlineAt = Number.POSITIVE_INFINITY, updatedAt } = ctx.record;
      if (updatedAt >= totalDeadlineAt) this.breaches.push(`${ctx.id} ran past its deadline`);
      if (ctx.record.links.remoteTaskId === undefined) {
        this.job(ctx.id).starts += 1;
        ctx.link({ remoteTaskId: ctx.id });
      }
    },
    reconcile: async ({ id, tags, status }) => {
      const job = this.job(id);
      const { process } = this;
      if (status !== "running") this.breaches.push(`${id} was polled ${status}`);
      job.polls += 1;
      if (job.polls > 1) this.breaches.push(`${id} was polled twice at once`);
      await this.#while(tags.includes("slow"));
      if (process === this.process) job.polls -= 1;
      return job.report;
    },
    deliver: async ({ id, tags }, message) => {
      const job = this.job(id);
      await this.#while(tags.includes("slow"));
      job.heard.push(message.id);
    },
    cancel: async ({ id, tags }) => {
      this.job(id).wound.push(this.process);
      await this.#while(tags.includes("slow"));
    },
  });

  async #while(isSlow: boolean): Promise<void> {
    if (isSlow) await new Promise<void>((resolve) => this.late.push(resolve));
  }

  /** What is slow answers. */
  answer(): void {
    for (const resolve of this.late.splice(0)) resolve();
  }

  /** Nothing that the last process asked is heard any more. */
  next(): void {
    this.process += 1;
    this.late.length = 0;
    for (const job of this.jobs.values()) job.polls = 0;
  }
}

async function play(steps: readonly Step[], concurrency: number): Promise<void> {
  const service = new Service();
  const { jobs } = service;
  const options = { kinds: [service.kind], concurrency };
  let process: Process = await started(options);
  let isPaused = false;
  const pick = (index: number): Job | undefined => [...jobs.values()][index % Math.max(1, jobs.size)];
  for (const each of steps) {
    switch (each.do) {
      case "spawn":
        service.job(
          process.manager.spawn("job", { tags: each.slow ? ["slow"] : [], totalTimeoutMs: each.totalTimeoutMs }).id,
        );
        break;
      case "send": {
        const job = pick(each.which);
        if (job === undefined) break;
        const sent = task(process, job.id).send("x");
        const id = await sent.then(
          (message) => message.id,
          () => undefined,
        );
        if (id !== undefined) job.sent.push(id);
        break;
      }
      case "cancel": {
        const job = pick(each.which);
        if (job === undefined) break;
        void task(process, job.id).cancel("words");
        break;
      }
      case "finish":
      case "fail": {
        const job = pick(each.which);
        if (job !== undefined)
          job.report =
            each.do === "finish"
              ? { status: "succeeded", value: "done" }
              : { status: "failed", message: "there", code: "rejected" };
        break;
      }
      case "pass":
        service.answer();
        await process.pass(each.ms);
        break;
      case "close":
      case "crash":
        if (each.do === "close") {
          const closing = process.manager.close({ graceMs: 0 });
          await process.pass(0);
          await closing;
        }
        await settled();
        service.next();
        process = await process.restart(options, each.downMs);
        // Paused, they stay paused: what is left may stand in line over many restarts.
        if (isPaused) process.manager.pause();
        break;
      case "pause":
      case "resume":
        isPaused = each.do === "pause";
        process.manager[each.do]();
        break;
      default:
        each satisfies never;
    }
    await settled(2);
  }
  // Everything comes to its end.
  process.manager.resume();
  for (const job of jobs.values()) job.report = { status: "succeeded", value: "done" };
  for (let turn = 0; turn < 12; turn += 1) {
    service.answer();
    await process.pass(10_000);
  }

  expect(service.breaches).toEqual([]);
  for (const job of jobs.values()) {
    const { record } = task(process, job.id);
    const where = `${job.id} ${record.status} ${record.stopReason ?? ""}`;
    expect(record.finishedAt, where).toBeDefined();
    expect(job.starts, where).toBeLessThanOrEqual(1);
    // In order, none twice.
    expect(job.heard, where).toEqual(job.sent.filter((id) => job.heard.includes(id)));
    expect(new Set(job.wound).size, where).toBe(job.wound.length);
    if (record.stopReason === undefined || job.starts === 0) expect(job.wound, where).toEqual([]);
    else expect(job.wound.length, where).toBeGreaterThan(0);
  }
  allFree(process.manager);
  expect(process.manager.stats().abandoned).toBe(0);
  await process.manager.close();
}

test("§10 D4 D8 whatever happens, no job is started twice, no message delivered twice, no poll overlaps another, and what is stopped is wound down", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), fc.constantFrom(1, 2, 100), play), {
    numRuns: 60,
  });
});

test("§10 with no process that dies, every message that was sent to a running task is delivered", async () => {
  const alive = step.filter((each) => each.do !== "crash" && each.do !== "close" && each.do !== "cancel");
  await fc.assert(
    fc.asyncProperty(fc.array(alive, { minLength: 5, maxLength: 40 }), async (steps) => {
      const service = new Service();
      const process = await started({ kinds: [service.kind] });
      const { manager } = process;
      const tasks = [true, false].map((slow) => manager.spawn("job", slow ? { tags: ["slow"] } : {}));
      const sent = new Map(tasks.map(({ id }): [string, string[]] => [id, []]));
      for (const each of steps) {
        if (each.do === "pass") await process.pass(each.ms);
        if (each.do === "send") for (const handle of tasks) sent.get(handle.id)?.push((await handle.send("x")).id);
        if (each.do === "finish") service.answer();
      }
      for (let turn = 0; turn < 45; turn += 1) {
        service.answer();
        await settled(2);
      }
      for (const { id } of tasks) expect(service.job(id).heard).toEqual(sent.get(id));
      service.answer();
      await manager.close({ graceMs: 0 });
    }),
    { numRuns: 20 },
  );
});
