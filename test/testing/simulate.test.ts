// The test kit: virtual time, scripted answers, and errors that name the waiting tasks.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineKind, isErrandError, TaskManager } from "errand";
import { fileStore } from "errand/stores/file";
import {
  manualClock,
  memoryStore,
  type ScriptedAnswer,
  type SimulateOptions,
  scriptAnswers,
  simulate,
  type World,
} from "errand/testing";
import { afterAll, describe, expect, test, vi } from "vitest";
import { settled, unhandled } from "../support/basics.js";

const DAY = 24 * 60 * 60 * 1000;

async function failure(scenario: (world: World) => unknown, options?: SimulateOptions): Promise<string> {
  try {
    await simulate(scenario, options);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error("the simulation did not fail");
}

describe("virtual time", () => {
  test("days pass at once, in order, and `now` tells them", async () => {
    const seen = await simulate(async ({ manager, clock }) => {
      const days: number[] = [];
      const monitor = manager.spawn(async (ctx) => {
        for (let day = 0; day < 20; day += 1) {
          await ctx.sleep(DAY);
          days.push(clock.now() / DAY);
        }
      });
      await monitor.result();
      return days;
    });
    expect(seen).toEqual(Array.from({ length: 20 }, (_, day) => day + 1));
  });

  test("timeouts, graces and stalls are due in virtual time", async () => {
    const outcome = await simulate(async ({ manager }) => {
      const deaf = manager.spawn(() => new Promise<never>(() => undefined), { timeoutMs: 3_600_000, graceMs: DAY });
      return { outcome: await deaf.outcome(), finishedAt: deaf.record.finishedAt };
    });
    expect(outcome).toMatchObject({ outcome: { status: "failed", abandoned: true }, finishedAt: 3_600_000 + DAY });
  });

  test("a scenario that is given up by its end is closed: nothing of it goes on", async () => {
    let ended = "";
    await simulate(({ manager }) => {
      const left = manager.spawn((ctx) => ctx.sleep(DAY));
      void left.outcome().then((outcome) => (ended = outcome.status));
    });
    expect(ended).toBe("interrupted");
  });

  test("real files are waited for before time moves", async () => {
    const folder = await mkdtemp(join(tmpdir(), "errand-"));
    try {
      await writeFile(join(folder, "plan.txt"), "x".repeat(1_000_000));
      const [length, at] = await simulate(async ({ manager, clock }) => {
        const reader = manager.spawn(async () => (await readFile(join(folder, "plan.txt"), "utf8")).length, {
          timeoutMs: 1,
        });
        const nap = manager.spawn((ctx) => ctx.sleep(1_000));
        const read = await reader.result();
        const now = clock.now();
        await nap.result();
        return [read, now];
      });
      expect([length, at]).toEqual([1_000_000, 0]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("turns of the event loop are waited for before time moves", async () => {
    const outcome = await simulate(({ manager }) => {
      const turning = async (): Promise<string> => {
        for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        return "in time";
      };
      return manager.spawn(turning, { timeoutMs: 1 }).outcome();
    });
    expect(outcome).toMatchObject({ status: "succeeded", value: "in time" });
  });

  test("a faked platform clock does not stop it", async () => {
    vi.useFakeTimers({ toFake: ["setImmediate", "setTimeout", "Date"] });
    try {
      expect(await simulate(({ manager }) => manager.spawn((ctx) => ctx.sleep(DAY).then(() => "over")).result())).toBe(
        "over",
      );
    } finally {
      vi.useRealTimers();
    }
  });

  test("another process that lives meanwhile holds nothing up", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    try {
      await simulate(({ clock }) => clock.sleep(DAY));
    } finally {
      child.kill();
    }
  });

  test("`maxMs` ends what would go on for ever", async () => {
    const forever = async ({ clock }: World): Promise<void> => {
      for (;;) await clock.sleep(1_000);
    };
    expect(await failure(forever, { maxMs: 10_000 })).toContain("not over after 10000 ms of virtual time");
  });
});

describe("a store in virtual time", () => {
  const nightly = defineKind({ name: "nightly", canReattach: () => true, run: (ctx) => ctx.sleep(DAY) });

  const folders: string[] = [];
  afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));
  async function folderOf(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "errand-"));
    folders.push(folder);
    return folder;
  }

  test.each([
    ["in memory", async () => memoryStore()],
    ["of files", async () => fileStore(await folderOf())],
  ])("D4 %s: a scenario restarts, and its tasks resume on the same clock", async (_where, storeOf) => {
    const options = { store: await storeOf(), kinds: [nightly] };
    const seen = await simulate(async ({ manager, clock }) => {
      manager.spawn(nightly, { id: "nightly-1" });
      await clock.sleep(DAY / 2);
      await manager.close();
      const next = await TaskManager.open({ ...options, clock });
      const task = next.get("nightly-1");
      const outcome = await task?.outcome();
      await next.close();
      return [outcome?.status, task?.record.attempt, clock.now() / DAY];
    }, options);
    expect(seen).toEqual(["succeeded", 2, 1.5]);
  });

  test("D4 of an earlier simulation is opened: its tasks are there, and no id is used twice", async () => {
    const options = { store: memoryStore(), kinds: [nightly] };
    await simulate(({ manager }) => manager.spawn(() => 1).result(), options);
    const ids = await simulate(async ({ manager }) => {
      await manager.spawn(() => 2).result();
      return manager.list().map(({ id }) => id);
    }, options);
    expect(ids).toEqual(["task_1", "task_2"]);
  });

  test("fails the simulation when it does not open", async () => {
    const store = memoryStore();
    const open = await TaskManager.open({ store });
    await expect(simulate(() => 1, { store })).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await open.close();
  });
});

