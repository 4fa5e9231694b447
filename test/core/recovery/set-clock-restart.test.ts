// A wall clock that is set between two processes (C7): what is kept as an instant is never longer away than it was at first.

import { describe, expect, test } from "vitest";
import { deferred, settled } from "../../support/basics.js";
import { deaf, untilStopped } from "../../support/program.js";
import { durable, outcome, started, task } from "../../support/restarts.js";

const HOUR = 3_600_000;

describe("C7 after a restart with a wall clock that was set back by an hour", () => {
  test("at most the whole of totalTimeoutMs is left", async () => {
    const kind = durable(untilStopped);
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { totalTimeoutMs: 100_000 });
    await first.pass(300);
    const next = await first.restart(undefined, -HOUR);
    await settled();
    await next.pass(99_999);
    expect(task(next, id).status).toBe("running");
    await next.pass(1);
    expect(await outcome(next, id)).toMatchObject({ error: { code: "total_timeout" } });
  });

  test("a question expires when at most the whole of its time has passed", async () => {
    const kind = durable((ctx) => ctx.ask({ question: "Which?", key: "which", timeoutMs: 100_000 }));
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind);
    await first.pass(300);
    const next = await first.restart(undefined, -HOUR);
    await settled();
    await next.pass(99_999);
    expect(next.manager.inbox.list()).toHaveLength(1);
    await next.pass(1);
    expect(next.manager.inbox.list()).toEqual([]);
  });

  test("L4 a task of the first process is not behind those of the next", async () => {
    const order: string[] = [];
    const gate = deferred();
    const kind = durable(async (ctx) => {
      if (ctx.attempt > 1 || ctx.record.title === "three") order.push(ctx.record.title ?? "");
      await gate.promise;
    });
    const first = await started({ kinds: [kind], concurrency: 1 });
    first.manager.spawn(kind, { title: "one" });
    await first.pass(10);
    first.manager.spawn(kind, { title: "two" });
    await first.pass(10);
    const next = await first.restart(undefined, -HOUR);
    await settled();
    next.manager.spawn(kind, { title: "three" });
    gate.resolve();
    await settled();
    expect(order).toEqual(["one", "two", "three"]);
  });
});

test("C6 elapsedTimeoutMs holds after a restart, for the whole of the next attempt", async () => {
  const kind = durable((ctx) => (ctx.attempt === 1 ? deaf() : ctx.receive()));
  const first = await started({ kinds: [kind] });
  const { id } = first.manager.spawn(kind, { elapsedTimeoutMs: 1_000 });
  await first.pass(900);
  const next = await first.restart();
  await settled();
  await next.pass(999);
  expect(task(next, id).status).toBe("blocked");
  await next.pass(1);
  expect(await outcome(next, id)).toMatchObject({ status: "failed", error: { code: "timeout" } });
});
