// The logger: errand calls it from one place, and nothing that it does comes back (§12). An unhandled rejection fails the run.

import { AsyncLocalStorage } from "node:async_hooks";
import { defineKind, type Logger, TaskManager } from "errand";
import { describe, expect, test } from "vitest";
import { deferred, settled } from "../../support/basics.js";
import { deaf, world } from "../../support/program.js";
import { durable, started } from "../../support/restarts.js";

const bug = (): never => {
  throw new Error("a bug of the user's");
};
const all = (method: () => unknown): Logger => ({ debug: method, info: method, warn: method, error: method });

const broken: readonly [how: string, logger: () => Logger][] = [
  ["throws", () => all(bug)],
  [
    "throws undefined",
    () =>
      all(() => {
        throw undefined;
      }),
  ],
  ["rejects", () => all(() => Promise.reject(new Error("the log server is down")))],
  ["rejects with nothing", () => all(() => Promise.reject(undefined))],
  // oxlint-disable-next-line unicorn/no-thenable -- the law is about these
  ["answers a thenable that rejects", () => all(() => ({ then: (_: unknown, no: (e: unknown) => void) => no(bug) }))],
  // oxlint-disable-next-line unicorn/no-thenable -- the law is about these
  ["answers a thenable that throws", () => all(() => ({ then: bug }))],
  [
    "answers an object whose then cannot be read",
    () =>
      all(() =>
        Object.defineProperty({}, "then", {
          get: bug,
        }),
      ),
  ],
  // oxlint-disable-next-line unicorn/no-thenable -- the law is about these
  ["answers a function that is a thenable", () => all(() => Object.assign(() => 1, { then: bug }))],
  ["never answers", () => all(deaf)],
  [
    "has lost its methods",
    () => {
      let isChecked = false;
      setImmediate(() => (isChecked = true));
      return new Proxy(
        all(() => 1),
        { get: (logger, name) => (isChecked ? bug() : Reflect.get(logger, name)) },
      );
    },
  ],
];

describe("§12 a logger that", () => {
  test.each(broken)("%s hurts no task when a listener, a hook or retryIf throws", async (_how, make) => {
    const kinds = [
      defineKind({ name: "steered", deliver: bug, run: (ctx) => ctx.receive() }),
      defineKind({ name: "wound", cancel: bug, run: deaf }),
      defineKind({ name: "remote", reconcile: bug, run: () => undefined }),
    ];
    const { manager, pass } = world({ kinds, logger: make(), graceMs: 5 });
    await settled();
    manager.on("task.created", bug);
    manager.on("task.succeeded", () => Promise.reject(new Error("later")));
    const steered = manager.spawn("steered");
    const wound = manager.spawn("wound");
    const remote = manager.spawn("remote");
    const retried = manager.spawn(bug, { retry: { maxAttempts: 2, backoffMs: 1, retryIf: bug } });
    await settled();
    await steered.send("go left");
    void wound.cancel();
    await pass(10);
    await pass(2_000);
    void remote.cancel();
    await pass(10);
    const statuses = [steered, wound, remote, retried].map(({ status }) => status);
    expect(statuses).toEqual(["succeeded", "cancelled", "cancelled", "failed"]);
    await manager.close();
  });

  test.each(broken)("%s hurts neither open nor nextNotices nor a failing store", async (_how, make) => {
    const kind = durable(deaf, { canReattach: bug });
    const first = await started({ kinds: [kind] });
    first.manager.session("chat").spawn(kind);
    await settled();
    const next = await first.restart({ kinds: [kind], logger: make() });
    const session = next.manager.session("chat");
    for (let time = 0; time < 25; time++) expect(await session.nextNotices()).toMatchObject({ notices: [{}] });
    next.store.failure = new Error("no space left");
    session.spawn(() => 1);
    await next.pass(200);
    next.store.failure = undefined;
    await next.pass(1_000);
    expect(session.list({ status: "succeeded" })).toHaveLength(1);
  });

  test("calls errand is called outside every call of errand, and outside any task and trace", async () => {
    const trace = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const failing = deferred<never>();
    let calls = 0;
    const logger = all(() => {
      seen.push([trace.getStore(), manager.current]);
      calls++;
      manager.spawn(() => "said", { id: `said ${calls}` });
      void manager.get("failing")?.cancel();
    });
    const { manager } = world({ logger });
    const task = trace.run("a trace", () =>
      manager.spawn(() => failing.promise, { id: "failing", retry: { maxAttempts: 3, retryIf: bug } }),
    );
    await settled();
    failing.reject(new Error("once"));
    expect(await task.outcome()).toMatchObject({ status: "failed", error: { message: "once" } });
    await settled();
    expect(seen).toEqual([[undefined, undefined]]);
    expect(manager.get("said 1")?.record).toMatchObject({ status: "succeeded", depth: 0 });
  });

  test("causes a line by each line does not keep the process from its other work", async () => {
    let lines = 0;
    const { manager } = world({
      logger: all(() => {
        if (lines++ < 10_000) manager.spawn(() => 1);
      }),
    });
    manager.on("task.created", bug);
    manager.spawn(() => 1);
    await settled();
    // Each line waits for a macrotask, so the test gets its turn.
    expect(lines).toBeLessThan(100);
    lines = 10_000;
    await settled();
    await manager.close();
  });

  test("needs its `this` has it, and gets one argument where there are no fields", async () => {
    class Log {
      readonly #lines: unknown[][] = [];
      warn(...line: unknown[]): void {
        this.#lines.push(line);
      }
      error(...line: unknown[]): void {
        this.#lines.push(line);
      }
      get lines(): readonly unknown[][] {
        return this.#lines;
      }
    }
    const logger = new Log();
    const { manager } = world({ logger });
    const session = manager.session("chat");
    await session.spawn(() => 1).result();
    session.spawn(() => 1);
    await settled();
    for (let time = 0; time < 25; time++) await session.nextNotices();
    manager.on("task.created", bug);
    manager.spawn(() => 1);
    await settled();
    expect(logger.lines.map((line) => line.length)).toEqual([1, 2]);
  });
});

describe("§12 the check of a logger", () => {
  const quiet = (): void => undefined;
  test.each<[what: string, logger: object, words: RegExp]>([
    ["error alone", { error: quiet }, /^logger\.warn must be a function, got undefined$/],
    ["warn alone", { warn: quiet }, /^logger\.error must be a function, got undefined$/],
    ["a method that is a text", { warn: quiet, error: "stderr" }, /^logger\.error must be a function, got "stderr"$/],
    [
      "a debug that is no function",
      { warn: quiet, error: quiet, debug: 3 },
      /^logger\.debug must be a function, got 3$/,
    ],
    [
      "a method that cannot be read",
      Object.defineProperty({ error: quiet }, "warn", { get: bug }),
      /^logger\.warn must be a function, and reading it threw: .*a bug/,
    ],
  ])("refuses %s by name", (_what, logger, words) => {
    // @ts-expect-error for callers without types
    expect(() => new TaskManager({ logger })).toThrow(words);
    // @ts-expect-error for callers without types
    expect(() => new TaskManager({ logger })).toThrow(TypeError);
  });

  test("takes what has the two methods that errand calls: also inherited ones, those of a function, and `console`", () => {
    class Base {
      warn(): void {}
      error(): void {}
    }
    for (const logger of [{ warn: quiet, error: quiet }, new (class extends Base {})(), console])
      expect(() => new TaskManager({ logger })).not.toThrow();
    expect(() => new TaskManager({ logger: Object.assign(() => 1, { warn: quiet, error: quiet }) })).not.toThrow();
  });
});
