// Stand-bys of a shared store (D9): what becomes of a task whose id another process has, whatever happens to either.

import { defineKind, type TaskEvent, TaskManager, type TaskStore } from "errand";
import type { SqlConnection } from "errand/stores/sql";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import type { SeizedJournal } from "../../../lib/core/durable/store.js";
import { told as noticed } from "../../support/loops.js";
import { overriding } from "../../support/overriding.js";
import { sharedStores } from "../../support/shared-stores.js";
import { sqliteKind } from "../../support/sql-place.js";

const LONG = "x".repeat(100_000);

async function shared(passMs?: number) {
  const place = await sqliteKind.make();
  const { store, open, lapses } = sharedStores(place, passMs);
  return { place, open, lapses, dying: () => dyingStore(place.connect(), store) };
}

/** A store whose process dies once its first takeover is stored, before anything else of it is. */
function dyingStore(real: SqlConnection, storeOn: (connection: SqlConnection) => TaskStore) {
  let isDead = false;
  let died: () => void = () => {};
  const death = new Promise<void>((resolve) => (died = resolve));
  const never = () => new Promise<never>(() => {});
  const store = storeOn({
    dialect: real.dialect,
    query: (statement) => (isDead ? never() : real.query(statement)),
    transaction: (work) => (isDead ? never() : real.transaction(work)),
  });
  const { shared } = store;
  if (shared === undefined) throw new Error("the store is not shared");
  const seize = async (name: string) => {
    const journal = await shared.seize(name);
    const absorb: SeizedJournal["absorb"] = async (...given) => {
      await journal?.absorb(...given);
      isDead = true;
      died();
      return never();
    };
    return journal === undefined ? undefined : overriding(journal, { absorb });
  };
  return { death, store: overriding(store, { shared: overriding(shared, { seize }) }) };
}

/** The first event from now on that fits. */
async function told(manager: TaskManager, is: (event: TaskEvent) => boolean): Promise<TaskEvent> {
  for await (const event of manager.events({ from: "now" })) if (is(event)) return event;
  throw new Error("the manager closed before that was reported");
}

const waiting = defineKind({ name: "waiting", canReattach: () => true, run: (ctx) => ctx.receive().then(() => LONG) });

const onProcess = ({ type }: TaskEvent) => type === "task.parked";
const isNews = ({ type }: TaskEvent) => type === "task.interrupted" || type === "task.reattached";

describe("S1 a stand-by that has ended", () => {
  /** `one` runs the task, `two` had a stand-by of it, which was cancelled. */
  async function cancelled() {
    const { open } = await shared();
    const [one, two] = [await open({ kinds: [waiting] }), await open({ kinds: [waiting] })];
    const first = one.spawn(waiting, { id: "x" });
    await first.stored();
    const parked = told(two, onProcess);
    const second = two.spawn(waiting, { id: "x" });
    await parked;
    await second.cancel("enough");
    return { open, one, two, first, second };
  }

  test("S1 S6 stays as it ended when the journal of the first process is taken over", async () => {
    const { one, two, second } = await cancelled();
    const { record } = second;
    const news = told(two, isNews);
    await one.close({ graceMs: 0 });
    expect(await news).toMatchObject({ type: "task.interrupted", taskId: `x~${one.runtime.instanceId}` });
    expect(second.record).toEqual(record);
    expect((await second.history()).map(({ type }) => type)).toEqual([
      "task.created",
      "task.parked",
      "task.cancelRequested",
      "task.cancelled",
    ]);
    expect(two.list().map(({ id, status }) => [id, status])).toEqual([
      ["x", "cancelled"],
      [`x~${one.runtime.instanceId}`, "interrupted"],
    ]);
    await two.close();
  });

  test("D9 leaves the messages of the first with it, under its new id", async () => {
    const { open } = await shared();
    const deaf = defineKind({ name: "deaf", canReattach: () => true, run: (ctx) => ctx.sleep(3_600_000) });
    const [one, two] = [await open({ kinds: [deaf] }), await open({ kinds: [deaf] })];
    await one.spawn(deaf, { id: "x" }).send("kept");
    const parked = told(two, onProcess);
    const second = two.spawn(deaf, { id: "x" });
    await parked;
    await second.cancel();
    const news = told(two, isNews);
    await one.close({ graceMs: 0 });
    const { taskId } = await news;
    expect([taskId, second.messages()]).toEqual([`x~${one.runtime.instanceId}`, []]);
    expect(two.get(taskId)?.messages()).toMatchObject([{ taskId, direction: "inbound" }]);
    await two.close();
  });

  test("D9 keeps no id: once the first has died, a third process does the work", async () => {
    const { open, one, two } = await cancelled();
    const news = told(two, isNews);
    await one.close({ graceMs: 0 });
    await news;
    const three = await open({ kinds: [waiting] });
    const mine = three.spawn(waiting, { id: "x" });
    await mine.stored();
    expect(mine.record.blockedOn).not.toMatchObject([{ on: "process" }]);
    await mine.send("go");
    expect(await mine.result()).toBe(LONG);
    await Promise.all([two.close(), three.close()]);
  });

  test("S1 D2 leaves the end of the first as it was, with its output, under both ids", async () => {
    const { open, one, two, first } = await cancelled();
    await first.send("go");
    await first.result();
    await one.spawn(waiting, { id: "y" }).stored();
    const news = told(two, isNews);
    await one.close({ graceMs: 0 });
    expect(await news).toMatchObject({ type: "task.reattached", taskId: "y" });
    const three = await open({ kinds: [waiting] });
    expect(await three.spawn(waiting, { id: "x" }).result()).toBe(LONG);
    await Promise.all([two.close({ graceMs: 0 }), three.close()]);
    const next = await open({ kinds: [waiting] });
    expect(await next.get(`x~${one.runtime.instanceId}`)?.result()).toBe(LONG);
    await next.close({ graceMs: 0 });
  });
});

