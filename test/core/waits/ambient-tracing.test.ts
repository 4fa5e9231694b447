// The async context of a spawn (H0), seen with OpenTelemetry as a program has it: what is active around `spawn` is active in the task.
//
// Listeners, hooks and stores run outside any task, and so outside the trace of whoever happened to set them going.

import { type Context, context, createContextKey, isSpanContextValid, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import type { TaskContext } from "errand";
import { defineKind, TaskManager } from "errand";
import { monitor } from "errand/kinds";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deferred, settled } from "../../support/basics.js";
import { HeldStore } from "../../support/held-store.js";
import { given, hold, untilStopped, world } from "../../support/program.js";
import { started, task } from "../../support/restarts.js";

const REQUEST = createContextKey("request");

beforeAll(() => {
  expect(context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())).toBe(true);
});
afterAll(() => {
  context.disable();
});

/** A request of its own, in a trace of its own. */
function traced(name: string): Context {
  const span = { traceId: name.padEnd(32, "0"), spanId: name.padEnd(16, "0"), traceFlags: 1 };
  return trace.setSpanContext(context.active().setValue(REQUEST, name), span);
}

/** In which request this code runs: by both things that were set. */
function here(): string {
  const request = context.active().getValue(REQUEST);
  const span = trace.getSpanContext(context.active());
  if (request === undefined && span === undefined) return "nowhere";
  expect(span !== undefined && isSpanContextValid(span) && span.traceId.startsWith(String(request))).toBe(true);
  return String(request);
}

/** Names are hexadecimal, as ids of traces are. */
const [A, B] = ["aa", "bb"];

