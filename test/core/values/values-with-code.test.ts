// Values that run code of their own when they are read: it runs before anything is decided, so it can break no rule.

import { TaskManager } from "errand";
import { expect, test } from "vitest";
import { allFree, deferred, settled } from "../../support/basics.js";

const hostile = Object.create(null);
const throwing = {
  toString(): string {
    throw new Error("cannot be printed");
  },
};

test.each([
  ["an object without a prototype", hostile],
  ["an object whose toString throws", throwing],
])("§12 a signal aborted with %s cancels the task, before or after its spawn", async (_, reason) => {
  const manager = new TaskManager();
  const aborted = AbortSignal.abort(reason);
  expect((await manager.spawn(() => 1, { signal: aborted }).outcome()).status).toBe("cancelled");
  const controller = new AbortController();
  const tasks = [1, 2].map(() => manager.spawn((ctx) => ctx.sleep(60_000), { signal: controller.signal }));
  await settled();
  controller.abort(reason);
  for (const task of tasks) {
    expect(await task.outcome()).toMatchObject({ status: "cancelled", reason: expect.any(String) });
  }
  await manager.idle();
});

test("H1 a child spawned while the result is taken is waited for", async () => {
  const manager = new TaskManager();
  const end = deferred();
  let child: ReturnType<TaskManager["spawn"]> | undefined;
  const parent: ReturnType<TaskManager["spawn"]> = manager.spawn(async () => ({
    toJSON() {
      child ??= manager.spawn(() => end.promise, { parent });
      return 1;
    },
  }));
  await settled();
  expect([parent.status, child?.status]).toEqual(["blocked", "running"]);
  end.resolve();
  expect((await parent.outcome()).status).toBe("succeeded");
});

test("S5 a cancel made while the thrown value is read decides the outcome", async () => {
  const manager = new TaskManager();
  const task: ReturnType<TaskManager["spawn"]> = manager.spawn(async () => {
    throw {
      toString() {
        void task.cancel("from inside");
        return "x";
      },
    };
  });
  expect(await task.outcome()).toMatchObject({ status: "cancelled", reason: "from inside" });
  expect(task.record).toMatchObject({ status: "cancelled", stopReason: "cancel" });
});

test("H3 a parent cancelled while metadata is taken refuses the child", async () => {
  const manager = new TaskManager({ concurrency: 1 });
  const end = deferred();
  manager.spawn(() => end.promise);
  const parent = manager.spawn(() => 1);
  const metadata = {
    get x() {
      void parent.cancel();
      return 1;
    },
  };
  expect(() => manager.spawn(() => 2, { parent, metadata })).toThrow(/parent|stopped/);
  end.resolve();
  await manager.idle();
  allFree(manager);
});

test("C2 a thenable that calls back twice settles once, and late never", async () => {
  const manager = new TaskManager();
  const late: string[] = [];
  manager.on("task.lateSettled", ({ taskId }) => late.push(taskId));
  // oxlint-disable-next-line unicorn/no-thenable -- the very thing under test
  const twice = Object.assign(Promise.resolve(), {
    then(done: (value: unknown) => void) {
      done("first");
      done("second");
    },
  });
  expect(await manager.spawn(() => twice).result()).toBe("first");
  await settled();
  expect(late).toEqual([]);
});
