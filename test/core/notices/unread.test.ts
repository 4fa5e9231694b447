// Failures that no caller reads: a root that failed gives one line of the logger, unless its outcome was delivered to a caller (§19).

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { defineKind, type Logger, type TaskManager, type TaskManagerOptions } from "errand";
import { describe, expect, test } from "vitest";
import { deferred, settled } from "../../support/basics.js";
import { deaf, given, world } from "../../support/program.js";
import { started } from "../../support/restarts.js";

const fails = (): never => {
  throw new Error("no such host", { cause: new Error("ENOTFOUND db.example") });
};

/** A manager, and the lines of its logger. */
function logged(options: TaskManagerOptions = {}) {
  const lines: [message: string, fields: object | undefined][] = [];
  const say = (message: string, fields?: object): void => void lines.push([message, fields]);
  const logger: Logger = { warn: say, error: () => say("an error") };
  return { ...world({ ...options, logger }), lines, logger };
}

describe("§19 a failed root whose outcome no caller has read", () => {
  test("gives one line after 5 s, which has its id, its title, the error and the reasons below it", async () => {
    const { manager, lines, pass } = logged();
    manager.spawn(fails, { id: "unread", title: "Look up the host" });
    await pass(4_999);
    expect(lines).toEqual([]);
    await pass(1);
    expect(lines).toEqual([
      [
        "Task unread (Look up the host) failed (error), and no caller has read its outcome: no such host: ENOTFOUND db.example",
        { taskId: "unread", error: expect.objectContaining({ message: "no such host" }) },
      ],
    ]);
    await pass(60_000);
    await manager.close();
    expect(lines).toHaveLength(1);
  });

  test("gives it at the close, when that is earlier", async () => {
    const { manager, lines } = logged();
    manager.spawn(fails, { id: "unread" });
    await settled();
    await manager.close();
    expect(lines.map(([message]) => message)).toEqual([expect.stringContaining("unread")]);
  });

  test("gives it each, with one timer for all of them, whenever they fail", async () => {
    const { manager, lines, pass, clock } = logged();
    for (let task = 0; task < 100; task++) manager.spawn(fails);
    await pass(3_000);
    expect(clock.nextAt).toBe(5_000);
    manager.spawn(fails, { id: "later" });
    await pass(2_000);
    expect(lines).toHaveLength(100);
    await pass(2_999);
    expect(lines).toHaveLength(100);
    await pass(1);
    expect(lines).toHaveLength(101);
    expect(clock.nextAt).toBeGreaterThan(1_000_000);
  });

  test("has failed by whatever code: a limit, a result that does not fit, a budget", async () => {
    const { manager, lines, pass } = logged({ graceMs: 1 });
    manager.spawn(deaf, { id: "slow", timeoutMs: 10 });
    manager.spawn((ctx) => ctx.reportUsage({ inputTokens: 2 }), { id: "dear", budget: { tokens: 1 } });
    manager.spawn(fails, { id: "loose", detached: true });
    await pass(10_000);
    expect(lines.map(([message]) => /Task (\w+) failed \((\w+)\)/.exec(message)?.slice(1))).toEqual([
      ["dear", "budget_exceeded"],
      ["loose", "error"],
      ["slow", "timeout"],
    ]);
  });

  test("is on one line and bounded, whatever was thrown", async () => {
    const { manager, lines, pass } = logged();
    manager.spawn(() => {
      throw new Error(`a\nTask other succeeded\u001b[2J${"x".repeat(10_000)}`);
    });
    await pass(5_000);
    expect(given(lines[0])[0]).toMatch(/^[^\p{Cc}]{1,500}$/u);
  });
});