describe("H0 a function runs in the async context of its own spawn", () => {
  test("from its first line on, each in its own", async () => {
    const { manager } = world();
    const tasks = [A, B].map((name) => context.with(traced(name), () => manager.spawn(here)));
    tasks.push(manager.spawn(here));
    expect(await Promise.all(tasks.map((each) => each.result()))).toEqual([A, B, "nowhere"]);
  });

  test("L4 whichever task gives it its slot, and however long it stood in line", async () => {
    const { manager, pass } = world({ concurrency: 1 });
    const blocker = context.with(traced(A), () => hold(manager));
    await settled();
    const queued = context.with(traced(B), () => manager.spawn(here));
    const outside = manager.spawn(here);
    await pass(1_000);
    context.with(traced(A), () => blocker.finish());
    expect([await queued.result(), await outside.result()]).toEqual([B, "nowhere"]);
  });

  test.each<[string, (ctx: TaskContext) => Promise<unknown>]>([
    ["sleep", (ctx) => ctx.sleep(10)],
    ["receive", (ctx) => ctx.receive()],
    ["a timeout of receive", (ctx) => ctx.receive({ timeoutMs: 10 })],
    ["ask", (ctx) => ctx.ask({ question: "?" })],
    ["approve", (ctx) => ctx.approve("?")],
    ["a child's result", (ctx) => ctx.spawn(() => 1).result()],
    ["a child's outcome", (ctx) => ctx.spawn(() => Promise.reject(new Error("x"))).outcome()],
    ["awaitTasks", (ctx) => ctx.awaitTasks([ctx.spawn((inner) => inner.sleep(10))])],
    ["a cancel", (ctx) => ctx.spawn(untilStopped).cancel()],
    ["cancelAll", (ctx) => ctx.cancelAll()],
    ["map", (ctx) => ctx.map([1, 2], (inner) => inner.sleep(10), { concurrency: 1 })],
    ["nextNotices", (ctx) => (ctx.spawn(() => 1, { wake: "onTerminal" }), ctx.nextNotices())],
    ["checkpoint", (ctx) => ctx.checkpoint(1)],
    ["post", (ctx) => ctx.post("x")],
    [
      "a step of outcomes",
      async (ctx) => {
        for await (const _ of ctx.outcomes([ctx.spawn((inner) => inner.sleep(10))])) expect(here()).toBe(A);
      },
    ],
  ])("after each wait: %s", async (_what, wait) => {
    const { manager, pass } = world({ concurrency: 1 });
    const handle = context.with(traced(A), () =>
      manager.spawn(async (ctx) => {
        await wait(ctx);
        return here();
      }),
    );
    await pass(0);
    // What it waits for comes from another request.
    await context.with(traced(B), async () => {
      await handle.send("x").catch(() => undefined);
      for (const { id, kind } of manager.inbox.list())
        await manager.inbox.answer(id, kind === "approval" ? true : "yes", { by: "ann" });
      await pass(100);
    });
    expect(await handle.result()).toBe(A);
  });

  test("in its children and theirs, and under a context that it sets itself", async () => {
    const { manager } = world();
    const handle = context.with(traced(A), () =>
      manager.spawn(async (ctx) => {
        const plain = ctx.spawn((inner) => inner.spawn(here).result());
        const ambient = manager.spawn(here);
        const set = context.with(traced(B), () => ctx.spawn((inner) => inner.spawn(here).result()));
        return [await plain.result(), await ambient.result(), await set.result(), here()];
      }),
    );
    expect(await handle.result()).toEqual([A, A, B, A]);
  });

  test("in every item of a map, also those that start when others have ended", async () => {
    const { manager, pass } = world();
    const handle = context.with(traced(A), () =>
      manager.spawn((ctx) =>
        ctx.map(
          [1, 2, 3, 4, 5],
          async (inner) => {
            const before = here();
            await inner.sleep(10);
            return [before, here()];
          },
          { concurrency: 2 },
        ),
      ),
    );
    await pass(100);
    expect(await handle.result()).toEqual([1, 2, 3, 4, 5].map(() => [A, A]));
  });

  test("in every attempt of a retry", async () => {
    const { manager, pass } = world();
    const seen: string[] = [];
    const handle = context.with(traced(A), () =>
      manager.spawn(
        (ctx) => {
          seen.push(here());
          if (ctx.attempt < 3) throw new Error("once more");
        },
        { retry: { maxAttempts: 3, backoffMs: 100 } },
      ),
    );
    await settled();
    await context.with(traced(B), () => pass(1_000));
    expect([handle.status, seen]).toEqual(["succeeded", [A, A, A]]);
  });

  test("in every tick of a monitor", async () => {
    const { manager, pass } = world();
    const seen: string[] = [];
    const kind = monitor({
      every: { ms: 100 },
      run: (_ctx, { count }) => (seen.push(here()), count === 3 ? "stop" : undefined),
    });
    context.with(traced(A), () => manager.spawn(kind));
    await context.with(traced(B), () => pass(1_000));
    expect(seen).toEqual([A, A, A]);
  });

  test("L7 in a task that waited for a token of its lane", async () => {
    const manager = new TaskManager({ lanes: { slow: { concurrency: 9, rate: { limit: 1, periodMs: 20 } } } });
    const tasks = [A, B, A].map((name) => context.with(traced(name), () => manager.spawn(here, { lane: "slow" })));
    expect(await Promise.all(tasks.map((each) => each.result()))).toEqual([A, B, A]);
  });

  test("also without ambient lineage", async () => {
    const { manager, pass } = world({ ambient: false });
    const handle = context.with(traced(A), () =>
      manager.spawn(async (ctx) => {
        const before = here();
        await ctx.sleep(0);
        return [before, here(), await ctx.spawn(here).result()];
      }),
    );
    await pass(0);
    expect(await handle.result()).toEqual([A, A, A]);
  });

  test("and no other's: a task of a named session, a detached one, a root", async () => {
    const { manager } = world();
    const handle = context.with(traced(A), () =>
      manager.spawn(async (ctx) => {
        const tasks = [
          manager.session("chat").spawn(here),
          ctx.spawn(here, { detached: true }),
          manager.spawn(here, { root: true }),
        ];
        return (await ctx.awaitTasks(tasks)).ended.map((outcome) => outcome.status === "succeeded" && outcome.value);
      }),
    );
    expect(await handle.result()).toEqual([A, A, A]);
  });

  test("in a tool that a model calls inside a task, and in what the tool starts", async () => {
    const kind = defineKind({ name: "where", run: here });
    const { manager } = world({ kinds: [kind] });
    const session = manager.session("chat");
    const handle = context.with(traced(A), () =>
      session.spawn(async () => {
        const tool = given(session.tools({ only: ["spawn_task"] })[0]);
        await tool.execute({ kind: "where", wait_ms: 100 }, { callId: "call-1" });
        return here();
      }),
    );
    expect(await handle.result()).toBe(A);
    const started = manager.list({ kind: "where" });
    expect(started.map(({ output, parentId }) => [output, parentId])).toEqual([[A, handle.id]]);
  });

  test("D4 a task that a restart resumes has no context of a caller", async () => {
    const kind = defineKind({
      name: "lasting",
      canReattach: () => true,
      run: (ctx) => (ctx.attempt === 1 ? untilStopped(ctx) : here()),
    });
    const first = await started({ kinds: [kind] });
    const { id } = context.with(traced(A), () => first.manager.spawn("lasting"));
    await settled();
    const second = await first.restart();
    expect(await task(second, id).result()).toBe("nowhere");
  });
});

