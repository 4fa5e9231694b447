// The same work asked for twice (§9, §10): by `id`, or by `callId` in its session and run. One task, running or ended, as long as its
// record is kept. Other content is a conflict of an `id`, and a new task of a `callId`. What a plain function does, and what an eviction does, is in test/session/session.test.ts too.

import type { SpawnOptions, TaskContext, TaskHandle, TaskManager } from "errand";
import { defineKind } from "errand";
import { describe, expect, test } from "vitest";
import { facts, settled } from "../../support/basics.js";
import { deaf, given, hold, refusalOf, refused, untilStopped, world } from "../../support/program.js";
import { compacted, started, task } from "../../support/restarts.js";

/** A kind, and how often it ran with which input. */
function counting() {
  const runs: unknown[] = [];
  const kind = defineKind({
    name: "work",
    run: (ctx, input: unknown) => {
      runs.push(input);
      return ctx.record.tags.includes("long") ? untilStopped(ctx) : input;
    },
  });
  const other = defineKind({ name: "other", run: (_ctx, input: unknown) => input });
  return { kind, other, runs, kinds: [kind, other] };
}

/** What makes a spawn the same one. */
const keys: readonly [string, SpawnOptions][] = [
  ["id", { id: "same" }],
  ["callId", { callId: "same" }],
];

