// Open requests: what a question about some tasks costs, and which watchers a new one reaches (W3, W4).

import type { TaskContext } from "errand";
import { describe, expect, test } from "vitest";
import type { Core } from "../../../lib/core/core.js";
import { OpenRequests } from "../../../lib/core/inbox/open-requests.js";
import type { Task } from "../../../lib/core/live/task.js";
import { Context } from "../../../lib/session/context.js";
import { settled } from "../../support/basics.js";
import { given, world as manual, untilStopped } from "../../support/program.js";

/** Tasks with one open request each, and a count of the reads: of the task of a request, and of the family of a task. */
function world(count: number) {
  let read = 0;
  const counted = {
    parent: undefined,
    get family() {
      read++;
      return {};
    },
  };
  const tasks = Array.from({ length: count }, () => Object.create(counted, {}) as unknown as Task);
  const entries = tasks.map((task, order) => ({
    order,
    get task() {
      read++;
      return task;
    },
  }));
  const open = new OpenRequests<(typeof entries)[number]>((task) => {
    read++;
    return entries.slice(tasks.indexOf(task), tasks.indexOf(task) + 1);
  });
  for (const entry of entries) open.add(entry);
  return { tasks, entries, open, reads: () => read };
}

describe("one open request of a thousand tasks", () => {
  test("W3 costs no step for each task that a question is about", () => {
    const { tasks, entries, open, reads } = world(1_000);
    for (const entry of entries.slice(1)) open.delete(entry);
    const all = new Set(tasks);
    expect(open.of(all)).toEqual([entries[0]]);
    expect(reads()).toBe(1);
    expect([...open.below(all)]).toEqual([entries[0]]);
    expect(reads()).toBe(2);
    expect([...open.all]).toEqual([entries[0]]);
  });
});

describe("the open requests of a task with children", () => {
  test("W3 cost as many steps as there are tasks below it, however many others are open", async () => {
    const { manager } = manual();
    const ids: string[] = [];
    let core: Core | undefined;
    const run = (ctx: TaskContext): Promise<never> => {
      core = Context.coreOf(ctx);
      ids.push(ctx.id);
      return untilStopped(ctx);
    };
    const parent = manager.spawn((ctx) => {
      ctx.spawn(run);
      return run(ctx);
    });
    const other = manager.spawn(run);
    await settled();
    const taskOf = (id: string) => given(core?.registry.byId(id));
    const [top, elsewhere] = [taskOf(parent.id), taskOf(other.id)];
    let read = 0;
    const open = new OpenRequests<{ readonly order: number; readonly task: Task }>(() => {
      read++;
      return [];
    });
    for (let order = 0; order < 100; order++)
      open.add({
        order,
        get task() {
          read++;
          return elsewhere;
        },
      });
    expect([...open.below(new Set([top]))]).toEqual([]);
    // The parent and its child.
    expect(read).toBe(2);
    await manager.close();
  });
});

describe("a request that opens", () => {
  test("W3 costs nothing when no caller watches", () => {
    const { entries, open, reads } = world(1);
    open.announce(given(entries[0]));
    expect(reads()).toBe(0);
  });
});

describe("the watchers of one task", () => {
  test("W4 learn of a request in order of coming, until each leaves, and leaving twice has no further effect", () => {
    const { tasks, entries, open } = world(2);
    const told: string[] = [];
    const watch = (name: string) => open.watch(new Set(tasks.slice(0, 1)), () => told.push(name));
    const [one, two] = [watch("one"), watch("two")];
    const announce = (): readonly string[] => {
      for (const entry of entries) open.announce(entry);
      return told.splice(0);
    };
    expect(announce()).toEqual(["one", "two"]);
    one();
    one();
    expect(announce()).toEqual(["two"]);
    two();
    two();
    expect(announce()).toEqual([]);
    watch("three");
    expect(announce()).toEqual(["three"]);
  });

  test("W4 learn once of a request, also when they watch its task and the parent of that task", () => {
    const { tasks, entries, open } = world(2);
    const [parent, child] = tasks;
    if (parent === undefined || child === undefined) throw new Error();
    Object.defineProperty(child, "parent", { value: parent });
    const told: unknown[] = [];
    open.watch(new Set([parent, child]), (entry) => told.push(entry));
    open.announce(given(entries[1]));
    expect(told).toEqual([entries[1]]);
  });
});

describe("a thousand open requests of a thousand tasks", () => {
  test("W3 cost nothing for a question about one task", () => {
    const { tasks, entries, open, reads } = world(1_000);
    const one = new Set(tasks.slice(500, 501));
    expect([...open.of(one)]).toEqual([entries[500]]);
    expect([...open.below(one)]).toEqual([entries[500]]);
    expect(reads()).toBeLessThan(5);
  });

  test("W3 W4 reach the watchers of their task and of the tasks above, and no other", () => {
    const { tasks, entries, open } = world(1_000);
    const [parent, child, other] = tasks;
    const [, entry] = entries;
    if (parent === undefined || child === undefined || other === undefined || entry === undefined) throw new Error();
    Object.defineProperty(child, "parent", { value: parent });
    const told: string[] = [];
    const offs = Object.entries({ parent, child, other }).map(([name, task]) =>
      open.watch(new Set([task]), () => told.push(name)),
    );
    open.announce(entry);
    // The order is that of coming: the caller that waits longest comes first (W4).
    expect(told).toEqual(["parent", "child"]);
    for (const off of offs) off();
    open.announce(entry);
    expect(told).toHaveLength(2);
  });
});
