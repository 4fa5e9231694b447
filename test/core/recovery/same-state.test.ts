// One state (§2): what a store kept gives the same tasks again, whatever they did, however it was kept, and wherever it was cut off.

import type { TaskContext, TaskHandle, TaskManager, TaskOutcome } from "errand";
import { viewStore } from "errand";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { settled } from "../../support/basics.js";
import { deaf, given, isTerminal, untilStopped } from "../../support/program.js";
import { compacted, type Process, started } from "../../support/restarts.js";

// ── random programs ────────────────────────────────────────────────────────

type Way = (typeof ways)[number];
const ways = ["return", "throw", "omit", "deaf", "obey", "ask", "receive", "sleep", "family", "returned"] as const;

type Step =
  | { readonly do: "spawn"; readonly way: Way; readonly session: boolean; readonly options: number }
  | { readonly do: "write"; readonly at: number; readonly what: number }
  | { readonly do: "child"; readonly at: number; readonly way: Way; readonly detached: boolean }
  | { readonly do: "cancel" | "send" | "answer" | "reject"; readonly at: number }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "turn" | "hold" | "release" };

const at = fc.nat({ max: 20 });
const way = fc.constantFrom(...ways);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("spawn" as const),
      way,
      session: fc.boolean(),
      options: fc.nat({ max: 31 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("write" as const), at, what: fc.nat({ max: 7 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("child" as const), at, way, detached: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("cancel" as const, "send" as const, "answer" as const, "reject" as const),
      at,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.nat({ max: 60 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("turn" as const, "hold" as const, "release" as const) }) },
);

class Program {
  readonly process: Process;
  readonly handles: TaskHandle[] = [];
  readonly #contexts: TaskContext[] = [];

  constructor(process: Process) {
    this.process = process;
  }

  #work(way: Way): (ctx: TaskContext) => unknown {
    return (ctx) => {
      this.#contexts.push(ctx);
      ctx.reportUsage({ inputTokens: 1 });
      switch (way) {
        case "return":
          return { by: way, list: [1, null, "x"] };
        case "throw":
          throw new RangeError("thrown");
        case "omit":
          return () => "no JSON";
        case "deaf":
          return deaf();
        case "obey":
          return untilStopped(ctx);
        case "ask":
          return ctx.ask({ question: "Which?", details: { a: 1 }, timeoutMs: 70 });
        case "receive":
          return ctx.receive({ timeoutMs: 90 });
        case "sleep":
          return ctx.sleep(40);
        case "family":
          return ctx.map([1, 2, 3], (child, item) => (child.reportUsage({ costUsd: 0.5 }), item), { concurrency: 2 });
        case "returned":
          ctx.spawn((child) => child.sleep(50));
          ctx.spawn(deaf, { detached: true, timeoutMs: 30 });
          return "returned";
      }
    };
  }

  async take(step: Step): Promise<void> {
    const { manager, store, pass } = this.process;
    switch (step.do) {
      case "spawn": {
        const { options } = step;
        const owner = step.session ? manager.session("chat") : manager;
        this.#spawned(() =>
          owner.spawn(this.#work(step.way), {
            ...(options & 1 ? { timeoutMs: 25, graceMs: 10 } : {}),
            ...(options & 2 ? { tags: ["tag"], metadata: { a: [1] }, title: "Title" } : {}),
            ...(options & 4 ? { totalTimeoutMs: 80 } : {}),
            ...(options & 8 ? { children: "detach" as const, runId: "run" } : {}),
            ...(options & 16 ? { priority: 2, laneKey: "key", agent: "agent" } : {}),
          }),
        );
        return;
      }
      case "child": {
        const ctx = this.#contexts[step.at];
        if (ctx !== undefined) this.#spawned(() => ctx.spawn(this.#work(step.way), { detached: step.detached }));
        return;
      }
      case "write": {
        const ctx = this.#contexts[step.at];
        if (ctx !== undefined) write(ctx, step.what);
        return;
      }
      case "cancel":
        void this.handles[step.at]?.cancel("enough");
        return;
      case "send":
        await Promise.race([this.handles[step.at]?.send("hello").catch(() => undefined), settled(2)]);
        return;
      case "answer":
      case "reject": {
        const open = manager.inbox.list();
        const asked = open[step.at % Math.max(1, open.length)];
        if (asked === undefined) return;
        if (step.do === "answer") manager.inbox.answer(asked.id, "this", { by: "ann" }).catch(() => undefined);
        else manager.inbox.reject(asked.id, "no", { by: "ann" }).catch(() => undefined);
        return;
      }
      case "pass":
        return pass(step.ms);
      case "turn":
        return settled(1);
      case "hold":
        return store.hold();
      case "release":
        return store.letThrough();
    }
  }

  #spawned(spawn: () => TaskHandle): void {
    try {
      this.handles.push(spawn());
    } catch {
      // Refused: its parent is over.
    }
  }
}

