// The registry, as scopes read it: many sessions and many loops in one manager do not pay for each other.

import { defineKind, type TaskHandle, TaskManager } from "errand";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Registry } from "../../../lib/core/live/registry.js";
import { settled } from "../../support/basics.js";

/** Numbers that look random, the same for the same seed. */
function roller(seed: number) {
  let state = seed;
  return (below: number): number => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const wait = defineKind({ name: "wait", run: (ctx) => ctx.receive() });

afterEach(() => {
  vi.restoreAllMocks();
});

describe("what a loop reads of its own tasks", () => {
  test("N1 D6 walks over no task of another loop: list, view, tools, cancelAll, and its questions", async () => {
    const manager = new TaskManager({ kinds: [wait] });
    const session = manager.session("chat-1");
    session.spawn(wait);
    manager.session("chat-2").spawn((ctx) => ctx.ask({ question: "Which?" }));
    const walked = vi.spyOn(Registry.prototype, "all");
    const parent = session.spawn(async (ctx) => {
      const child = ctx.spawn(wait);
      await child.stored();
      const scopes = [ctx, session];
      for (const scope of scopes) {
        expect(scope.list().length).toBeGreaterThan(0);
        expect(scope.view()).toContain(child.id);
        for (const name of ["list_tasks", "await_tasks", "get_task"] as const) {
          const tool = scope.tools().find((each) => each.name === name);
          await tool?.execute(
            name === "get_task" ? { task_id: child.id } : name === "await_tasks" ? { timeout_ms: 0 } : {},
            { callId: `${name}-${scope.id}` },
          );
        }
      }
      await ctx.cancelAll();
    });
    await parent.outcome();
    expect(manager.list({ sessionId: "chat-2" })).toHaveLength(1);
    expect(manager.list({ parentId: parent.id })).toHaveLength(1);
    expect(manager.list({ rootId: parent.id })).toHaveLength(2);
    expect(manager.inbox.list({ sessionId: "chat-2" })).toHaveLength(1);
    await session.cancelAll();
    expect(walked).not.toHaveBeenCalled();
  });

  test("the narrow lists have the same tasks in the same order as a filter over all", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const roll = roller(seed);
      const manager = new TaskManager({ retention: { maxFinished: 5 }, limits: { maxDepth: 50 } });
      const spawned: TaskHandle[] = [];
      for (let step = 0; step < 60; step++) {
        const parent: TaskHandle | undefined =
          roll(2) === 0 ? undefined : spawned.filter(({ status }) => status === "running").at(-1 - roll(3));
        const scope = roll(3) === 0 ? manager : manager.session(`s${roll(3)}`);
        const work = roll(3) === 0 ? () => Promise.resolve() : wait;
        spawned.push(
          parent === undefined
            ? scope.spawn(work as () => Promise<void>)
            : manager.spawn(work as () => Promise<void>, { parent }),
        );
        if (roll(4) === 0) void spawned[roll(spawned.length)]?.cancel();
        if (roll(3) === 0) await settled();
      }
      const all = manager.list();
      for (const { id, sessionId } of all) {
        expect(manager.list({ parentId: id })).toEqual(all.filter(({ parentId }) => parentId === id));
        expect(manager.list({ rootId: id })).toEqual(all.filter(({ rootId }) => rootId === id));
        if (sessionId === undefined) continue;
        const ofSession = all.filter((record) => record.sessionId === sessionId);
        expect(manager.list({ sessionId })).toEqual(ofSession);
        expect(manager.session(sessionId).list()).toEqual(ofSession);
      }
      await manager.close({ graceMs: 0 });
    }
  });
});