describe.each(keys)("§10 the same %s", (name, key) => {
  const ends: readonly [string, (handle: TaskHandle) => Promise<unknown>, SpawnOptions][] = [
    ["queued", async () => undefined, { lane: "closed" }],
    ["running", () => settled(), { tags: ["long"] }],
    ["succeeded", (handle) => handle.outcome(), {}],
    ["cancelled", (handle) => handle.cancel(), { tags: ["long"] }],
  ];
  test.each(ends)("with the same content is the same task, %s, and runs nothing again", async (status, end, more) => {
    const { kind, runs, kinds } = counting();
    const { manager } = world({ kinds, lanes: { closed: { concurrency: 1 } } });
    manager.pause("closed");
    const told = facts(manager);
    const options = { ...key, ...more, input: { n: 1, list: [1, { a: null }] } };
    const first = manager.spawn(kind, options);
    await end(first);
    expect(first.status).toBe(status);
    const before = runs.length;
    const again = manager.spawn("work", { ...key, ...more, input: { list: [1, { a: null }], n: 1 } });
    expect([again.id, again.status, again.record]).toEqual([first.id, status, first.record]);
    await settled();
    expect([runs.length, manager.list().length]).toEqual([before, 1]);
    expect(told.filter(({ type }) => type === "task.created")).toHaveLength(1);
  });

  test("is no conflict for what is no content: other words about it change nothing", async () => {
    const { kind, kinds } = counting();
    const { manager } = world({ kinds });
    const first = manager.spawn(kind, { ...key, input: 1, title: "first", tags: ["a"], priority: 1 });
    const again = manager.spawn(kind, { ...key, input: 1, title: "second", tags: ["b"], priority: 2, timeoutMs: 1 });
    expect(again.id).toBe(first.id);
    expect(first.record).toMatchObject({ title: "first", tags: ["a"], priority: 1 });
    await settled();
  });

  const conflicts: readonly [string, unknown, unknown][] = [
    ["a number more", { n: 1 }, { n: 1, m: 2 }],
    ["a number less", { n: 1, m: 2 }, { n: 1 }],
    ["another order of a list", [1, 2], [2, 1]],
    ["null for nothing", { n: null }, {}],
    ["a text for a number", { n: 1 }, { n: "1" }],
    ["a list for an object", [], {}],
    ["null for an empty object", null, {}],
    ["something for nothing", undefined, 1],
    ["another key", { __proto__x: 1 }, { constructor: 1 }],
  ];
  test.each(conflicts)("with another input is no replay: %s", async (_what, one, two) => {
    const { kind, kinds } = counting();
    const { manager } = world({ kinds });
    const first = manager.spawn(kind, { ...key, input: one });
    if (name === "callId") {
      expect(manager.spawn(kind, { ...key, input: two }).id).not.toBe(first.id);
      expect(manager.list()).toHaveLength(2);
      return settled();
    }
    const error = refused(() => manager.spawn(kind, { ...key, input: two }), "ID_CONFLICT");
    expect([error.id, error.message]).toEqual(["same", expect.stringContaining(first.id)]);
    await first.outcome();
    refused(() => manager.spawn(kind, { ...key, input: two }), "ID_CONFLICT");
    expect(manager.list()).toHaveLength(1);
  });

  const alike: readonly [string, unknown, unknown][] = [
    ["a field that is undefined and none", { a: 1, b: undefined }, { a: 1 }],
    ["an instant and its text", { at: new Date(0) }, { at: "1970-01-01T00:00:00.000Z" }],
    ["zero and minus zero", { n: -0 }, { n: 0 }],
    ["an object without a prototype", Object.assign(Object.create(null), { n: 1 }), { n: 1 }],
    [
      "an object of a class",
      new (class Point {
        readonly n = 1;
      })(),
      { n: 1 },
    ],
    ["what says its own JSON", { toJSON: () => ({ n: 1 }) }, { n: 1 }],
    ["numbers of many digits", { n: 1e21 }, { n: 1_000_000_000_000_000_000_000 }],
    ["texts of lone surrogates", { s: "\ud800" }, { s: "\ud800" }],
  ];
  test.each(alike)("goes by the JSON of its input, also after a restart: %s", async (_what, one, two) => {
    const { kind, kinds } = counting();
    const first = await started({ kinds });
    const handle = first.manager.spawn(kind, { ...key, input: one });
    expect(first.manager.spawn(kind, { ...key, input: two }).id).toBe(handle.id);
    await handle.outcome();
    const second = await first.restart();
    for (const input of [one, two]) expect(second.manager.spawn(kind, { ...key, input }).id).toBe(handle.id);
  });

  test("with another kind, or with a plain function for a kind, is other content; for a function it alone counts", async () => {
    const { kind, other, kinds } = counting();
    const { manager } = world({ kinds });
    const others = (first: TaskHandle, spawns: readonly (() => TaskHandle)[]) => {
      for (const spawn of spawns) {
        if (name === "id") refused(spawn, "ID_CONFLICT");
        else expect(spawn().id).not.toBe(first.id);
      }
    };
    const first = manager.spawn(kind, { ...key, input: 1 });
    others(first, [() => manager.spawn(other, { ...key, input: 1 }), () => manager.spawn(() => 1, key)]);
    const plain = { [name]: "plain" };
    const second = manager.spawn(() => 1, plain);
    expect(manager.spawn(deaf, plain).id).toBe(second.id);
    others(second, [() => manager.spawn(kind, { ...plain, input: 1 })]);
    await settled();
  });

  test("with an input that JSON cannot carry is a TypeError, and no conflict", async () => {
    const { kind, kinds } = counting();
    const { manager } = world({ kinds });
    manager.spawn(kind, { ...key, input: 1 });
    expect(await refusalOf(() => manager.spawn(kind, { ...key, input: () => 1 }))).toMatchObject({ name: "TypeError" });
    await settled();
  });

  test("is the same task also where a new one would be refused: the line full, the name taken, the budget spent", async () => {
    const { kind, kinds } = counting();
    const { manager } = world({ kinds, concurrency: 1, limits: { maxQueued: 1, maxChildren: 1 } });
    const parent = manager.spawn(untilStopped, { budget: { tasks: 2 } });
    await settled();
    const options = { ...key, parent, name: "one", input: 1 };
    const first = manager.spawn(kind, options);
    refused(() => manager.spawn(kind, { parent, input: 1 }), "LIMIT_EXCEEDED");
    expect(manager.spawn(kind, options).id).toBe(first.id);
    await manager.close();
  });

  test("once its record is gone is a new task", async () => {
    const { kind, runs, kinds } = counting();
    const { manager } = world({ kinds, retention: { maxFinished: 1 } });
    const first = manager.spawn(kind, { ...key, input: 1 });
    await first.result();
    await manager.spawn(kind, { input: 0 }).result();
    await settled();
    expect(manager.get(first.id)).toBeUndefined();
    // Other content, too.
    const second = manager.spawn(kind, { ...key, input: 2 });
    expect(await second.result()).toBe(2);
    expect([first.status, runs]).toEqual(["succeeded", [1, 0, 2]]);
    expect(await first.result()).toBe(1);
  });

  test.each(["by its events", "by a snapshot"])("D2 is the same after a restart that reads it %s", async (how) => {
    const { kind, runs, kinds } = counting();
    const first = await started({ kinds });
    const ended = first.manager.session("chat").spawn(kind, { ...key, input: { a: 1, b: 2 } });
    await ended.outcome();
    if (how === "by a snapshot") await compacted(first);
    const second = await first.restart();
    const session = second.manager.session("chat");
    const again = session.spawn("work", { ...key, input: { b: 2, a: 1 } });
    expect([again.id, again.status, await again.result()]).toEqual([ended.id, "succeeded", { a: 1, b: 2 }]);
    expect(runs).toHaveLength(1);
    if (name === "id") refused(() => session.spawn(kind, { ...key, input: { a: 1 } }), "ID_CONFLICT");
    else expect(session.spawn(kind, { ...key, input: { a: 1 } }).id).not.toBe(ended.id);
  });

  test("D4 is the interrupted task after a crash, and not one that runs again", async () => {
    const { kind, runs, kinds } = counting();
    const first = await started({ kinds });
    const handle = first.manager.spawn(kind, { ...key, input: 1, tags: ["long"] });
    await settled();
    const second = await first.restart();
    const again = second.manager.spawn(kind, { ...key, input: 1, tags: ["long"] });
    expect([again.id, again.status, runs]).toEqual([handle.id, "interrupted", [1]]);
  });

  test("D4 is the task that a restart goes on with", async () => {
    const kind = defineKind({
      name: "lasting",
      canReattach: () => true,
      run: (ctx, input: number) => (ctx.attempt === 1 ? untilStopped(ctx) : input + 1),
    });
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind, { ...key, input: 1 });
    await settled();
    const second = await first.restart();
    const again = second.manager.spawn(kind, { ...key, input: 1 });
    expect([again.id, await again.result()]).toEqual([handle.id, 2]);
  });

  test("in one turn is one task, also before anything of it is stored", async () => {
    const { kind, kinds, runs } = counting();
    const first = await started({ kinds });
    first.store.hold();
    const tasks = [1, 2, 3].map(() => first.manager.spawn(kind, { ...key, input: 1 }));
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(1);
    first.store.letThrough();
    await settled();
    expect(runs).toHaveLength(1);
  });

  test("H7 in the next attempt of a parent is the child that the last one left, as it ended", async () => {
    const { kind, kinds, runs } = counting();
    const { manager, pass } = world({ kinds });
    const seen: string[] = [];
    const parent = manager.spawn(
      async (ctx) => {
        const child = ctx.spawn(kind, { ...key, input: 1 });
        seen.push(`${ctx.attempt} ${(await child.outcome()).status}`);
        if (ctx.attempt === 1) throw new Error("once more");
      },
      { retry: { maxAttempts: 2, backoffMs: 0 } },
    );
    await pass(1);
    expect([parent.status, seen, runs]).toEqual(["succeeded", ["1 succeeded", "2 succeeded"], [1]]);
  });
});