function write(ctx: TaskContext, what: number): void {
  if (what === 0) ctx.summary("summary");
  if (what === 1) ctx.progress({ current: 1, total: 2, unit: "pages", label: "label" });
  if (what === 2) ctx.artifact({ name: "a", type: "text/plain", data: "x" });
  if (what === 3) ctx.link({ resourceIds: ["a", "b"], childSessionId: "chat" });
  if (what === 4) ctx.reportUsage({ inputTokens: 3, outputTokens: 2, costUsd: 0.25 });
  if (what === 5) ctx.post([{ type: "data", data: { a: 1 } }]).catch(() => undefined);
  if (what === 6) ctx.heartbeat();
  if (what === 7) ctx.emit("custom", { a: 1 });
}

// ── what is compared ───────────────────────────────────────────────────────

/** What a manager says of the tasks with these ids, or of all. */
function pictureOf(manager: TaskManager, only?: ReadonlySet<string>) {
  const tasks = manager.list().filter(({ id }) => only === undefined || only.has(id));
  const all = ["open", "answered", "rejected", "expired", "withdrawn"] as const;
  const requests = all.flatMap((status) => manager.inbox.list({ status }));
  return {
    tasks,
    usages: tasks.map(({ id }) => manager.get(id)?.usage()),
    messages: tasks.map(({ id }) => manager.get(id)?.messages()),
    requests: requests.filter(({ taskId }) => only === undefined || only.has(taskId)),
  };
}

/** How it ended, apart from what is of its process alone: the thrown value itself. */
async function endsOf(manager: TaskManager, ids: Iterable<string>): Promise<TaskOutcome[]> {
  const outcomes = await Promise.all(Array.from(ids, (id) => given(manager.get(id)).outcome()));
  return outcomes.map((outcome): TaskOutcome => JSON.parse(JSON.stringify(outcome, withoutCause)));
}

function withoutCause(key: string, value: unknown): unknown {
  return key === "cause" || key === "abandoned" ? undefined : value;
}

/** As a replay shows the store; nothing is decided of what lives. */
async function viewOf({ store, manager }: Process) {
  const view = await viewStore(store.crash());
  const known = new Set(manager.list().map(({ id }) => id));
  const tasks = view.list().filter(({ id }) => known.has(id));
  const all = ["open", "answered", "rejected", "expired", "withdrawn"] as const;
  return {
    tasks,
    usages: tasks.map(({ usage }) => usage),
    messages: tasks.map(({ id }) => view.messages(id)),
    requests: all.flatMap((status) => view.requests({ status })).filter(({ taskId }) => known.has(taskId)),
  };
}

const retention = { maxFinished: 4 };
const steps = fc.array(step, { minLength: 5, maxLength: 40, size: "max" });
const runs = { numRuns: 40 };

async function played(steps: readonly Step[]): Promise<Process> {
  const process = await started({ concurrency: 3, retention, limits: { maxDepth: 3 } });
  const program = new Program(process);
  for (const step of steps) await program.take(step);
  return process;
}

/** Nothing is held, and all that follows from that is stored too. */
async function allStored({ store, pass }: Process): Promise<void> {
  store.letThrough();
  await pass(0);
}

