// A kind that does not answer after a restart (§12, D4): `open` does not hang, and nothing ends because a remote is slow.

import { setImmediate } from "node:timers/promises";
import { defineKind, TaskManager } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { deferred, peek, settled } from "../../support/basics.js";
import { deaf, given, untilStopped } from "../../support/program.js";
import { durable, type Process, started, task } from "../../support/restarts.js";

const never = () => new Promise<boolean>(() => undefined);

/** What a kind is asked, and by hand answers. */
function slow(name: string) {
  const asked = new Map<string, ReturnType<typeof deferred<boolean>>>();
  const kind = durable((ctx) => (ctx.attempt === 1 ? deaf() : `went on ${ctx.attempt}`), {
    name,
    canReattach: ({ id }) => {
      const answer = deferred<boolean>();
      asked.set(id, answer);
      return answer.promise;
    },
  });
  return { kind, asked, answer: (id: string, goesOn: boolean) => given(asked.get(id)).resolve(goesOn) };
}

/** The next process, which opens over `ms` of its clock. */
async function opened(before: Process, options: Parameters<typeof started>[0], ms: number) {
  const clock = manualClock(before.clock.now() + 1_000);
  const opening = TaskManager.open({ ...options, clock, store: before.store.crash() });
  await settled();
  await clock.advance(ms - 1);
  expect((await peek(opening)).is).toBe("pending");
  await clock.advance(1);
  return { manager: await opening, clock };
}

describe("§12 a canReattach that does not answer", () => {
  test("leaves its task parked, for its kind, and open resolves after the grace; the logger is warned of kind and task", async () => {
    const warnings: string[] = [];
    const logger = { warn: (message: string) => void warnings.push(message), error: () => undefined };
    const kind = durable(deaf, { name: "remote", canReattach: never });
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "far" });
    const done = await first.manager.spawn(() => 1, { id: "done" }).result();
    await settled();
    const { manager, clock } = await opened(first, { kinds: [kind], logger, graceMs: 2_000 }, 2_000);
    expect([done, manager.get("done")?.status]).toEqual([1, "succeeded"]);
    expect(manager.get("far")?.record).toMatchObject({
      status: "blocked",
      blockedOn: [{ on: "kind", kind: "remote" }],
    });
    await setImmediate();
    expect(warnings).toEqual([expect.stringMatching(/"remote".*2000 ms.*"far"/)]);
    await manager.idle();
    await manager.close();
    expect(clock.nextAt).toBeUndefined();
  });

  test.each([
    [0, 1_000],
    [Number.POSITIVE_INFINITY, 30_000],
  ])("with a grace of %d ms is waited for %d ms", async (graceMs, ms) => {
    const kind = durable(deaf, { canReattach: never });
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind);
    await settled();
    const { manager } = await opened(first, { kinds: [kind], graceMs }, ms);
    expect(manager.list({ status: "blocked" })).toHaveLength(1);
  });

  test("shares one time with all others: a hundred tasks take no longer, and another kind is asked and resumed meanwhile", async () => {
    const remote = durable(deaf, { name: "remote", canReattach: never });
    const near = durable((ctx) => (ctx.attempt === 1 ? deaf() : "near"), { name: "near" });
    const first = await started({ kinds: [remote, near] });
    for (let n = 0; n < 100; n++) first.manager.spawn(remote);
    first.manager.spawn(near, { id: "near" });
    await settled();
    const { manager } = await opened(first, { kinds: [remote, near], graceMs: 1_000 }, 1_000);
    expect(await given(manager.get("near")).result()).toBe("near");
    expect(manager.list({ kind: "remote", status: "blocked" })).toHaveLength(100);
    await manager.close();
  });

  test("and answers late: its task is resumed, or ends, then", async () => {
    const { kind, answer } = slow("slow");
    const first = await started({ kinds: [kind] });
    for (const id of ["goes", "stays"]) first.manager.spawn(kind, { id });
    await settled();
    const { manager } = await opened(first, { kinds: [kind], graceMs: 1_000 }, 1_000);
    answer("goes", true);
    answer("stays", false);
    expect(await given(manager.get("goes")).result()).toBe("went on 2");
    expect(await given(manager.get("stays")).outcome()).toMatchObject({
      status: "interrupted",
      reason: "process_lost",
    });
    await manager.idle();
    expect(manager.stats()).toMatchObject({ queued: 0, running: 0, blocked: 0 });
  });

  test("H7 keeps its children with it, and they go with its answer", async () => {
    for (const goesOn of [true, false]) {
      const child = durable(deaf, { name: "child" });
      const { asked, answer } = slow("unused");
      const parent = durable(
        (ctx) => {
          ctx.spawn(child, { id: "child" });
          return deaf();
        },
        {
          name: "parent",
          canReattach: ({ id }) => {
            const verdict = deferred<boolean>();
            asked.set(id, verdict);
            return verdict.promise;
          },
        },
      );
      const first = await started({ kinds: [parent, child] });
      first.manager.spawn(parent, { id: "parent" });
      await settled();
      const { manager } = await opened(first, { kinds: [parent, child], graceMs: 1_000 }, 1_000);
      expect(manager.get("child")?.record.blockedOn).toEqual([{ on: "kind", kind: "parent" }]);
      answer("parent", goesOn);
      await settled();
      const statuses = ["parent", "child"].map((id) => manager.get(id)?.status);
      expect(statuses).toEqual(goesOn ? ["running", "running"] : ["interrupted", "interrupted"]);
    }
  });

  test("a parked task that was cancelled meanwhile is not resumed by the answer, nor is one of a closed manager", async () => {
    for (const how of ["cancel", "close"] as const) {
      const { kind, answer } = slow("slow");
      const first = await started({ kinds: [kind] });
      first.manager.spawn(kind, { id: "task" });
      await settled();
      const { manager } = await opened(first, { kinds: [kind], graceMs: 1_000 }, 1_000);
      await (how === "cancel" ? manager.get("task")?.cancel() : manager.close());
      answer("task", true);
      await settled();
      expect(manager.get("task")?.status).toBe(how === "cancel" ? "cancelled" : "blocked");
    }
  });

  test("the next process asks again", async () => {
    const { kind } = slow("slow");
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "task" });
    await settled();
    const options = { kinds: [kind], graceMs: 1_000 };
    const opening = started(options, first.store.crash(), 2_000);
    expect((await peek(opening)).is).toBe("pending");
    const next = await first.restart({ kinds: [durable(untilStopped, { name: "slow" })] });
    await settled();
    expect(task(next, "task").record).toMatchObject({ status: "running", attempt: 2 });
  });
});

describe("§12 other hooks that do not answer", () => {
  test.each(["cancel", "deliver", "reconcile"] as const)("%s: open resolves, and other tasks go on", async (hook) => {
    const kind = defineKind<unknown>({
      name: "remote",
      canReattach: () => true,
      run: (ctx) => (hook === "reconcile" ? undefined : untilStopped(ctx)),
      [hook]: never,
    });
    const first = await started({ kinds: [kind], graceMs: 1e6 });
    const far = first.manager.spawn(kind, { id: "far" });
    await settled();
    if (hook === "cancel") void far.cancel();
    else await far.send("hello");
    await settled();
    const second = await first.restart();
    expect(await second.manager.spawn(() => 1).result()).toBe(1);
    await settled();
    expect(task(second, "far").status).toBe(hook === "cancel" ? "cancelled" : "running");
  });
});