test("D9 S1 a taker that dies behind the takeover leaves the lost task to no second run, and its id free", async () => {
  const { open, lapses, dying } = await shared();
  const runs: string[] = [];
  const kind = defineKind({
    name: "kind",
    canReattach: () => true,
    run: async (ctx) => {
      runs.push(ctx.record.id);
      await ctx.receive();
    },
  });
  const { store, death } = dying();
  const [one, two] = [await open({ kinds: [kind] }), await TaskManager.open({ store, kinds: [kind] })];
  await one.spawn(kind, { id: "x" }).stored();
  const parked = told(two, onProcess);
  const second = two.spawn(kind, { id: "x" });
  await parked;
  await second.cancel("enough");
  const kept = `x~${one.runtime.instanceId}`;
  await one.close({ graceMs: 0 });
  await death;
  await lapses(two);
  const three = await open({ kinds: [kind] });
  expect(three.list().map(({ id, status }) => [id, status])).toEqual([
    ["x", "cancelled"],
    [kept, "interrupted"],
  ]);
  expect(runs).toEqual(["x"]);
  const four = await open({ kinds: [kind] });
  const again = four.spawn(kind, { id: "x" });
  await again.send("go");
  expect(await again.outcome()).toMatchObject({ status: "succeeded" });
  expect(runs).toEqual(["x", "x"]);
  await Promise.all([three.close({ graceMs: 0 }), four.close()]);
});

test("§8 D9 a task that two journals have is one task in the usage of its session, from a snapshot too", async () => {
  const { open } = await shared();
  const [one, two] = [await open({ kinds: [waiting] }), await open({ kinds: [waiting] })];
  const report = { inputTokens: 5 };
  await one
    .session("chat")
    .spawn((ctx) => ctx.reportUsage(report), { id: "x" })
    .result();
  await two
    .session("chat")
    .spawn((ctx) => ctx.reportUsage(report), { id: "x" })
    .result();
  await one.spawn(waiting, { id: "y" }).stored();
  const first = told(two, isNews);
  await one.close({ graceMs: 0 });
  await first;
  expect(two.session("chat").usage()).toMatchObject({ ...report, tasks: 1 });
  const three = await open({ kinds: [waiting] });
  await three
    .session("chat")
    .spawn((ctx) => ctx.reportUsage(report), { id: "x" })
    .result();
  const second = told(three, isNews);
  // The journal of `two` begins with the snapshot of its takeover.
  await two.close({ graceMs: 0 });
  await second;
  expect(three.session("chat").usage()).toMatchObject({ ...report, tasks: 1 });
  await three.close({ graceMs: 0 });
});

