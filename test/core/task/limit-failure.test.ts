// The failure of a task that a limit stopped: its message names the limit, and its causes are what the function says.

import { setTimeout as delay } from "node:timers/promises";
import { failureInWords, type SpawnOptions, type TaskContext } from "errand";
import { describe, expect, test } from "vitest";
import { world } from "../../support/program.js";
import { outcome, started } from "../../support/restarts.js";

describe("C6 the failure of a task that a limit stopped", () => {
  const late = { timeoutMs: 20, retry: { maxAttempts: 1 } };
  const untilAborted = ({ signal }: TaskContext) => delay(60_000, undefined, { signal });

  test.each<[option: string, options: SpawnOptions, message: string]>([
    ["timeoutMs", late, "ran for longer than its timeoutMs (20 ms)"],
    ["elapsedTimeoutMs", { elapsedTimeoutMs: 20 }, "took longer than its elapsedTimeoutMs (20 ms), waits included"],
    ["totalTimeoutMs", { totalTimeoutMs: 20 }, "was not over within its totalTimeoutMs (20 ms)"],
    [
      "stallTimeoutMs",
      { stallTimeoutMs: 20 },
      "gave no sign of life within its stallTimeoutMs (20 ms): ctx.heartbeat() is one, so are progress, output and messages",
    ],
  ])("names %s, and no cause that errand itself made", async (_option, options, message) => {
    const { manager, pass } = world();
    const task = manager.spawn(untilAborted, options);
    await pass(20);
    const outcome = await task.outcome();
    if (outcome.status !== "failed") throw new Error(outcome.status);
    expect(failureInWords(outcome.error)).toBe(message);
    expect(outcome.error).not.toHaveProperty("causes");
    expect(outcome.error.cause).toHaveProperty("name", "AbortError");
  });

  test("H6 names the budget, of a task and of a session", async () => {
    const { manager, pass } = world();
    const spend = (ctx: TaskContext) => {
      ctx.reportUsage({ inputTokens: 12 });
      return untilAborted(ctx);
    };
    const task = manager.spawn(spend, { budget: { tokens: 10 } });
    const ofSession = manager.session("s", { budget: { tokens: 10 } }).spawn(spend);
    await pass(0);
    const messages = [task.record.error?.message, ofSession.record.error?.message];
    expect(messages).toEqual([
      "its budget is spent: 12 of 10 tokens",
      "session s has no more to spend: its budget is spent: 12 of 10 tokens",
    ]);
    expect(task.record.error).not.toHaveProperty("causes");
  });

  test.each<[what: string, thrown: (reason: unknown) => unknown, causes: readonly string[]]>([
    ["the stop", (reason) => reason, []],
    ["an AbortError of the stop", (cause) => new DOMException("aborted", { name: "AbortError", cause }), []],
    ["an AbortError of the platform", () => new DOMException("aborted", "AbortError"), []],
    ["an error around the stop", (cause) => new Error("page 4 was open", { cause }), ["page 4 was open"]],
    ["an AbortError with a cause", () => aborted(new Error("the disk is full")), ["gave up", "the disk is full"]],
    ["an AbortError of a library", () => aborted(undefined), ["gave up"]],
    ["several", (cause) => new AggregateError([cause, new Error("no route")], "none"), ["none", "no route"]],
  ])("§12 keeps of %s what the function itself says", async (_what, thrown, causes) => {
    const { manager, pass } = world();
    const task = manager.spawn(async (ctx) => {
      await ctx.cancelled();
      throw thrown(ctx.signal.reason);
    }, late);
    await pass(20);
    expect((task.record.error?.causes ?? []).map(({ message }) => message)).toEqual(causes);
  });

  test("D4 names the limit also when the next process carries out the stop", async () => {
    const before = await started();
    before.manager.spawn(() => new Promise<never>(() => undefined), { id: "deaf", timeoutMs: 20 });
    await before.pass(20);
    const after = await before.restart();
    expect(await outcome(after, "deaf")).toMatchObject({
      error: { message: "ran for longer than its timeoutMs (20 ms)" },
    });
    await after.manager.close();
  });
});

function aborted(cause: unknown): Error {
  return Object.assign(new Error("gave up", cause === undefined ? {} : { cause }), { name: "AbortError" });
}