describe("§2 restart is evolve over the journal", () => {
  test("what is stored shows, replayed, every task as it is: by its events, by a snapshot, and by both", async () => {
    await fc.assert(
      fc.asyncProperty(steps, steps, async (before, after) => {
        const process = await played(before);
        await allStored(process);
        expect(await viewOf(process)).toEqual(pictureOf(process.manager));
        await compacted(process);
        expect(await viewOf(process)).toEqual(pictureOf(process.manager));
        const program = new Program(process);
        for (const step of after) await program.take(step);
        await allStored(process);
        expect(await viewOf(process)).toEqual(pictureOf(process.manager));
      }),
      { numRuns: 20 },
    );
  });

  test("a crash anywhere: what was over and stored is the same in the next process, which ends all else", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (steps) => {
        const process = await played(steps);
        const { manager, store } = process;
        const stored = await viewStore(store.crash());
        const over = new Set(
          stored
            .list()
            .filter(({ status }) => isTerminal(status))
            .map(({ id }) => id),
        );
        const next = await process.restart();
        const kept = new Set(
          next.manager
            .list()
            .map(({ id }) => id)
            .filter((id) => over.has(id) && manager.get(id)),
        );
        expect(pictureOf(next.manager, kept).tasks).toEqual(stored.list().filter(({ id }) => kept.has(id)));
        const statuses = (of: TaskManager) => [...kept].map((id) => of.get(id)?.status);
        expect(statuses(next.manager)).toEqual(statuses(manager));
        await allStored(process);
        const still = [...kept].filter((id) => manager.get(id) !== undefined);
        expect(await endsOf(next.manager, still)).toEqual(await endsOf(manager, still));
        expect(next.manager.list().every(({ status }) => isTerminal(status))).toBe(true);
        expect(next.manager.inbox.list()).toEqual([]);
        await next.manager.idle();
      }),
      runs,
    );
  });

  test("with everything stored, all that is kept of what is over is the same: records, messages, requests, usage, sums", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (steps, isCompacted) => {
        const process = await played(steps);
        await allStored(process);
        if (isCompacted) await compacted(process);
        const next = await process.restart();
        const { manager } = process;
        const over = manager
          .list()
          .filter(({ status }) => isTerminal(status))
          .map(({ id }) => id);
        // Those that end now push out the oldest.
        const kept = new Set(over.filter((id) => next.manager.get(id) !== undefined));
        expect(pictureOf(next.manager, kept)).toEqual(pictureOf(manager, kept));
        expect(await endsOf(next.manager, kept)).toEqual(await endsOf(manager, kept));
        expect(next.manager.session("chat").usage()).toEqual(manager.session("chat").usage());
      }),
      runs,
    );
  });

  test("a crash with a snapshot and one without leave the same", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (steps) => {
        const process = await played(steps);
        await allStored(process);
        // The snapshot, and the events on which it stands.
        await compacted(process);
        const bySnapshot = await process.restart();
        const again = await bySnapshot.restart();
        expect(pictureOf(again.manager)).toEqual(pictureOf(bySnapshot.manager));
        await compacted(again);
        const third = await again.restart();
        expect(pictureOf(third.manager)).toEqual(pictureOf(again.manager));
        expect(third.manager.session("chat").usage()).toEqual(process.manager.session("chat").usage());
      }),
      { numRuns: 20 },
    );
  });

  test("a prefix of the journal, wherever it is cut, opens", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.nat({ max: 1_000 }), async (steps, cut) => {
        const process = await played([{ do: "hold" }, ...steps]);
        const part = process.store.crash();
        const events = [...process.store.kept, ...process.store.held];
        const length = events.length === 0 ? 0 : cut % (events.length + 1);
        const next = await started({ retention }, part);
        await next.manager.close();
        const cutOff = part.crash();
        cutOff.wipe();
        await cutOff.append(events.slice(0, length));
        const opened = await started({ retention }, cutOff);
        expect(opened.manager.list().every(({ status }) => isTerminal(status))).toBe(true);
        await opened.manager.idle();
        expect(opened.manager.stats()).toMatchObject({ queued: 0, running: 0, blocked: 0 });
      }),
      runs,
    );
  });

  test("an outcome does not say `abandoned` after a restart, by events or by a snapshot: the function ended with its process", async () => {
    const process = await started({ graceMs: 10 });
    const handle = process.manager.spawn(deaf);
    await settled();
    void handle.cancel("enough");
    await process.pass(10);
    const { abandoned, ...outcome } = { abandoned: undefined, ...(await handle.outcome()) };
    expect(abandoned).toBe(true);
    await allStored(process);
    const byEvents = await process.restart();
    expect(await byEvents.manager.get(handle.id)?.outcome()).toEqual(outcome);
    await compacted(process);
    const bySnapshot = await process.restart();
    expect(await bySnapshot.manager.get(handle.id)?.outcome()).toEqual(outcome);
  });
});