describe("H0 outside any task, and in no one's trace:", () => {
  /** Where each was called. */
  function noted() {
    const seen: Record<string, Set<string>> = {};
    return {
      note: (what: string): void => void (seen[what] ??= new Set()).add(here()),
      seen: () => Object.fromEntries(Object.entries(seen).map(([what, places]) => [what, [...places].toSorted()])),
    };
  }

  test("listeners", async () => {
    const { manager } = world();
    const { note, seen } = noted();
    for (const type of ["task.created", "task.started", "message.sent", "task.succeeded"] as const)
      manager.on(type, () => {
        note(type);
        expect(manager.current).toBeUndefined();
      });
    await context.with(traced(A), async () => {
      const handle = manager.spawn(async (ctx) => {
        await ctx.post("x");
        await manager.spawn(() => 1).result();
      });
      await handle.result();
    });
    expect(seen()).toEqual({
      "task.created": ["nowhere"],
      "task.started": ["nowhere"],
      "message.sent": ["nowhere"],
      "task.succeeded": ["nowhere"],
    });
  });

  const hooks = ["retryIf", "deliver", "reconcile", "cancel", "canReattach"] as const;
  test.each(hooks)("the hooks of a kind: %s", async (hook) => {
    const { note, seen } = noted();
    const kind = defineKind<unknown>({
      name: "hooked",
      run: (ctx) => (ctx.attempt === 1 ? Promise.reject(new Error("once more")) : undefined),
      retry: { maxAttempts: 9, backoffMs: 10, retryIf: () => (note("retryIf"), true) },
      deliver: () => note("deliver"),
      reconcile: () => (note("reconcile"), { status: "running" }),
      cancel: () => note("cancel"),
      canReattach: () => (note("canReattach"), true),
    });
    const first = await started({ kinds: [kind] });
    const id = await context.with(traced(A), async () => {
      const handle = first.manager.spawn("hooked");
      await first.pass(5_000);
      await handle.send("x");
      await first.pass(5_000);
      return handle.id;
    });
    const second = await context.with(traced(B), () => first.restart());
    await context.with(traced(B), async () => {
      await second.pass(5_000);
      await task(second, id).cancel();
    });
    expect(seen()[hook]).toEqual(["nowhere"]);
  });

  test("the store", async () => {
    const { note, seen } = noted();
    class Noting extends HeldStore {
      override append(events: Parameters<HeldStore["append"]>[0]): Promise<void> {
        note("append");
        return super.append(events);
      }
    }
    const { manager } = await started({}, new Noting());
    await context.with(traced(A), () => manager.spawn((ctx) => ctx.post("x")).result());
    await settled();
    expect(seen()).toEqual({ append: ["nowhere"] });
  });

  test("a waiting function continues in the context in which it waits", async () => {
    const { manager } = world();
    const gate = deferred();
    const handle = context.with(traced(A), () => manager.spawn(() => gate.promise));
    const waits = [
      context.with(traced(B), async () => (await handle.outcome(), here())),
      (async () => (await handle.outcome(), here()))(),
    ];
    gate.resolve();
    expect(await Promise.all(waits)).toEqual([B, "nowhere"]);
  });
});