describe("§9 a callId", () => {
  test("is one of its session and run: a root of none, a session's, a run's, a parent's are apart", async () => {
    const { kind, kinds } = counting();
    const { manager } = world({ kinds });
    const call = { callId: "c", input: 1 };
    const parent = hold(manager.session("a"));
    await settled();
    const places: readonly (() => TaskHandle)[] = [
      () => manager.spawn(kind, call),
      () => manager.spawn(kind, { ...call, runId: "r" }),
      () => manager.session("a").spawn(kind, call),
      () => manager.session("b").spawn(kind, call),
      () => manager.session("a").spawn(kind, { ...call, runId: "r" }),
      () => parent.ctx.spawn(kind, call),
      () => parent.ctx.spawn(kind, { ...call, runId: "r" }),
    ];
    const first = places.map((spawn) => spawn().id);
    expect(new Set(first).size).toBe(places.length);
    expect(places.map((spawn) => spawn().id)).toEqual(first);
    // The same parent, named from outside.
    expect(manager.spawn(kind, { ...call, parent: parent.handle }).id).toBe(first[5]);
    parent.finish();
  });

  test("under a parent is of the parent's run, whether the spawn says so or not", async () => {
    const { kind, kinds } = counting();
    const { manager } = world({ kinds });
    const parent = hold(manager, { runId: "r" });
    await settled();
    const child = parent.ctx.spawn(kind, { callId: "c", input: 1 });
    expect(child.record.runId).toBe("r");
    expect(parent.ctx.spawn(kind, { callId: "c", runId: "r", input: 1 }).id).toBe(child.id);
    expect(parent.ctx.spawn(kind, { callId: "c", runId: "other", input: 1 }).id).not.toBe(child.id);
    parent.finish();
  });

  test("§10 with other content is a new call, and each of the calls is still known by its own content", async () => {
    const { kind, other, kinds, runs } = counting();
    const { manager } = world({ kinds });
    const inputs = [1, { a: 1 }, "x".repeat(5_000), `${"x".repeat(4_999)}y`, undefined, null];
    const turn = () => [
      ...inputs.map((input) => manager.spawn(kind, { callId: "call_0", input }).id),
      manager.spawn(other, { callId: "call_0", input: 1 }).id,
      manager.spawn(() => 1, { callId: "call_0" }).id,
    ];
    const first = turn();
    expect(new Set(first).size).toBe(8);
    await settled();
    expect(turn()).toEqual(first);
    await settled();
    expect(runs).toHaveLength(inputs.length);
  });

  test("§10 used again in the next turn is known by each of its contents after a restart, by events and by a snapshot", async () => {
    const { kind, kinds, runs } = counting();
    let process = await started({ kinds });
    const turn = () =>
      ["rivers", "lakes", "x".repeat(500)].map((input) =>
        process.manager.session("chat").spawn(kind, { callId: "call_0", input }),
      );
    const first = turn();
    for (const handle of first) await handle.outcome();
    process = await process.restart();
    expect(turn().map(({ id }) => id)).toEqual(first.map(({ id }) => id));
    await compacted(process);
    process = await process.restart();
    expect(turn().map(({ id }) => id)).toEqual(first.map(({ id }) => id));
    expect(runs).toHaveLength(3);
  });

  test("§10 of an evicted record is forgotten with it; the other contents of the same id stay known", async () => {
    const { kind, kinds } = counting();
    const { manager } = world({ kinds, retention: { maxFinished: 1 } });
    const first = manager.spawn(kind, { callId: "call_0", input: 1 });
    await first.outcome();
    const second = manager.spawn(kind, { callId: "call_0", input: 2 });
    await second.outcome();
    await settled();
    expect(manager.get(first.id)).toBeUndefined();
    expect(manager.spawn(kind, { callId: "call_0", input: 2 }).id).toBe(second.id);
    expect(manager.spawn(kind, { callId: "call_0", input: 1 }).id).not.toBe(first.id);
    await settled();
  });

  test("of names that could be taken for one another are apart", async () => {
    const { kind, kinds } = counting();
    const { manager } = world({ kinds });
    const ids = [
      manager.session("a").spawn(kind, { runId: "b,c", callId: "d", input: 1 }),
      manager.session("a").spawn(kind, { runId: "b", callId: "c,d", input: 1 }),
      manager.session('a","b').spawn(kind, { callId: "c", input: 1 }),
      manager.session("a").spawn(kind, { runId: "b", callId: "c", input: 1 }),
      manager.session("null").spawn(kind, { callId: "c", input: 1 }),
      manager.spawn(kind, { callId: "c", input: 1 }),
      manager.spawn(kind, { runId: "null", callId: "c", input: 1 }),
    ].map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    await settled();
  });

  test("beside an id: the id decides, and another call with it is the same task", async () => {
    const { kind, kinds } = counting();
    const { manager } = world({ kinds });
    const first = manager.spawn(kind, { id: "i", callId: "c", input: 1 });
    expect(manager.spawn(kind, { id: "i", callId: "d", input: 1 }).id).toBe("i");
    expect(manager.spawn(kind, { callId: "c", input: 1 }).id).toBe(first.id);
    await settled();
  });

  test("with an id that no task has is the same call: it does not make a second task", async () => {
    const { kind, kinds } = counting();
    const { manager } = world({ kinds });
    const first = manager.spawn(kind, { callId: "c", input: 1 });
    const again = await Promise.resolve()
      .then(() => manager.spawn(kind, { id: "new", callId: "c", input: 1 }))
      .catch((error: unknown) => error);
    // Never two tasks for one call.
    expect(manager.list()).toHaveLength(1);
    expect(again).toMatchObject({ id: first.id });
  });
});