describe("§19 no line is given for", () => {
  const quietFor: readonly [what: string, read: (manager: TaskManager) => unknown][] = [
    ["outcome", (manager) => given(manager.get("read")).outcome()],
    [
      "result",
      (manager) =>
        given(manager.get("read"))
          .result()
          .catch(() => 0),
    ],
    ["awaitTasks", (manager) => manager.awaitTasks(["read"])],
    ["outcomes", (manager) => manager.outcomes(["read"])[Symbol.asyncIterator]().next()],
    ["cancel", (manager) => given(manager.get("read")).cancel()],
    ["a task that waits for it", (manager) => manager.spawn((ctx) => ctx.awaitTasks(["read"])).outcome()],
    [
      "a tool",
      (manager) =>
        manager
          .session("chat")
          .tools({ only: ["await_tasks"] })[0]
          ?.execute({ task_ids: ["read"] }),
    ],
    ["a batch of notices", (manager) => manager.session("chat").nextNotices()],
  ];
  test.each(quietFor)("one that was read by %s, before its end or up to 5 s after it", async (_what, read) => {
    for (const whenMs of [0, 10, 5_000]) {
      const { manager, lines, pass } = logged();
      const failing = deferred<never>();
      manager.session("chat").spawn(() => failing.promise, { id: "read" });
      await settled();
      const early = whenMs === 0 ? read(manager) : undefined;
      failing.reject(new Error("known"));
      await settled();
      await pass(Math.max(0, whenMs - 1));
      await (early ?? read(manager));
      await pass(60_000);
      await manager.close();
      expect(lines).toEqual([]);
    }
  });

  test("one that a listener of task.failed hears of, one that succeeded, was cancelled or interrupted, and a child", async () => {
    const { manager, lines, pass } = logged();
    const off = manager.on("task.failed", () => {});
    manager.spawn(fails);
    await settled();
    off();
    manager.spawn(() => 1);
    void manager.spawn(deaf, { graceMs: 0 }).cancel();
    manager.spawn(async (ctx) => {
      ctx.spawn(fails);
      await ctx.sleep(10_000);
    });
    manager.spawn(deaf);
    await pass(20_000);
    void manager.close({ graceMs: 0 });
    await pass(1_000);
    expect(lines).toEqual([]);
  });

  test("a failure that waits for the loop of its session, until the close; with a store the next process tells of it", async () => {
    const { manager, lines, pass, logger } = logged();
    manager.session("chat").spawn(fails, { id: "noticed" });
    manager.session("chat").spawn(fails, { id: "silent", wake: "silent" });
    await pass(60_000);
    expect(lines.map(([message]) => message)).toEqual([expect.stringContaining("silent")]);
    await manager.close();
    expect(lines.map(([message]) => message)).toEqual([
      expect.stringContaining("silent"),
      expect.stringContaining("noticed"),
    ]);

    lines.length = 0;
    const first = await started({ logger });
    first.manager.session("chat").spawn(fails, { id: "noticed" });
    await first.pass(60_000);
    await first.manager.close();
    const next = await first.restart({ logger });
    await next.pass(60_000);
    await next.manager.close();
    expect(lines).toEqual([]);
  });

  test("a failure that the store does not have yet: no caller could be given it", async () => {
    const { lines, logger } = logged();
    const first = await started({ logger });
    const gate = deferred<never>();
    const task = first.manager.spawn(() => gate.promise, { id: "late" });
    await settled();
    first.store.failure = new Error("no space left");
    gate.reject(new Error("no such host"));
    await first.pass(20_000);
    expect(lines.filter(([message]) => message.includes("late"))).toEqual([]);
    first.store.failure = undefined;
    await first.pass(2_000);
    await task.outcome();
    await first.pass(20_000);
    expect(lines.filter(([message]) => message.includes("late"))).toEqual([]);
  });

  test("one of an attempt that is tried again and succeeds", async () => {
    let runs = 0;
    const flaky = defineKind({ name: "flaky", run: () => (runs++ === 0 ? fails() : 1) });
    const { manager, lines, pass } = logged({ kinds: [flaky] });
    manager.spawn("flaky", { retry: { maxAttempts: 2, backoffMs: 10_000 } });
    await pass(60_000);
    expect(lines).toEqual([]);
  });
});

describe("§19 a process that only spawns", () => {
  const entry = fileURLToPath(new URL("../../../dist/index.js", import.meta.url));
  const run = async (last: string): Promise<string> => {
    const program = `import { TaskManager } from ${JSON.stringify(entry)};
      new TaskManager({ logger: console }).spawn(() => { throw new Error("no such host"); }, { id: "unread" });
      ${last}`;
    const { stderr } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]);
    return stderr;
  };
  test.each([
    ["ends by itself", ""],
    ["calls process.exit", "setTimeout(() => process.exit(0), 5);"],
  ])("says before it %s what has failed", async (_how, last) => {
    expect(await run(last)).toContain("Task unread failed (error), and no caller has read its outcome: no such host");
  });

  test("leaves no listener of the process behind", async () => {
    const before = process.listenerCount("exit");
    const { manager, pass } = logged();
    const task = manager.spawn(fails);
    await settled();
    expect(process.listenerCount("exit")).toBe(before + 1);
    await task.outcome();
    expect(process.listenerCount("exit")).toBe(before);
    manager.spawn(fails);
    await pass(5_000);
    expect(process.listenerCount("exit")).toBe(before);
    manager.spawn(fails);
    await manager.close();
    expect(process.listenerCount("exit")).toBe(before);
  });
});