describe("D2 a stand-by of a task of which something is lost", () => {
  /** The stand-bys of `two` wait until the clock of `two` is moved, which makes no pass meanwhile. */
  async function opened() {
    const { open, place } = await shared(20_000);
    const clock = manualClock(Date.now());
    const warnings: string[] = [];
    const logger = { warn: (what: string) => void warnings.push(what), error: () => undefined };
    const [one, two] = [await open(), await open({ clock, logger })];
    const closed = async () => {
      await one.close({ graceMs: 0 });
      const closing = two.close({ graceMs: 0 });
      await clock.advance(1);
      await closing;
    };
    return { open, ask: place.ask, clock, warnings, one, two, closed };
  }

  const OUTPUTS = [
    ["is gone", "delete from errand_outputs", 'the table errand_outputs, task "x"'],
    ["is empty", "update errand_outputs set data = ''", "errand_outputs, journal 1"],
    ["is no JSON", "update errand_outputs set data = '{bad'", "errand_outputs, journal 1"],
    ["is no text", "update errand_outputs set data = x'00'", "errand_outputs, journal 1"],
  ] as const;

  test.each(OUTPUTS)("D2 whose output %s succeeds without it, and result() says so", async (_what, harm, where) => {
    const { ask, clock, one, two, closed } = await opened();
    let end = (_: string): void => {};
    const first = one.spawn(() => new Promise<string>((resolve) => (end = resolve)), { id: "x" });
    await first.stored();
    const parked = told(two, onProcess);
    const waited = two.spawn(() => "never", { id: "x" });
    await parked;
    end(LONG);
    await first.result();
    await ask(harm);
    await clock.advance(1_000);
    expect(await waited.outcome()).toMatchObject({ status: "succeeded", outputLost: expect.stringContaining(where) });
    await expect(waited.result()).rejects.toMatchObject({ code: "OUTPUT_LOST", taskId: "x", where });
    expect(waited.record.outputOmitted).toContain(where);
    // The loss affects no other task, also not one that is spawned after it.
    expect(await two.spawn(() => "fine", { id: "other" }).result()).toBe("fine");
    await closed();
  });

  test.each(OUTPUTS)("D2 and spawned when that output %s already, does too", async (_what, harm, where) => {
    const { ask, one, two, closed } = await opened();
    await one.spawn(() => LONG, { id: "x" }).result();
    await ask(harm);
    const [second, other] = [two.spawn(() => "never", { id: "x" }), two.spawn(() => "fine", { id: "other" })];
    await expect(second.result()).rejects.toMatchObject({ code: "OUTPUT_LOST", taskId: "x", where });
    expect(await other.result()).toBe("fine");
    await closed();
  });

  test.each(["'{bad'", "''", "'7'", "x'00'", `'{"type":"custom"}'`])(
    "D2 whose end is %s fails, and says which row to mend; it costs nothing else",
    async (text) => {
      const { open, ask, clock, one, two, closed } = await opened();
      let end = (_: number): void => {};
      const first = one.spawn(() => new Promise<number>((resolve) => (end = resolve)), { id: "x" });
      await first.stored();
      const parked = told(two, onProcess);
      const waited = two.spawn(() => "never", { id: "x" });
      await parked;
      end(1);
      await one.spawn(() => 1, { id: "y" }).result();
      await first.result();
      await ask(`update errand_ids set ended = ${text}`);
      await clock.advance(1_000);
      const error = { name: "JournalCorruptError", message: expect.stringMatching(/"x".*delete the row/) };
      expect(await waited.outcome()).toMatchObject({ status: "failed", error });
      const [second, other] = [two.spawn(() => "never", { id: "y" }), two.spawn(() => "fine", { id: "other" })];
      expect(await second.outcome()).toMatchObject({ status: "failed", error: { name: "JournalCorruptError" } });
      expect(await other.result()).toBe("fine");
      // The message says so: without the row the work is done again.
      await ask("delete from errand_ids where task = '\"x\"'");
      const three = await open();
      expect(await three.spawn(() => "again", { id: "x" }).result()).toBe("again");
      await three.close();
      await closed();
    },
  );

  test("D2 waits while it cannot be asked how that task stands; the logger is warned once, and names it", async () => {
    const { ask, clock, warnings, one, two, closed } = await opened();
    let end = (_: number): void => {};
    const first = one.spawn(() => new Promise<number>((resolve) => (end = resolve)), { id: "x" });
    await first.stored();
    const parked = told(two, onProcess);
    const waited = two.spawn(() => -1, { id: "x" });
    await parked;
    end(1);
    await first.result();
    await ask("alter table errand_ids rename to errand_ids_away");
    for (let look = 0; look < 3; look++) await clock.advance(1_000);
    expect(warnings).toEqual([expect.stringMatching(/cannot be asked.*"x"/)]);
    await ask("alter table errand_ids_away rename to errand_ids");
    await clock.advance(1_000);
    expect(await waited.result()).toBe(1);
    await closed();
  });

  test("D2 a column of a journal that is broken costs the name of its process alone", async () => {
    const { ask, one, two, closed } = await opened();
    await one.spawn(() => 1, { id: "x" }).result();
    await ask("update errand_journals set writer = '{bad' where number = 1");
    expect(await two.spawn(() => 2, { id: "x" }).result()).toBe(1);
    await closed();
  });
});

