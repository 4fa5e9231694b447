// Attempt signal: the signal of a task is the platform's, and the words of an abort reason are those of a person (C4, C5).

import type { TaskContext } from "errand";
import { describe, expect, test } from "vitest";
import { wordsOf } from "../../../lib/core/waits/attempt-signal.js";
import { deferred, settled } from "../../support/basics.js";
import { given, world } from "../../support/program.js";

describe("the words of an abort reason", () => {
  test("C4 are `aborted` for an abort of the platform that gave no reason", () => {
    const controller = new AbortController();
    controller.abort();
    expect(wordsOf(controller.signal.reason)).toBe("aborted");
    expect(wordsOf(new DOMException("any words", "AbortError"))).toBe("aborted");
  });

  test("C4 are those of the reason otherwise, also of an error that is named like the platform's", () => {
    expect(wordsOf(new DOMException("too slow", "TimeoutError"))).toContain("too slow");
    expect(wordsOf(Object.assign(new Error("the user left"), { name: "AbortError" }))).toContain("the user left");
    expect(wordsOf("enough")).toBe("enough");
    for (const reason of [undefined, null, 7, {}]) expect(wordsOf(reason)).not.toBe("aborted");
  });
});

test("C4 C5 the signal of a task that was stopped before it read it is aborted, with the error of its cancel", async () => {
  const { manager } = world();
  const gate = deferred();
  let context: TaskContext | undefined;
  const task = manager.spawn(async (ctx) => {
    context = ctx;
    await gate.promise;
  });
  await settled();
  const gone = task.cancel("enough");
  await settled();
  const { signal } = given(context);
  expect(signal.aborted).toBe(true);
  expect(signal.reason).toMatchObject({ code: "TASK_CANCELLED", reason: "enough", taskId: task.id });
  expect(given(context).signal).toBe(signal);
  gate.resolve();
  await gone;
});