describe("a scenario that waits for nothing", () => {
  test("fails, and says who waits for what", async () => {
    const message = await failure(
      async ({ manager }) => {
        const asker = manager.spawn((ctx) => ctx.ask({ question: "Which branch?" }), { title: "planner" });
        manager.spawn((ctx) => ctx.receive());
        const waiter = manager.spawn((ctx) => ctx.awaitTasks([asker]));
        manager.spawn(() => new Promise(() => undefined));
        manager.spawn(() => 1);
        await waiter.result();
      },
      { concurrency: 1 },
    );
    expect(message.split("\n")).toEqual([
      "The scenario waits, and there is no timer left to jump to. Let the scenario give what is waited for, and let it wait with clock.sleep: a timer of the platform is real time:",
      '  task_1 "planner" is blocked on an answer to "Which branch?"',
      "  task_2 is blocked on a message",
      "  task_3 is blocked on tasks task_1",
      "  task_4 runs: it awaits something that is no wait of errand",
      "  task_5 is in line in the lane default",
    ]);
  });

  test("leaves no rejection unhandled", async () => {
    const seen = await unhandled(async () => {
      await failure(async ({ manager }) => manager.spawn((ctx) => ctx.receive()).result());
    });
    expect(seen).toEqual([]);
  });

  test("fails with what the scenario threw, when it threw", async () => {
    expect(await failure(() => Promise.reject(new Error("broken scenario")))).toBe("broken scenario");
    expect(
      await failure(() => {
        throw new Error("at once");
      }),
    ).toBe("at once");
  });
});