describe("§10 in the next attempt of a retry, a child by the same key", () => {
  const ends: readonly [string, boolean, (ctx: TaskContext) => Promise<unknown>][] = [
    ["failed", false, () => Promise.reject(new Error("no such page"))],
    ["cancelled by the sweep", false, untilStopped],
    ["succeeded", true, async () => 1],
  ];
  test.each(keys.flatMap(([name, key]) => ends.map((end) => [name, key, ...end] as const)))(
    "%s %s %s",
    async (_name, key, how, isKept, first) => {
      const { manager, pass } = world();
      const runs: string[] = [];
      const ids = new Set<string>();
      const parent = manager.spawn(
        async (ctx) => {
          const child = ctx.spawn(
            (inner) => (runs.push(`${ctx.attempt}.${inner.attempt}`), ctx.attempt === 1 ? first(inner) : 2),
            key,
          );
          ids.add(child.id);
          // The same spawn in one attempt is the same attempt of the child.
          if (how === "failed") await child.outcome();
          expect(ctx.spawn(() => 3, key).record).toBe(child.record);
          await settled();
          if (ctx.attempt === 1) throw new Error("once more");
          return child.result();
        },
        { retry: { maxAttempts: 2, backoffMs: 0, jitter: false } },
      );
      for (let n = 0; n < 10; n++) await pass(1);
      expect(await parent.result()).toBe(isKept ? 1 : 2);
      expect([runs, ids.size]).toEqual([isKept ? ["1.1"] : ["1.1", "2.2"], 1]);
      expect(manager.tree(parent.id)[0]?.children).toHaveLength(1);
    },
  );

  test("keeps what an earlier attempt of the child did below it", async () => {
    const { manager, pass } = world();
    const runs: string[] = [];
    const parent = manager.spawn(
      async (ctx) => {
        await ctx
          .spawn(
            async (middle) => {
              for (const id of ["a", "b"]) await middle.spawn(() => void runs.push(id), { id }).result();
              if (middle.attempt === 1) throw new Error("once more");
            },
            { id: "middle" },
          )
          .result();
      },
      { retry: { maxAttempts: 2, backoffMs: 0, jitter: false } },
    );
    for (let n = 0; n < 10; n++) await pass(1);
    expect([parent.status, runs]).toEqual(["succeeded", ["a", "b"]]);
    const [tree] = manager.tree(parent.id);
    expect(tree?.children.map(({ record, children }) => [record.id, record.attempt, children.length])).toEqual([
      ["middle", 2, 2],
    ]);
    expect(parent.usage().tasks).toBe(5);
  });

  test("reports no end of the attempt before to the parent's owner again", async () => {
    const { manager, pass } = world();
    const chat = manager.session("chat");
    const parent = chat.spawn(
      async (ctx) => {
        const isFirst = ctx.attempt === 1;
        const work = () => (isFirst ? Promise.reject(new Error("no")) : 2);
        const child = ctx.spawn(work, { id: "child", wake: "onTerminal" });
        await settled();
        if (isFirst) throw new Error("once more");
        return child.result();
      },
      { retry: { maxAttempts: 2, backoffMs: 0, jitter: false }, wake: "silent" },
    );
    for (let n = 0; n < 10; n++) await pass(1);
    expect(await parent.result()).toBe(2);
    expect(await chat.nextNotices({ timeoutMs: 0 })).toBeUndefined();
  });
});

