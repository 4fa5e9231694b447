// Stand-bys of a shared store (D9): what becomes of a task whose id another process has, whatever happens to either of them.

import path from "node:path";
import { defineKind, type TaskEvent, TaskManager, type TaskStore } from "errand";
import { sqlite, sqlStore } from "errand/stores/sql";
import Database from "libsql";
import { describe, expect, onTestFinished, test } from "vitest";
import { place } from "../stores/place.js";

const LEASE_MS = 400;
const LONG = "x".repeat(100_000);

type Options = Omit<Parameters<typeof TaskManager.open>[0], "store">;

async function shared() {
  const file = path.join(await place(), "errand.db");
  const connected = () => {
    const database = new Database(file);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    onTestFinished(() => void database.close());
    return database;
  };
  const store = (): TaskStore => sqlStore({ connection: sqlite(connected()), leaseMs: LEASE_MS });
  return { database: connected(), open: (options: Options = {}) => TaskManager.open({ ...options, store: store() }) };
}

/** The first event from now on that fits. */
async function told(manager: TaskManager, is: (event: TaskEvent) => boolean): Promise<TaskEvent> {
  for await (const event of manager.events({ from: "now" })) if (is(event)) return event;
  throw new Error("the manager closed before that was told");
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