describe("a seed", () => {
  /** Returns the order in which timers of the same instant fire, and some random numbers. */
  const run = (seed?: number) =>
    simulate(
      async ({ manager, random }) => {
        const order: number[] = [];
        const naps = Array.from({ length: 8 }, (_, index) =>
          manager.spawn(async (ctx) => {
            await ctx.sleep(10);
            order.push(index);
          }),
        );
        await manager.awaitTasks(naps);
        return { order, numbers: [random(), random()] };
      },
      { seed },
    );

  test("gives the same run again, and another seed another", async () => {
    const [once, again, other] = [await run(7), await run(7), await run(8)];
    expect(again).toEqual(once);
    expect(other).not.toEqual(once);
    expect(once.order.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    for (const number of once.numbers) expect(number >= 0 && number < 1).toBe(true);
  });

  test("left out, timers fire in the order they were set", async () => {
    expect((await run()).order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test("is named by what fails, whatever failed, and the failure is the cause", async () => {
    const broken = new Error("broken scenario");
    const failed = simulate(() => Promise.reject(broken), { seed: 42 });
    await expect(failed).rejects.toMatchObject({ message: "broken scenario (seed 42)", cause: broken });
    expect(await failure(({ manager }) => manager.spawn((ctx) => ctx.receive()).result(), { seed: 42 })).toContain(
      "(seed 42)",
    );
  });
});

describe("scripted answers", () => {
  test("answer by text or pattern, each line once, first that fits", async () => {
    const heard = await simulate(
      async ({ manager }) => {
        const ask = (question: string) => manager.spawn((ctx) => ctx.ask({ question }));
        const tasks = [ask("Which branch?"), ask("Which branch?"), ask("How many?")];
        const approved = manager.spawn((ctx) => ctx.approve("Delete the branch?").then(() => "deleted"));
        const refused = manager.spawn((ctx) => ctx.approve("Push?"));
        const texts = await Promise.all([...tasks, approved].map((task) => task.result()));
        return { texts, refused: await refused.outcome() };
      },
      {
        answers: [
          { to: "Which", answer: "main" },
          { to: "Which", answer: "next" },
          { to: /many\?$/, answer: "3", by: "ada" },
          { to: "Delete", answer: true },
          { to: "Push", reject: "not on a Friday" },
        ],
      },
    );
    expect(heard.texts).toEqual(["main", "next", "3", "deleted"]);
    expect(heard.refused).toMatchObject({ status: "failed", error: { code: "rejected" } });
  });

  test("that no question used, or that do not fit, fail the simulation", async () => {
    expect(await failure(() => 1, { answers: [{ to: "Which", answer: "main" }] })).toBe(
      'No task asked the question of the scripted answer to Which: remove the answer, or correct its "to"',
    );
    const approving = ({ manager }: World) => {
      const task = manager.spawn((ctx) => ctx.approve("Delete?"));
      return manager.awaitTasks([task], { timeoutMs: 10 });
    };
    expect(await failure(approving, { answers: [{ to: "Delete", answer: "yes" }] })).toContain(
      "A scripted answer was refused",
    );
  });

  test("that do not fit, or were not asked for, are reported when the scenario waits for ever", async () => {
    const approving = ({ manager }: World) => manager.spawn((ctx) => ctx.approve("Delete?")).result();
    const refused = await failure(approving, { answers: [{ to: "Delete", answer: "yes" }] });
    expect(refused).toContain('blocked on an answer to "Delete?"');
    expect(refused).toContain("A scripted answer was refused");
    expect(await failure(approving, { answers: [{ to: "Deleet", answer: true }] })).toContain(
      "No task asked the question of the scripted answer to Deleet",
    );
  });

  test("a close that hangs hides no failure of the scenario", async () => {
    const scenario = ({ manager }: World): never => {
      manager.spawn(() => new Promise(() => undefined));
      throw new Error("broken scenario");
    };
    expect(await failure(scenario, { graceMs: Number.POSITIVE_INFINITY })).toBe("broken scenario");
    expect(
      await failure(({ manager }) => void manager.spawn(() => new Promise(() => undefined)), {
        graceMs: Number.POSITIVE_INFINITY,
      }),
    ).toContain("no timer left to jump to");
  });

  test("stop when they are off", async () => {
    await simulate(async ({ manager }) => {
      const script = scriptAnswers(manager, [{ to: "Which", answer: "main" }]);
      script.off();
      const task = manager.spawn((ctx) => ctx.ask({ question: "Which?", timeoutMs: 10 }));
      const outcome = await task.outcome();
      expect(outcome.status === "failed" && isErrandError(outcome.error.cause, "REQUEST_EXPIRED")).toBe(true);
      expect(script.unused).toHaveLength(1);
    });
  });
});

test("a scripted answer has exactly one of answer and reject", () => {
  const { inbox } = new TaskManager();
  const line = (fields: object): ScriptedAnswer => ({ to: "Which", answer: "main", ...fields });
  expect(() => scriptAnswers({ inbox }, [line({}), line({ reject: "no" })])).toThrow(
    new TypeError("answers[1] must have either answer or reject, got both"),
  );
  expect(() => scriptAnswers({ inbox }, [line({ answer: undefined })])).toThrow(/either answer or reject, got none/);
});

describe("a manual clock", () => {
  test("tells when its next timer is due, fires in order, and forgets what was cleared", async () => {
    const clock = manualClock(100);
    const fired: string[] = [];
    expect(clock.nextAt).toBeUndefined();
    const second = clock.setTimeout(() => fired.push("second"), 20);
    clock.setTimeout(() => fired.push("third"), 30);
    clock.setTimeout(() => fired.push("first"), 10);
    clock.setTimeout(() => fired.push("also first"), 10);
    expect(clock.nextAt).toBe(110);
    clock.clearTimeout(second);
    clock.clearTimeout(second);
    clock.clearTimeout(undefined);
    manualClock().clearTimeout(second);
    await clock.advance(100);
    expect(fired).toEqual(["first", "also first", "third"]);
    expect([clock.now(), clock.nextAt]).toEqual([200, undefined]);
  });

  test("lets what follows from a timer happen before the next, in the same advance", async () => {
    const clock = manualClock();
    const seen: number[] = [];
    const again = (): void => {
      seen.push(clock.now());
      if (clock.now() < 30) clock.setTimeout(again, 10);
    };
    clock.setTimeout(again, 10);
    void clock.sleep(15).then(() => seen.push(-1));
    await clock.advance(30);
    expect(seen).toEqual([10, -1, 20, 30]);
    await settled();
    for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY])
      await expect(clock.advance(ms)).rejects.toThrow(RangeError);
    void clock.sleep(Number.NaN);
    expect(clock.nextAt).toBe(30);
  });
});
