// The trips of ARCHITECTURE.md: a real manager makes the facts of each trip, in this order, and has the statuses that
// the page says.

import { readFileSync } from "node:fs";
import { defineKind, type TaskContext, type TaskEvent } from "errand";
import { describe, expect, test } from "vitest";
import { deferred, facts, settled, slots } from "../support/basics.js";
import { deaf, given, untilStopped, world } from "../support/program.js";
import { outcome, type Process, started, task } from "../support/restarts.js";

const page = readFileSync(new URL("../../ARCHITECTURE.md", import.meta.url), "utf8");

/** The facts that the steps of a trip name, up to the text `end`: "Fact: `task.created`." Equal neighbours are one. */
function factsOf(markdown: string, trip: string, end: string): readonly string[] {
  const from = markdown.indexOf(`### ${trip}:`);
  const to = markdown.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`the page has no ${trip} that goes up to ${end}`);
  const steps = markdown.slice(from, to).replace(/^.*\bwould\b.*$/gmu, "");
  const lists = steps.matchAll(/Facts?(?: for \w+)?: ((?:`[^`]*`|[^.`])*)\./gu);
  return once([...lists].flatMap(([, list = ""]) => typesIn(list)));
}

const typesIn = (list: string): readonly string[] => list.match(/(?<=`)\w+\.\w+(?=`)/gu) ?? [];
const once = (types: readonly string[]): readonly string[] => types.filter((type, at) => type !== types[at - 1]);
const typesOf = (events: readonly TaskEvent[]): readonly string[] => once(events.map(({ type }) => type));

test("trip A makes its facts in the order of the page", async () => {
  const { manager } = world({ concurrency: 1 });
  const made = facts(manager);
  const session = manager.session("one");
  const asking = session.spawn((ctx) => ctx.ask({ question: "Which?" }));
  const result = asking.result();
  await settled();
  expect(asking.record).toMatchObject({ status: "blocked", blockedOn: [{ on: "input" }] });
  expect(slots(manager).held).toBe(0);
  await manager.inbox.answer(given(manager.inbox.list()[0]).id, "this", { by: "ada" });
  expect(await result).toBe("this");
  await settled();
  expect(typesOf(made)).toEqual(factsOf(page, "Trip A", "**What each delivery"));
  await manager.close();
});

describe("trip B", () => {
  test("makes its facts in the order of the page, and has its statuses", async () => {
    const { manager } = world({ concurrency: 1 });
    const computing = deferred();
    const behind = deferred<unknown>();
    const contexts = deferred<TaskContext>();
    const p = manager.spawn(async (ctx) => {
      const c = ctx.spawn((child) => child.sleep(1_000_000), { id: "c" });
      ctx.spawn(
        async (child) => {
          contexts.resolve(child);
          await computing.promise;
          if (child.isCancelled) throw child.signal.reason;
        },
        { id: "r" },
      );
      ctx.spawn(deaf, { id: "q" });
      await c.result().catch((error: unknown) => {
        const { status, blockedOn } = ctx.record;
        behind.resolve({ status, blockedOn, held: slots(manager).held });
        throw error;
      });
    });
    await settled();
    const statuses = () => ["c", "r", "q"].map((id) => manager.get(id)?.status);
    expect([p.status, ...statuses()]).toEqual(["blocked", "blocked", "running", "queued"]);
    const made = facts(manager);
    const cancelled = p.cancel("reason");
    expect([p.status, ...statuses()]).toEqual(["blocked", "blocked", "running", "cancelled"]);
    // The slot that is held is that of R.
    expect(await behind.promise).toEqual({ status: "blocked", blockedOn: [], held: 1 });
    await settled();
    expect([p.status, ...statuses()]).toEqual(["blocked", "cancelled", "running", "cancelled"]);
    expect(p.record.blockedOn).toMatchObject([{ on: "children" }]);
    expect((await contexts.promise).isCancelled).toBe(true);
    computing.resolve();
    expect(await cancelled).toMatchObject({ status: "cancelled", reason: "reason" });
    await settled();
    expect(typesOf(made)).toEqual(factsOf(page, "Trip B", "**What each delivery"));
    await manager.close();
  });
});

describe("trip C", () => {
  const resuming = defineKind({
    name: "resuming",
    canReattach: () => true,
    run: (ctx) => (ctx.attempt === 1 ? untilStopped(ctx) : ctx.attempt),
  });
  const first = async (): Promise<Process> => {
    const process = await started({ kinds: [resuming] });
    process.manager.spawn(resuming, { id: "k" });
    process.manager.spawn(untilStopped, { id: "f" });
    await settled();
    return process;
  };

  test("makes its facts in the order of the page", async () => {
    const { restart, store } = await first();
    const next = await restart();
    expect(await outcome(next, "k")).toMatchObject({ status: "succeeded", value: 2 });
    expect(await outcome(next, "f")).toMatchObject({ status: "interrupted", reason: "process_lost" });
    await settled();
    const made = next.store.kept.slice(store.kept.length);
    expect(typesOf(made.filter(({ type }) => type !== "task.succeeded"))).toEqual(
      factsOf(page, "Trip C", "**A `close()`"),
    );
  });

  test("leaves a task as it was when the manager closes, with the stop of the shutdown", async () => {
    const { manager, store, restart } = await first();
    await manager.close();
    expect(store.kept.filter(({ taskId }) => taskId === "k").map(({ type }) => type)).toEqual([
      "task.created",
      "task.started",
      "task.cancelRequested",
    ]);
    expect(manager.get("k")?.record).toMatchObject({ status: "running", stopReason: "shutdown" });
    expect(manager.get("f")?.record).toMatchObject({ status: "interrupted", reason: "shutdown" });
    const next = await restart();
    expect(await outcome(next, "k")).toMatchObject({ status: "succeeded", value: 2 });
    expect(task(next, "k").record).toMatchObject({ attempt: 2 });
  });
});

// A law that cannot be broken holds nothing: it is broken here once.
test("the facts of a trip are read in order, once for equal neighbours, and not out of what would happen", () => {
  const trip =
    "### Trip Z: a task\n\n1. Fact: `a.b`. Then `c.d`. Facts: `e.f`, `g.h`\n   on `x`.\n2. Fact for P: `g.h`.\n- It would end. Fact: `i.j`.\n\n**End";
  expect(factsOf(trip, "Trip Z", "**End")).toEqual(["a.b", "e.f", "g.h"]);
});