describe("§10 an id is its owner's:", () => {
  type Options = Pick<SpawnOptions, "parent">;
  type Owner = readonly [Pick<TaskManager, "spawn">, Options?];
  const owners: readonly [string, (manager: TaskManager) => readonly [Owner, Owner]][] = [
    ["two sessions", (manager) => [[manager.session("a")], [manager.session("b")]]],
    ["a session and the program", (manager) => [[manager.session("a")], [manager]]],
    ["the program and a session", (manager) => [[manager], [manager.session("a")]]],
    [
      "two parents",
      (manager) => [
        [manager, { parent: manager.spawn(untilStopped) }],
        [manager, { parent: manager.spawn(untilStopped) }],
      ],
    ],
  ];
  test.each(owners)("%s", async (_what, two) => {
    const { kind, kinds } = counting();
    const spawns: readonly ((owner: Owner) => TaskHandle)[] = [
      ([owner, options]) => owner.spawn(() => 1, { id: "report", ...options }),
      ([owner, options]) => owner.spawn(kind, { id: "report", input: 1, ...options }),
    ];
    for (const spawn of spawns) {
      const { manager } = world({ kinds });
      const [one, other] = two(manager);
      const first = spawn(one);
      expect(refused(() => spawn(other), "ID_CONFLICT").message).toContain("report");
      expect(spawn(one).id).toBe(first.id);
      expect(await first.result()).toBe(1);
      await manager.close({ graceMs: 0 });
    }
  });
});