test("D2 a broken journal of a shared store keeps its own tasks, and none of another", async () => {
  const { open, place } = await shared();
  const errors: unknown[] = [];
  const three = await open({
    kinds: [waiting],
    logger: { warn: () => {}, error: (_, more) => void errors.push(more) },
  });
  const news = told(three, isNews);
  const [broken, whole] = [await open({ kinds: [waiting] }), await open({ kinds: [waiting] })];
  await broken.spawn(waiting, { id: "broken" }).stored();
  await whole.spawn(waiting, { id: "whole" }).stored();
  await place.ask("update errand_events set data = '{bad' where journal = 2");
  await broken.close({ graceMs: 0 });
  await whole.close({ graceMs: 0 });
  expect(await news).toMatchObject({ type: "task.reattached", taskId: "whole" });
  expect(errors).toContainEqual({ error: expect.objectContaining({ code: "JOURNAL_CORRUPT" }) });
  expect(three.list().map(({ id }) => id)).toEqual(["whole"]);
  await three.close({ graceMs: 0 });
});

describe('D9 with durability: "relaxed"', () => {
  test("D9 two processes never run the same id at once; a task without an id waits for nothing", async () => {
    const { open } = await shared();
    const options = { durability: "relaxed" } as const;
    const [one, two] = [await open(options), await open(options)];
    const runs: string[] = [];
    let end = (_: string): void => {};
    const run = (name: string) => () => {
      runs.push(name);
      return new Promise<string>((resolve) => (end = resolve));
    };
    const both = [one.spawn(run("one"), { id: "x" }), two.spawn(run("two"), { id: "x" })];
    let isStored = false;
    const plain = two.spawn(() => isStored);
    const stored = plain.stored().then(() => (isStored = true));
    expect(await plain.result()).toBe(false);
    await stored;
    await Promise.all(both.map((handle) => handle.stored()));
    // The start of the task waits for the claim, and no other step does.
    await Promise.all([one, two].map((manager) => manager.spawn(() => 1, { id: manager.runtime.instanceId }).result()));
    expect(runs).toHaveLength(1);
    end("done");
    expect(await Promise.all(both.map((handle) => handle.result()))).toEqual(["done", "done"]);
    expect(runs).toHaveLength(1);
    await Promise.all([one.close(), two.close()]);
  });

  test("D8 D9 a close, and a cancel, end a task that waits for its id without running it", async () => {
    const { open } = await shared();
    const one = await open({ durability: "relaxed" });
    let runs = 0;
    const [first, second] = [one.spawn(() => runs++, { id: "x" }), one.spawn(() => runs++, { id: "y" })];
    await Promise.resolve();
    expect(await first.cancel("enough")).toMatchObject({ status: "cancelled" });
    await one.close();
    expect([first.status, second.status, runs]).toEqual(["cancelled", "interrupted", 0]);
  });
});

