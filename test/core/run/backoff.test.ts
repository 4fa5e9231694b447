// backoffMs as a function: the pause that the error asks for (§10).

import { defineKind, type RetryOptions, type TaskFailure, TaskManager } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { settled } from "../../support/basics.js";

class TooMany extends Error {
  readonly retryAfterMs: number | undefined;
  constructor(retryAfterMs?: number) {
    super("429");
    this.retryAfterMs = retryAfterMs;
  }
}

function world(
  retry: Omit<RetryOptions, "maxAttempts">,
  throws: (attempt: number) => unknown = () => new TooMany(700),
) {
  const clock = manualClock();
  const warnings: string[] = [];
  /** What is said of the pause: that the task failed unread is another line. */
  const warn = (text: string) => void (text.startsWith("backoffMs") && warnings.push(text));
  const logger = { warn, error: () => undefined };
  const retention = { ttlMs: Number.POSITIVE_INFINITY };
  const manager = new TaskManager({ clock, logger, retention });
  const starts: number[] = [];
  const task = manager.spawn(
    (ctx) => {
      starts.push(clock.now());
      throw throws(ctx.attempt);
    },
    { retry: { maxAttempts: 3, ...retry } },
  );
  return { clock, manager, warnings, starts, task };
}

describe("backoffMs as a function", () => {
  test("§10 is asked with the error and the attempt, and its pause is kept as it is: no factor, no jitter", async () => {
    const asked: unknown[] = [];
    const { clock, starts } = world({
      factor: 10,
      backoffMs: (error: TaskFailure, attempt) => {
        asked.push([error.code, error.message, attempt]);
        return error.cause instanceof TooMany ? (error.cause.retryAfterMs ?? 0) * attempt : 0;
      },
    });
    await clock.advance(5_000);
    expect(starts).toEqual([0, 700, 2_100]);
    expect(asked).toEqual([
      ["error", "429", 1],
      ["error", "429", 2],
    ]);
  });

  test("§10 a record says until when, and a pause of 0 is none", async () => {
    const { clock, task, starts } = world({ backoffMs: (_, attempt) => (attempt === 1 ? 12_345 : 0) });
    await settled();
    expect(task.record).toMatchObject({ status: "queued", notBeforeAt: 12_345 });
    await clock.advance(12_345);
    expect([starts, task.status]).toEqual([[0, 12_345, 12_345], "failed"]);
  });

  test("§10 undefined leaves it to the default pause, with the factor and jitter given", async () => {
    const { clock, starts, warnings } = world({ backoffMs: () => undefined, factor: 3, jitter: false });
    await clock.advance(10_000);
    expect([starts, warnings]).toEqual([[0, 1_000, 4_000], []]);
  });

  test.each<[what: string, backoffMs: () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("no header");
      },
    ],
    ["gives a promise", () => Promise.reject(new Error("later"))],
    ["gives NaN", () => Number.NaN],
    ["gives a negative number", () => -1],
    ["gives Infinity", () => Number.POSITIVE_INFINITY],
    ["gives a text", () => "120"],
  ])("§10 §12 one that %s costs no attempt: the default pause, and a line in the log", async (_, backoffMs) => {
    const { clock, starts, warnings } = world({ backoffMs: backoffMs as () => number, jitter: false });
    await clock.advance(10_000);
    expect(starts).toEqual([0, 1_000, 3_000]);
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain("backoffMs gave no pause");
  });

  test("§10 is not asked where nothing is tried again", async () => {
    let asked = 0;
    const backoffMs = () => ++asked;
    const { clock } = world({ backoffMs, retryIf: () => false });
    await clock.advance(1_000);
    expect(asked).toBe(0);
  });

  test("§10 a kind has one too, and its spawn's goes before it", async () => {
    const clock = manualClock();
    const starts: number[] = [];
    const kind = defineKind({
      name: "call",
      retry: { maxAttempts: 2, backoffMs: () => 300 },
      run: () => {
        starts.push(clock.now());
        throw new TooMany();
      },
    });
    const manager = new TaskManager({ clock, kinds: [kind], retention: { ttlMs: Number.POSITIVE_INFINITY } });
    manager.spawn(kind);
    await clock.advance(1_000);
    manager.spawn(kind, { retry: { maxAttempts: 2, backoffMs: () => 20 } });
    await clock.advance(1_000);
    expect(starts).toEqual([0, 300, 1_000, 1_020]);
  });

  test("H2 S5 one that cancels its own task is obeyed", async () => {
    const { clock, starts, task } = world({
      backoffMs: () => {
        void task.cancel("enough");
        return 5;
      },
    });
    await clock.advance(1_000);
    expect([starts, task.status]).toEqual([[0], "cancelled"]);
  });
});