describe("§10 an id", () => {
  test("of a kind under another parent is IdConflictError, from wherever it is asked for", async () => {
    const { kind, kinds } = counting();
    const { manager } = world({ kinds });
    const [one, two] = [hold(manager), hold(manager)];
    await settled();
    const child = one.ctx.spawn(kind, { id: "c", input: 1 });
    expect(one.ctx.spawn(kind, { id: "c", input: 1 }).id).toBe(child.id);
    expect(manager.spawn(kind, { id: "c", input: 1, parent: one.handle }).id).toBe(child.id);
    refused(() => two.ctx.spawn(kind, { id: "c", input: 1 }), "ID_CONFLICT");
    refused(() => manager.spawn(kind, { id: "c", input: 1 }), "ID_CONFLICT");
    refused(() => manager.session("s").spawn(kind, { id: "c", input: 1 }), "ID_CONFLICT");
    one.finish();
    two.finish();
  });

  test("H3 finds nothing from a parent that was stopped: nothing is spawned from it, also what it had", async () => {
    const { kind, kinds } = counting();
    const { manager } = world({ kinds });
    const parent = hold(manager);
    await settled();
    parent.ctx.spawn(kind, { id: "c", input: 1 });
    const context = parent.ctx;
    await parent.handle.cancel();
    refused(() => context.spawn(kind, { id: "c", input: 1 }), "SCOPE_CANCELLED");
  });

  test("that is no text, or empty, is refused", async () => {
    const { manager } = world();
    for (const key of ["id", "callId"])
      for (const value of [1, "", null, {}]) {
        const error = await refusalOf(() => manager.spawn(() => 1, { [key]: value } as SpawnOptions));
        expect(error).toMatchObject({ message: expect.stringContaining(key) });
      }
    expect(manager.list()).toEqual([]);
  });

  test("D7 may be any text, also one that is no name of a file", async () => {
    const first = await started({});
    const ids = ["../../etc/passwd", "a/b\\c", "con", "😀", " ", "\u0000", "x".repeat(300)];
    for (const id of ids) await first.manager.spawn(() => "kept", { id }).result();
    const second = await first.restart();
    expect(ids.map((id) => task(second, id).record.output)).toEqual(ids.map(() => "kept"));
    expect(given(second.manager.list()[0]).id).toBe(ids[0]);
  });
});