describe("N1 D9 a stand-by that was given the end of the first", () => {
  const ends = {
    succeeds: () => "done",
    "succeeds with a long output": () => LONG,
    "succeeds without one": () => undefined,
    fails: () => Promise.reject(new Error("no")),
  };
  test.each(Object.entries(ends))("N1 which %s, is the same task: one record, one notice", async (_how, run) => {
    const { open } = await shared();
    const [one, two] = [await open({ kinds: [waiting] }), await open({ kinds: [waiting] })];
    const first = one.session("chat").spawn(
      (ctx) => {
        ctx.artifact({ name: "page", type: "page", url: "https://example.org/of-the-first" });
        return run();
      },
      { id: "x" },
    );
    const outcome = await first.outcome();
    const second = two.session("chat").spawn(() => "never", { id: "x" });
    // A wait through the session would acknowledge the notice (N2), so the manager waits.
    await two.get("x")?.outcome();
    const { record } = second;
    await one.spawn(waiting, { id: "y" }).stored();
    const news = told(two, isNews);
    await one.close({ graceMs: 0 });
    expect(await news).toMatchObject({ taskId: "y" });
    expect(two.list().map(({ id }) => id)).toEqual(["x", "y"]);
    // The second record has the content of the first.
    const { createdAt, finishedAt, updatedAt } = record;
    expect(second.record).toEqual({ ...first.record, createdAt, finishedAt, updatedAt });
    const batch = await two.session("chat").nextNotices();
    expect(noticed(batch)).toEqual([`x ${outcome.status}`]);
    await batch?.ack();
    expect(await two.session("chat").nextNotices()).toBeUndefined();
    await two.close({ graceMs: 0 });
    const next = await open({ kinds: [waiting] });
    expect(next.list().map(({ id }) => id)).toEqual(["x", "y"]);
    expect(next.get("x")?.record).toEqual(second.record);
    expect(await next.get("x")?.outcome()).toMatchObject({ status: outcome.status });
    expect(await next.session("chat").nextNotices()).toBeUndefined();
    await next.close({ graceMs: 0 });
  });

  test("N1 also when it is taken over by the process that ran it", async () => {
    const { open } = await shared();
    const [one, two] = [await open({ kinds: [waiting] }), await open({ kinds: [waiting] })];
    const first = one.session("chat").spawn(() => "done", { id: "x" });
    // A wait through the session would acknowledge the notice (N2), so the manager waits.
    await one.get("x")?.result();
    const { record } = first;
    expect(
      await two
        .session("chat")
        .spawn(() => "never", { id: "x" })
        .result(),
    ).toBe("done");
    await two.spawn(waiting, { id: "y" }).stored();
    const news = told(one, isNews);
    await two.close({ graceMs: 0 });
    await news;
    expect(one.list().map(({ id }) => id)).toEqual(["x", "y"]);
    expect(first.record).toBe(record);
    expect(noticed(await one.session("chat").nextNotices())).toEqual(["x succeeded"]);
    await one.close({ graceMs: 0 });
  });

  test("N1 no task vanishes: one with another end, or of another owner, is kept under another id", async () => {
    const { open } = await shared();
    const [one, two] = [await open({ kinds: [waiting] }), await open({ kinds: [waiting] })];
    await one
      .session("chat")
      .spawn(() => 1, { id: "x" })
      .result();
    const other = await two.spawn(() => 2, { id: "x" }).outcome();
    expect(other).toMatchObject({ error: { name: "IdConflictError" } });
    await one.spawn(waiting, { id: "y" }).stored();
    const news = told(two, isNews);
    await one.close({ graceMs: 0 });
    await news;
    const kept = two.list().map(({ id, status, sessionId }) => [id, status, sessionId]);
    expect(kept).toContainEqual(["x", "failed", undefined]);
    expect(kept).toContainEqual([`x~${one.runtime.instanceId}`, "succeeded", "chat"]);
    await two.close({ graceMs: 0 });
  });

  test("D9 one that had not looked yet is given that end at the takeover, and does not do the work again", async () => {
    const { open } = await shared(1_000);
    const clock = manualClock(Date.now());
    const [one, two] = [await open({ kinds: [waiting] }), await open({ kinds: [waiting], clock })];
    let end = (_: string): void => {};
    const first = one.spawn(() => new Promise<string>((resolve) => (end = resolve)), { id: "x" });
    await first.stored();
    // A stand-by reads the ids once a second, half a second after the search for free journals.
    await clock.advance(500);
    const parked = told(two, onProcess);
    const second = two.spawn(() => "again", { id: "x" });
    await parked;
    end("done");
    await first.result();
    await one.spawn(waiting, { id: "y" }).stored();
    const news = told(two, isNews);
    await one.close({ graceMs: 0 });
    await clock.advance(500);
    expect(await news).toMatchObject({ taskId: "y" });
    await clock.advance(1_000);
    expect(await second.result()).toBe("done");
    expect(two.list().map(({ id }) => id)).toEqual(["x", "y"]);
    const closing = two.close({ graceMs: 0 });
    await clock.advance(1);
    await closing;
  });
});

