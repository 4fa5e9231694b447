// The polls of a whole manager: limited in number, the remote with the oldest poll first, and without a slot while they
// wait (§10, §15).

import { AsyncLocalStorage } from "node:async_hooks";
import { defineKind, type ReconcileReport, type TaskHandle, TaskManager } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { type Deferred, deferred, settled } from "../../support/basics.js";

const AT_A_TIME = 16;

interface Poll {
  readonly n: number;
  readonly answer: Deferred<ReconcileReport<string>>;
}

function world(concurrency = 1_000) {
  const clock = manualClock();
  const polls: Poll[] = [];
  const where: (string | undefined)[] = [];
  const traced = new AsyncLocalStorage<string>();
  const remote = defineKind({
    name: "remote",
    run: () => undefined,
    reconcile: ({ input }): Promise<ReconcileReport<string>> => {
      const answer = deferred<ReconcileReport<string>>();
      polls.push({ n: Number(input), answer });
      where.push(traced.getStore());
      return answer.promise;
    },
  });
  const warnings: string[] = [];
  const logger = { warn: (text: string) => void warnings.push(text), error: () => undefined };
  const retention = { ttlMs: Number.POSITIVE_INFINITY };
  const manager = new TaskManager({ clock, concurrency, retention, logger });
  const put = (n: number, options = {}): TaskHandle<string> =>
    traced.run(`trace ${n}`, () => manager.spawn(remote, { input: n as never, ...options }));
  const asked = () => polls.map(({ n }) => n);
  const answer = async (count: number, report: ReconcileReport<string> = { status: "running" }) => {
    for (const poll of polls.splice(0, count)) poll.answer.resolve(report);
    await settled();
  };
  return { clock, manager, polls, put, asked, answer, where, warnings };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

describe("the polls of a manager", () => {
  test("§15 are so many at a time over all its tasks, and all come to their turn", async () => {
    const { manager, put, asked, answer } = world();
    const tasks = range(0, 40).map((n) => put(n));
    await settled();
    expect(asked()).toEqual(range(0, AT_A_TIME));
    await answer(5, { status: "succeeded", value: "done" });
    expect(asked()).toEqual(range(5, AT_A_TIME + 5));
    while (asked().length > 0) await answer(AT_A_TIME, { status: "succeeded", value: "done" });
    expect(tasks.map(({ status }) => status)).toEqual(tasks.map(() => "succeeded"));
    expect(manager.stats().lanes["default"]?.held).toBe(0);
  });

  test("§15 the remote that was not asked for the longest time is next", async () => {
    const { clock, put, polls, asked, answer } = world();
    put(0);
    put(1);
    await settled();
    // 0 has news and is asked again after 1 s; 1 has none, and its pauses grow.
    polls[0]?.answer.resolve({ status: "running", summary: "news" });
    polls[1]?.answer.resolve({ status: "running" });
    polls.length = 0;
    await clock.advance(1_000);
    expect(asked()).toEqual([0, 1]);
    polls[0]?.answer.resolve({ status: "running", summary: "more news" });
    polls[1]?.answer.resolve({ status: "running" });
    polls.length = 0;
    await clock.advance(1_000);
    expect(asked()).toEqual([0]);
    polls[0]?.answer.resolve({ status: "running", summary: "news again" });
    polls.length = 0;
    // Others have every place when both are due: 0 was asked last at 2 s, 1 at 1 s.
    for (const n of range(10, 10 + AT_A_TIME)) put(n);
    await settled();
    await clock.advance(1_000);
    expect(asked()).toEqual(range(10, 10 + AT_A_TIME));
    await answer(1);
    expect(asked().at(-1)).toBe(1);
    await answer(1);
    expect(asked().at(-1)).toBe(0);
  });

  test("L2 C6 a task that waits for its turn holds no slot, and no timeout of it counts", async () => {
    const { clock, manager, put, answer } = world(AT_A_TIME + 1);
    for (const n of range(0, AT_A_TIME)) put(n);
    await settled();
    const waiting = put(99, { timeoutMs: 5_000 });
    await settled();
    expect([waiting.status, waiting.record.blockedOn[0]?.on]).toEqual(["blocked", "time"]);
    expect(manager.stats().lanes["default"]?.free).toBe(1);
    await clock.advance(30_000);
    expect(waiting.status).toBe("blocked");
    await answer(1);
    await answer(AT_A_TIME, { status: "succeeded", value: "done" });
    expect(waiting.status).toBe("succeeded");
  });

  test("C3 a stop does not wait for a turn, and the poll is not made", async () => {
    const { put, asked, answer } = world();
    for (const n of range(0, AT_A_TIME)) put(n);
    await settled();
    const waiting = put(99);
    await settled();
    await expect(waiting.cancel("enough")).resolves.toMatchObject({ status: "cancelled", reason: "enough" });
    await answer(AT_A_TIME);
    expect(asked()).toEqual([]);
  });

  test("C3 a poll that is stopped gives its place to the next", async () => {
    const { put, asked } = world();
    const tasks = range(0, AT_A_TIME + 1).map((n) => put(n));
    await settled();
    void tasks[3]?.cancel();
    await settled();
    expect(asked().at(-1)).toBe(AT_A_TIME);
  });

  test("§12 polls that never answer give their places up in time", async () => {
    const { clock, put, asked, warnings } = world();
    for (const n of range(0, AT_A_TIME)) put(n);
    await settled();
    put(99);
    await settled();
    await clock.advance(60_000);
    expect(asked()).toContain(99);
    expect(warnings).toHaveLength(AT_A_TIME);
  });

  test("H0 each is made outside every task and every async context, whatever it waited for", async () => {
    const { put, answer, where } = world();
    for (const n of range(0, AT_A_TIME + 3)) put(n);
    await settled();
    await answer(AT_A_TIME);
    expect(where).toEqual(range(0, AT_A_TIME + 3).map(() => undefined));
  });
});
