// Which waits deliver an outcome to the loop of a session, so that it becomes no notice (N2), as `nextNotices` says.

import { type Session, type TaskHandle, TaskManager } from "errand";
import { memoryStore } from "errand/testing";
import { expect, test } from "vitest";
import { settled } from "../support/basics.js";

type Wait = (of: { manager: TaskManager; session: Session; task: TaskHandle }) => Promise<unknown>;

test.each<[what: string, isAwaited: boolean, wait: Wait]>([
  ["result of its handle", true, ({ task }) => task.result()],
  ["outcome of its handle", true, ({ task }) => task.outcome()],
  ["cancel of its handle", true, ({ task }) => task.cancel()],
  ["a handle that the session found", true, async ({ session, task }) => session.get(task.id)?.outcome()],
  ["awaitTasks of the session, by id", true, ({ session, task }) => session.awaitTasks([task.id])],
  ["cancelAll of the session", true, ({ session }) => session.cancelAll()],
  ["awaitTasks of the manager, by its handle", true, ({ manager, task }) => manager.awaitTasks([task])],
  ["awaitTasks of the manager, by id", false, ({ manager, task }) => manager.awaitTasks([task.id])],
  ["a handle that the manager found", false, async ({ manager, task }) => manager.get(task.id)?.outcome()],
  ["cancelAll of the manager", false, ({ manager }) => manager.cancelAll()],
])("N2 an outcome is awaited by its loop through %s: %j", async (_what, isAwaited, wait) => {
  const manager = new TaskManager();
  const session = manager.session("chat");
  const task = session.spawn((ctx) => ctx.sleep(1));
  await wait({ manager, session, task });
  await settled();
  const batch = await session.nextNotices({ timeoutMs: 0 });
  expect(batch?.notices.length ?? 0).toBe(isAwaited ? 0 : 1);
  await manager.close();
});

test("D1 that nothing can wake the loop is not said before it is stored: until then the batch is empty", async () => {
  const answers: unknown[] = [];
  for (const manager of [new TaskManager(), await TaskManager.open({ store: memoryStore() })]) {
    const session = manager.session("chat");
    await session.spawn(() => 1).result();
    answers.push((await session.nextNotices({ timeoutMs: 0 }))?.notices, await session.nextNotices());
    await manager.close();
  }
  expect(answers).toEqual([undefined, undefined, [], undefined]);
});