describe("S8 D9 a message to a stand-by", () => {
  const options = [{}, { durability: "relaxed" }] as const;
  test.each(options)("S8 is refused, and names the process that does the work: %o", async (option) => {
    const { open } = await shared();
    const [one, two] = [await open({ kinds: [waiting], ...option }), await open({ kinds: [waiting], ...option })];
    const first = one.spawn(waiting, { id: "x" });
    await first.stored();
    const { instanceId } = one.runtime;
    const refused = { code: "TASK_ELSEWHERE", taskId: "x", instanceId, message: expect.stringContaining(instanceId) };
    const second = two.spawn(waiting, { id: "x" });
    // In the turn of the spawn the process that has the id is not known yet.
    await expect(second.send("too early")).rejects.toMatchObject(refused);
    expect(second.record.blockedOn).toMatchObject([{ on: "process" }]);
    await expect(second.send("too late")).rejects.toMatchObject(refused);
    await first.send("go");
    expect(await second.result()).toBe(LONG);
    await expect(second.send("over")).rejects.toMatchObject({ code: "TASK_TERMINATED" });
    // A message to a task that ended in the other process before this spawn is refused too.
    await one.spawn(() => 1, { id: "ended" }).result();
    await expect(two.spawn(() => 2, { id: "ended" }).send("too early")).rejects.toMatchObject({ taskId: "ended" });
    // A task whose id this process has accepts a message.
    const own = two.spawn(waiting, { id: "own" });
    expect(await own.send("go")).toMatchObject({ taskId: "own" });
    expect(await own.result()).toBe(LONG);
    await Promise.all([one.close(), two.close()]);
  });

  test("D9 that was refused is not read when the work comes here; one that is sent then is", async () => {
    const { open } = await shared();
    const steered: unknown[] = [];
    const echo = defineKind({
      name: "echo",
      canReattach: () => true,
      deliver: (_record, { content }) => void steered.push(content),
      run: async (ctx) => (await ctx.receive())?.content,
    });
    const [one, two] = [await open({ kinds: [echo] }), await open({ kinds: [echo] })];
    const first = one.spawn(echo, { id: "x" });
    await first.stored();
    const second = two.spawn(echo, { id: "x" });
    await expect(second.send("refused")).rejects.toMatchObject({ code: "TASK_ELSEWHERE" });
    const news = told(two, isNews);
    await one.close({ graceMs: 0 });
    expect(await news).toMatchObject({ type: "task.reattached", taskId: "x" });
    await second.send("taken");
    const taken = [{ type: "text", text: "taken" }];
    expect(await second.result()).toEqual(taken);
    expect(steered).toEqual([taken]);
    await two.close();
  });

  test("D9 that was refused is not delivered to the kind when the work, which never began, comes here", async () => {
    const { open } = await shared();
    const steered: unknown[] = [];
    const echo = defineKind({
      name: "echo",
      canReattach: () => true,
      deliver: (_record, { content }) => void steered.push(content),
      run: async (ctx) => (await ctx.receive())?.content,
    });
    const [one, two] = [await open({ kinds: [echo] }), await open({ kinds: [echo] })];
    one.pause();
    const first = one.spawn(echo, { id: "x" });
    await first.stored();
    const second = two.spawn(echo, { id: "x" });
    await expect(second.send("refused")).rejects.toMatchObject({ code: "TASK_ELSEWHERE" });
    expect(first.status).toBe("queued");
    const news = told(two, isNews);
    await one.close({ graceMs: 0 });
    expect(await news).toMatchObject({ type: "task.reattached", taskId: "x" });
    await second.send("taken");
    const taken = [{ type: "text", text: "taken" }];
    expect(await second.result()).toEqual(taken);
    expect(steered).toEqual([taken]);
    await two.close();
  });
});
