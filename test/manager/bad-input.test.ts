// Bad input: every wrong thing a caller can hand in has a named answer, and never a silence (§12, S8).

import type { SpawnOptions, TaskManagerOptions } from "errand";
import { defineKind, TaskManager } from "errand";
import { describe, expect, test } from "vitest";
import { allFree, facts, settled } from "../support/basics.js";
import {
  deaf,
  errandError,
  given,
  hold,
  refusalOf,
  refused,
  rejected,
  untilStopped,
  world,
} from "../support/program.js";

describe("unknown ids", () => {
  test("§12 get of an unknown id is undefined, and tree of one is empty", () => {
    const { manager } = world();
    expect([manager.get("nobody"), manager.session("chat").get("nobody"), manager.inbox.get("nobody")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect([manager.tree("nobody"), manager.list({ parentId: "nobody" })]).toEqual([[], []]);
  });

  test("§12 an unknown id elsewhere is TaskNotFoundError before anything waits", async () => {
    const { manager } = world();
    const task = hold(manager);
    const told = facts(manager);
    const calls = [
      () => manager.awaitTasks([task.handle, "nobody"]),
      () => manager.awaitTasks(["nobody"], { until: "any" }),
      () => manager.outcomes(["nobody"])[Symbol.asyncIterator]().next(),
      () => manager.spawn(() => 1, { parent: "nobody" }),
    ];
    for (const call of calls) expect((await rejected(call, "TASK_NOT_FOUND")).taskId).toBe("nobody");
    await settled();
    expect(manager.list()).toHaveLength(1);
    expect(told.filter(({ type }) => type === "task.blocked")).toEqual([]);
  });

  test("§12 inside a task an unknown id is TaskNotFoundError without a slot change", async () => {
    const { manager } = world({ concurrency: 1 });
    const told = facts(manager);
    const task = manager.spawn(async (ctx) => {
      const error = errandError(await refusalOf(() => ctx.awaitTasks(["nobody"])), "TASK_NOT_FOUND");
      return error.taskId;
    });
    expect(await task.result()).toBe("nobody");
    await settled();
    expect(told.filter(({ type }) => type === "task.blocked")).toEqual([]);
  });

  test("§12 an unknown request is RequestNotFoundError", async () => {
    const { manager } = world();
    await rejected(() => manager.inbox.answer("nothing", "x", { by: "ann" }), "REQUEST_NOT_FOUND");
    await rejected(() => manager.inbox.reject("nothing", "x", { by: "ann" }), "REQUEST_NOT_FOUND");
  });

  test("§12 a request id of another task answers nothing by message", async () => {
    const { manager } = world();
    const asking = manager.spawn((ctx) => ctx.ask({ question: "Which?" }));
    const other = hold(manager);
    await settled();
    const { id } = given(manager.inbox.list()[0]);
    await other.handle.send("this", { inReplyTo: id }).catch(() => undefined);
    await settled();
    expect([manager.inbox.get(id)?.status, asking.status]).toEqual(["open", "blocked"]);
  });
});

describe("names and lanes", () => {
  test("§12 a name in use is NameTakenError, a reserved one ReservedNameError, and neither starts anything", () => {
    const { manager } = world();
    const first = hold(manager, { name: "scout" });
    const taken = refused(() => manager.spawn(() => 1, { name: "scout" }), "NAME_TAKEN");
    expect([taken.taskName, taken.taskId]).toEqual(["scout", first.handle.id]);
    expect(refused(() => manager.spawn(() => 1, { name: "all" }), "RESERVED_NAME").taskName).toBe("all");
    expect(manager.list()).toHaveLength(1);
  });

  test("L6 an undeclared lane is UnknownLaneError and starts nothing", () => {
    const { manager } = world({ lanes: { disk: { concurrency: 1 } } });
    const error = refused(() => manager.spawn(() => 1, { lane: "dsk" }), "UNKNOWN_LANE");
    expect(error.lane).toBe("dsk");
    expect(error.message).toContain("dsk");
    expect(manager.spawn(() => 1, { lane: "disk" }).record.lane).toBe("disk");
    expect(manager.spawn(() => 1).record.lane).toBe("default");
    expect(manager.list()).toHaveLength(2);
  });

  test("L6 past maxQueued a spawn is QueueFullError and starts nothing", () => {
    const { manager } = world({ concurrency: 1, limits: { maxQueued: 2 } });
    for (let index = 0; index < 3; index += 1) manager.spawn(deaf);
    expect(refused(() => manager.spawn(deaf), "QUEUE_FULL").maxQueued).toBe(2);
    expect(manager.list()).toHaveLength(3);
  });
});

describe("options that are none", () => {
  test("§12 a misspelt option is a TypeError that names it, wherever options are taken", async () => {
    const { manager } = world();
    const task = hold(manager);
    await settled();
    const { ctx, handle } = task;
    // Each is misspelt as a program in JavaScript might; the compiler would refuse them.
    const calls: readonly [name: string, call: () => unknown][] = [
      ["priorty", () => manager.spawn(() => 1, JSON.parse('{"priorty":1}'))],
      ["maxQueud", () => new TaskManager({ limits: JSON.parse('{"maxQueud":1}') })],
      ["maxFinishd", () => new TaskManager({ retention: JSON.parse('{"maxFinishd":1}') })],
      [
        "holdAbandonned",
        () => new TaskManager({ lanes: { a: JSON.parse('{"concurrency":1,"holdAbandonned":true}') } }),
      ],
      [
        "period",
        () => new TaskManager({ lanes: { a: { concurrency: 1, rate: JSON.parse('{"limit":1,"period":5}') } } }),
      ],
      ["timeout", () => handle.outcome(JSON.parse('{"timeout":1}'))],
      ["timeout", () => manager.awaitTasks([handle], JSON.parse('{"timeout":1}'))],
      ["taskID", () => manager.events(JSON.parse('{"taskID":"x"}'))],
      ["grace", () => manager.close(JSON.parse('{"grace":1}'))],
      ["lanes", () => manager.room(JSON.parse('{"lanes":"a"}'))],
      ["timeoutMs", () => manager.idle(JSON.parse('{"timeoutMs":1}'))],
      ["choice", () => ctx.ask(JSON.parse('{"question":"Which?","choice":["a"]}'))],
      ["detail", () => ctx.approve("Really?", JSON.parse('{"detail":1}'))],
    ];
    for (const [name, call] of calls) {
      const error = await refusalOf(async () => call());
      expect(error).toBeInstanceOf(TypeError);
      expect(String(error)).toContain(JSON.stringify(name));
    }
    expect(manager.inbox.list()).toEqual([]);
    expect(handle.status).toBe("running");
  });

  test("§12 a signal that is none is a TypeError, and begins no wait", async () => {
    const { manager } = world({ concurrency: 1 });
    const signal: AbortSignal = JSON.parse('"no"');
    const task = manager.spawn(async (ctx) => {
      const refusals = [
        await refusalOf(() => manager.idle({ signal })),
        await refusalOf(() => manager.room({ signal })),
        await refusalOf(() => ctx.sleep(1, { signal })),
        await refusalOf(() => ctx.receive({ signal })),
      ];
      return { refusals, status: ctx.record.status };
    });
    const { refusals, status } = await task.result();
    for (const refusal of refusals) expect(String(refusal)).toContain("signal must be an AbortSignal");
    expect(status).toBe("running");
    allFree(manager);
  });
});

describe("options of the manager", () => {
  const wrong = (options: TaskManagerOptions): Promise<unknown> => refusalOf(() => new TaskManager(options));

  test.each([0, -1, 1.5, Number.NaN])(
    "§12 concurrency %d is a RangeError naming option, value and range",
    async (concurrency) => {
      const error = await wrong({ concurrency });
      expect(error).toBeInstanceOf(RangeError);
      expect(error).toMatchObject({ message: expect.stringContaining("concurrency") });
      expect(error).toMatchObject({ message: expect.stringContaining(String(concurrency)) });
      expect(error).toMatchObject({ message: expect.stringMatching(/1/) });
    },
  );

  test('§12 concurrency "4" is a TypeError naming option and value', async () => {
    const error = await refusalOf(
      () =>
        new TaskManager({
          // @ts-expect-error a caller without types
          concurrency: "4",
        }),
    );
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ message: expect.stringMatching(/concurrency.*4/s) });
  });

  test("§12 concurrency may be Infinity, and may be left out or undefined", async () => {
    for (const options of [{ concurrency: Infinity }, {}, { concurrency: undefined }]) {
      expect(await new TaskManager(options).spawn(() => "runs").result()).toBe("runs");
    }
  });

  test.each<{ name: string; value: number; options: TaskManagerOptions }>([
    { name: "concurrency", value: 0, options: { lanes: { disk: { concurrency: 0 } } } },
    { name: "concurrency", value: 2.5, options: { lanes: { disk: { concurrency: 2.5 } } } },
    { name: "limit", value: 0, options: { lanes: { model: { concurrency: 1, rate: { limit: 0, periodMs: 1_000 } } } } },
    {
      name: "limit",
      value: 1.5,
      options: { lanes: { model: { concurrency: 1, rate: { limit: 1.5, periodMs: 1_000 } } } },
    },
    {
      name: "periodMs",
      value: Number.POSITIVE_INFINITY,
      options: { lanes: { model: { concurrency: 1, rate: { limit: 1, periodMs: Number.POSITIVE_INFINITY } } } },
    },
    {
      name: "periodMs",
      value: -5,
      options: { lanes: { model: { concurrency: 1, rate: { limit: 1, periodMs: -5 } } } },
    },
    { name: "graceMs", value: -1, options: { graceMs: -1 } },
    { name: "graceMs", value: Number.NaN, options: { graceMs: Number.NaN } },
    { name: "agingMs", value: -1, options: { agingMs: -1 } },
    { name: "maxDepth", value: -1, options: { limits: { maxDepth: -1 } } },
    { name: "maxDepth", value: 1.5, options: { limits: { maxDepth: 1.5 } } },
    { name: "maxChildren", value: -1, options: { limits: { maxChildren: -1 } } },
    { name: "maxDescendants", value: Number.NaN, options: { limits: { maxDescendants: Number.NaN } } },
    { name: "maxQueued", value: -1, options: { limits: { maxQueued: -1 } } },
    { name: "maxQueued", value: 0.5, options: { limits: { maxQueued: 0.5 } } },
    { name: "maxFinished", value: -1, options: { retention: { maxFinished: -1 } } },
    { name: "maxFinished", value: 1.5, options: { retention: { maxFinished: 1.5 } } },
    { name: "ttlMs", value: -1, options: { retention: { ttlMs: -1 } } },
  ])("§12 $name $value of a manager is a RangeError naming option and value", async ({ name, value, options }) => {
    const error = await wrong(options);
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ message: expect.stringContaining(name) });
    expect(error).toMatchObject({ message: expect.stringContaining(String(value)) });
  });

  test("§12 options of a wrong type are TypeErrors naming option and value", async () => {
    const calls: [string, () => unknown][] = [
      // @ts-expect-error a caller without types
      ["graceMs", () => new TaskManager({ graceMs: "soon" })],
      // @ts-expect-error a caller without types
      ["ambient", () => new TaskManager({ ambient: "yes" })],
      // @ts-expect-error a caller without types
      ["maxDepth", () => new TaskManager({ limits: { maxDepth: "8" } })],
      // @ts-expect-error a caller without types
      ["maxFinished", () => new TaskManager({ retention: { maxFinished: null } })],
      // @ts-expect-error a caller without types
      ["concurrency", () => new TaskManager({ lanes: { disk: { concurrency: true } } })],
    ];
    for (const [name, call] of calls) {
      const error = await refusalOf(call);
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toMatchObject({ message: expect.stringContaining(name) });
    }
  });
});

describe("§12 an option in the wrong place", () => {
  const untyped = (options: object): TaskManagerOptions => options;

  test.each(["rate", "perKey", "holdAbandoned"])("%s of a manager is one of a lane", async (name) => {
    const error = await refusalOf(() => new TaskManager(untyped({ [name]: true })));
    expect(String(error)).toBe(
      `TypeError: TaskManager has no option "${name}": it belongs to a lane, as lanes: { default: { ${name} } }`,
    );
  });

  test("perMs of a window is periodMs", async () => {
    const rate = { limit: 5, perMs: 1_000 };
    // @ts-expect-error a caller without types
    const error = await refusalOf(() => new TaskManager({ lanes: { default: { rate } } }));
    expect(String(error)).toContain("did you mean periodMs?");
  });

  test("a directory in place of a store names fileStore", async () => {
    // @ts-expect-error a caller without types
    const error = await refusalOf(() => TaskManager.open({ store: "dir" }));
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toContain('for a directory use fileStore("dir") of errand/stores/file');
  });

  test("an option of map that does not exist is no option", async () => {
    const { manager } = world();
    const task = manager.spawn((ctx) => {
      const options = { concurrency: 2, concurency: 2 };
      return ctx.map([1], () => 1, options);
    });
    const outcome = await task.outcome();
    const message = outcome.status === "failed" ? outcome.error.message : "";
    expect(message).toContain('map has no option "concurency" (did you mean concurrency?)');
  });
});

describe("options of a spawn", () => {
  const texts = ["id", "name", "title", "agent", "lane", "laneKey", "runId", "callId"] as const;
  test.each(texts)("§12 an empty %s is refused by its name, and nothing is spawned", async (name) => {
    const { manager } = world();
    expect(String(await refusalOf(() => manager.spawn(() => 1, { [name]: "" })))).toContain(`: ${name} `);
    expect(manager.list()).toEqual([]);
  });

  test("§12 what was not given is as the default says, whatever else was given", () => {
    const { manager } = world();
    const plain = { detached: false, children: "await", tags: [], metadata: {}, priority: 0, lane: "default" };
    expect(manager.spawn(() => 1, { title: "titled" }).record).toMatchObject({ ...plain, title: "titled" });
    expect(manager.spawn(() => 1, { name: "named" }).record).toMatchObject({ ...plain, name: "named" });
  });

  test.each<{ name: string; value: number; options: SpawnOptions }>([
    { name: "timeoutMs", value: -1, options: { timeoutMs: -1 } },
    { name: "timeoutMs", value: Number.NaN, options: { timeoutMs: Number.NaN } },
    { name: "totalTimeoutMs", value: -1, options: { totalTimeoutMs: -1 } },
    { name: "stallTimeoutMs", value: -1, options: { stallTimeoutMs: -1 } },
    { name: "graceMs", value: -1, options: { graceMs: -1 } },
    { name: "priority", value: Number.NaN, options: { priority: Number.NaN } },
  ])(
    "§12 $name $value of a spawn is a RangeError naming option and value, and starts nothing",
    async ({ name, value, options }) => {
      const { manager } = world();
      const error = await refusalOf(() => manager.spawn(() => 1, options));
      expect(error).toBeInstanceOf(RangeError);
      expect(error).toMatchObject({ message: expect.stringContaining(name) });
      expect(error).toMatchObject({ message: expect.stringContaining(String(value)) });
      expect(manager.list()).toEqual([]);
    },
  );

  test("§12 options that a class reads from elsewhere are checked, and used, like its own fields", async () => {
    class Options {
      readonly #timeoutMs: unknown;
      constructor(timeoutMs: unknown) {
        this.#timeoutMs = timeoutMs;
      }
      get timeoutMs() {
        return this.#timeoutMs;
      }
      get laneKey() {
        return "ada";
      }
      readonly title = "timed";
    }
    const { manager, pass } = world();
    const error = await refusalOf(() => manager.spawn(() => 1, new Options("100") as SpawnOptions));
    expect(error).toMatchObject({ message: 'timeoutMs must be a number of milliseconds ≥ 0, got "100"' });
    expect(manager.list()).toEqual([]);
    const timed = manager.spawn(deaf, new Options(100) as SpawnOptions);
    await pass(100);
    expect(timed.record).toMatchObject({ title: "timed", laneKey: "ada", reason: "timeout" });
    const kind = defineKind({ name: "dig", run: () => 1 });
    expect(manager.spawn(kind, new Options(100) as SpawnOptions).record.laneKey).toBe("ada");
  });

  test("§12 options of a spawn of a wrong type are TypeErrors naming the option, and start nothing", async () => {
    const { manager } = world();
    const calls: [string, () => unknown][] = [
      // @ts-expect-error a caller without types
      ["timeoutMs", () => manager.spawn(() => 1, { timeoutMs: "100" })],
      // @ts-expect-error a caller without types
      ["priority", () => manager.spawn(() => 1, { priority: "high" })],
      // @ts-expect-error a caller without types
      ["children", () => manager.spawn(() => 1, { children: "wait" })],
      // @ts-expect-error a caller without types
      ["name", () => manager.spawn(() => 1, { name: 7 })],
      // @ts-expect-error a caller without types
      ["id", () => manager.spawn(() => 1, { id: 7 })],
      // @ts-expect-error a caller without types
      ["tags", () => manager.spawn(() => 1, { tags: "web" })],
      // @ts-expect-error a caller without types
      ["detached", () => manager.spawn(() => 1, { detached: "yes" })],
      // @ts-expect-error a caller without types
      ["signal", () => manager.spawn(() => 1, { signal: { aborted: false } })],
    ];
    for (const [name, call] of calls) {
      const error = await refusalOf(call);
      expect([name, error instanceof TypeError, error]).toMatchObject([
        name,
        true,
        { message: expect.stringContaining(name) },
      ]);
    }
    expect(manager.list()).toEqual([]);
  });

  test("§12 work that is no function is a TypeError", async () => {
    const { manager } = world();
    // @ts-expect-error a caller without types
    for (const call of [() => manager.spawn(42), () => manager.spawn(undefined), () => manager.spawn({ run() {} })]) {
      expect(await refusalOf(call)).toBeInstanceOf(TypeError);
    }
    expect(manager.list()).toEqual([]);
  });

  test("§12 times of waits are checked as those of spawns are", async () => {
    const { manager } = world();
    const task = manager.spawn(async (ctx) => {
      const calls: [string, () => unknown][] = [
        ["ms", () => ctx.sleep(-1)],
        ["ms", () => ctx.sleep(Number.NaN)],
        ["timeoutMs", () => ctx.receive({ timeoutMs: -1 })],
        ["timeoutMs", () => ctx.ask({ question: "Which?", timeoutMs: -1 })],
        ["timeoutMs", () => ctx.approve("Go on?", { timeoutMs: Number.NaN })],
        ["timeoutMs", () => ctx.awaitTasks([], { timeoutMs: -1 })],
        ["timeoutMs", () => ctx.spawn(() => 1).outcome({ timeoutMs: -1 })],
        ["concurrency", () => ctx.map([1], () => 1, { concurrency: 0 })],
        ["concurrency", () => ctx.map([1], () => 1, { concurrency: 1.5 })],
      ];
      const wrong: string[] = [];
      for (const [name, call] of calls) {
        const error = await refusalOf(call);
        if (!(error instanceof RangeError) || !error.message.includes(name)) wrong.push(`${name}: ${String(error)}`);
      }
      return wrong;
    });
    expect(await task.result()).toEqual([]);
    expect(await refusalOf(() => manager.close({ graceMs: -1 }))).toBeInstanceOf(RangeError);
    expect(await manager.spawn(() => "still open").result()).toBe("still open");
  });

  test("§12 an `until` that no set of tasks can meet is refused, naming option and value", async () => {
    const { manager } = world();
    const [a, b] = [hold(manager).handle, hold(manager).handle];
    for (const until of [0, -1, 1.5, 3, Number.NaN]) {
      const error = await refusalOf(() => manager.awaitTasks([a, b], { until }));
      expect(error).toBeInstanceOf(RangeError);
      expect(error).toMatchObject({ message: expect.stringMatching(new RegExp(`until.*${until}`, "s")) });
    }
    expect(await refusalOf(() => manager.awaitTasks([a, a], { until: 2 }))).toBeInstanceOf(RangeError);
    // @ts-expect-error a caller without types
    const error = await refusalOf(() => manager.awaitTasks([a, b], { until: "some" }));
    expect(error).toMatchObject({ message: expect.stringMatching(/until.*some/s) });
  });
});

describe("answers", () => {
  test("§12 an answer that fails its schema is InvalidInputError with the issues, and the request stays open", async () => {
    const { manager } = world();
    const task = manager.spawn((ctx) =>
      ctx.ask({
        question: "How many?",
        schema: {
          "~standard": {
            version: 1,
            vendor: "test",
            validate: (value: unknown) =>
              typeof value === "number" ? { value } : { issues: [{ message: "a number", path: ["n"] }] },
          },
        },
      }),
    );
    await settled();
    const { id } = given(manager.inbox.list()[0]);
    const error = await rejected(() => manager.inbox.answer(id, "many", { by: "ann" }), "INVALID_INPUT");
    expect(error.issues).toEqual([{ message: "a number", path: ["n"] }]);
    expect([manager.inbox.get(id)?.status, task.status]).toEqual(["open", "blocked"]);
    await manager.inbox.answer(id, 3, { by: "ann" });
    expect(await task.result()).toBe(3);
  });
});

describe("output JSON cannot carry", () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;

  test.each<{ what: string; value: unknown; path: readonly string[] }>([
    { what: "a BigInt", value: { report: { rows: [1, 2n] } }, path: ["report", "rows", "1"] },
    { what: "a function", value: { report: () => 1 }, path: ["report"] },
    { what: "a symbol", value: { report: Symbol("s") }, path: ["report"] },
    { what: "NaN", value: { report: Number.NaN }, path: ["report"] },
    { what: "Infinity", value: [0, Number.POSITIVE_INFINITY], path: ["1"] },
    { what: "a Map", value: { report: new Map([[1, 2]]) }, path: ["report"] },
    { what: "a Set", value: { report: new Set([1]) }, path: ["report"] },
    { what: "undefined in a list", value: { report: [undefined] }, path: ["report", "0"] },
    { what: "a cycle", value: circle, path: ["self"] },
    { what: "a bare BigInt", value: 10n, path: [] },
  ])(
    "§12 $what: the task succeeds, result() has the value, the record says why it has no output",
    async ({ value, path }) => {
      const { manager } = world();
      const told = facts(manager);
      const task = manager.spawn(() => value);
      expect(await task.result()).toBe(value);
      expect([task.status, "output" in task.record]).toEqual(["succeeded", false]);
      const why = given(task.record.outputOmitted);
      expect(why.length).toBeGreaterThan(0);
      for (const step of path) expect(why).toContain(step);
      await settled();
      expect(told.at(-1)).toMatchObject({ type: "task.succeeded", outputOmitted: why });
    },
  );

  test("§12 a getter that throws costs the output, not the task", async () => {
    const { manager } = world();
    const value = {
      get report(): number {
        throw new Error("no report");
      },
    };
    const task = manager.spawn(() => value);
    expect(await task.result()).toBe(value);
    expect("output" in task.record).toBe(false);
    expect(task.record.outputOmitted).toBeTypeOf("string");
  });

  test("§12 a value with toJSON is carried as JSON carries it, and result() has the value itself", async () => {
    const { manager } = world();
    const when = new Date(0);
    const task = manager.spawn(() => ({ when }));
    expect((await task.result()).when).toBe(when);
    expect(task.record.output).toEqual({ when: "1970-01-01T00:00:00.000Z" });
    expect(task.record.outputOmitted).toBeUndefined();
  });

  test("§12 no value at all is no output and needs no excuse", async () => {
    const { manager } = world();
    const task = manager.spawn(() => undefined);
    expect(await task.result()).toBeUndefined();
    expect(["output" in task.record, "outputOmitted" in task.record]).toEqual([false, false]);
  });

  test("§12 null, false, zero and the empty string are outputs like any other", async () => {
    const { manager } = world();
    for (const value of [null, false, 0, "", [], {}]) {
      const task = manager.spawn(() => value);
      await task.outcome();
      expect(task.record.output).toEqual(value);
    }
  });

  test("§12 the record's output is a copy: changing the value later changes nothing in it", async () => {
    const { manager } = world();
    const value = { rows: [1] };
    const task = manager.spawn(() => value);
    await task.result();
    value.rows.push(2);
    expect(task.record.output).toEqual({ rows: [1] });
  });
});

describe("closed managers", () => {
  test("§12 a spawn after close() is ManagerClosedError and starts nothing", async () => {
    const { manager } = world();
    await manager.close();
    refused(() => manager.spawn(() => 1), "MANAGER_CLOSED");
    expect(manager.list()).toEqual([]);
  });
});

describe("listeners", () => {
  test("§12 a listener that throws, or rejects, is reported as listener.failed, and nothing else changes", async () => {
    const { manager } = world();
    const failed: string[] = [];
    const told = facts(manager);
    manager.on("listener.failed", ({ event }) => failed.push(event));
    manager.on("task.started", () => {
      throw undefined;
    });
    manager.on("task.succeeded", () => Promise.reject(new Error("late")));
    expect(await manager.spawn(() => "fine").result()).toBe("fine");
    await settled();
    expect(failed).toEqual(["task.started", "task.succeeded"]);
    expect(told.map(({ type }) => type)).toEqual(["task.created", "task.started", "task.succeeded"]);
  });
});

describe("what functions throw and return", () => {
  test.each<{ what: string; thrown: unknown; message: RegExp }>([
    { what: "a string", thrown: "no luck", message: /no luck/ },
    { what: "a number", thrown: 42, message: /42/ },
    { what: "null", thrown: null, message: /null/ },
    { what: "undefined", thrown: undefined, message: /undefined/ },
    { what: "an object", thrown: { code: "E_ODD" }, message: /./ },
    { what: "an object without a prototype", thrown: Object.create(null), message: /./ },
    { what: "a symbol", thrown: Symbol("odd"), message: /odd/ },
  ])("§12 a throw of $what is recorded faithfully", async ({ thrown, message }) => {
    const { manager } = world();
    const tasks = [
      manager.spawn((): never => {
        throw thrown;
      }),
      manager.spawn(() => Promise.reject(thrown)),
    ];
    for (const task of tasks) {
      const outcome = await task.outcome();
      if (outcome.status !== "failed") throw new Error(`expected a failure, got ${outcome.status}`);
      expect([outcome.error.code, outcome.error.cause]).toEqual(["error", thrown]);
      expect(outcome.error.message).toMatch(message);
      const error = await rejected(() => task.result(), "TASK_OUTCOME");
      expect(error.cause).toBe(thrown);
    }
  });

  class Unreadable extends Error {
    override get message(): string {
      throw new Error("no message for you");
    }
  }
  const stackless = Object.defineProperty(new Error("no stack"), "stack", {
    get() {
      throw new Error("no stack for you");
    },
  });
  const wordless = Object.defineProperty(new Error("text"), "message", { value: { not: "text" } });
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();

  test.each<{ what: string; thrown: unknown }>([
    { what: "an Error whose message throws", thrown: new Unreadable() },
    { what: "an Error whose stack throws", thrown: stackless },
    { what: "an Error whose message is no text", thrown: wordless },
    {
      what: "an object whose code throws",
      thrown: {
        get code() {
          throw new Error("no code for you");
        },
      },
    },
    {
      what: "an object that cannot be printed",
      thrown: {
        toString() {
          throw new Error("no text for you");
        },
      },
    },
    { what: "a revoked proxy", thrown: revoked.proxy },
  ])("S8 a throw of $what ends the task like any other", async ({ thrown }) => {
    const { manager } = world({ concurrency: 1 });
    const tasks = [
      manager.spawn((): never => {
        throw thrown;
      }),
      manager.spawn(() => Promise.reject(thrown)),
    ];
    for (const task of tasks) {
      await settled();
      expect(task.status).toBe("failed");
      const outcome = await task.outcome();
      expect(outcome.status === "failed" && outcome.error.code).toBe("error");
      expect(outcome.status === "failed" && outcome.error.message).toBeTypeOf("string");
      expect(outcome.status === "failed" && outcome.error.cause === thrown).toBe(true);
    }
    allFree(manager);
  });

  test("§12 an Error is recorded with name, message, stack, and itself as cause", async () => {
    const { manager } = world();
    const boom = new TypeError("odd input");
    const outcome = await manager.spawn(() => Promise.reject(boom)).outcome();
    expect(outcome).toMatchObject({
      status: "failed",
      error: { code: "error", name: "TypeError", message: "odd input", stack: boom.stack },
    });
    expect(outcome.status === "failed" && outcome.error.cause).toBe(boom);
  });

  test("A4 an error that only has the code of a rejection is a failure like any other", async () => {
    const { manager } = world();
    const lookalike = Object.assign(new Error("not errand's"), { code: "REQUEST_REJECTED" });
    expect(await manager.spawn(() => Promise.reject(lookalike)).outcome()).toMatchObject({ error: { code: "error" } });
  });

  test("§12 an AbortError that was not the task's own stop is a failure like any other", async () => {
    const { manager } = world();
    const task = manager.spawn(() => fetchLike(AbortSignal.abort()));
    expect(await task.outcome()).toMatchObject({ status: "failed", error: { code: "error", name: "AbortError" } });
  });

  /** What a platform call does with an aborted signal. */
  async function fetchLike(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await settled(1);
  }

  test("§12 a thenable is awaited like a promise, for its value and for its rejection", async () => {
    const { manager } = world();
    const fulfils: PromiseLike<string> = Promise.resolve("value");
    const thenable: PromiseLike<string> = { then: (...args) => fulfils.then(...args) };
    expect(await manager.spawn(() => thenable).result()).toBe("value");
    const broken: PromiseLike<string> = {
      then() {
        throw new Error("then is broken");
      },
    };
    expect(await manager.spawn(() => broken).outcome()).toMatchObject({
      status: "failed",
      error: { message: "then is broken" },
    });
  });

  test("§12 a function that is a thenable is awaited too, and one that is none is the value", async () => {
    const { manager } = world();
    const plain = (): number => 1;
    const thenable: unknown = Object.assign(plain, { then: (resolve: (value: string) => void) => resolve("value") });
    // Of the outcome: a promise of the thenable itself would await it once more.
    expect(await manager.spawn(() => thenable).outcome()).toMatchObject({ status: "succeeded", value: "value" });
    const none = (): number => 2;
    expect(await manager.spawn(() => none).result()).toBe(none);
  });

  test("§12 a function that never returns is still timed out, cancelled and abandoned", async () => {
    const { manager, pass } = world({ concurrency: 2, graceMs: 10 });
    const timed = manager.spawn(deaf, { timeoutMs: 50 });
    const cancelled = manager.spawn(deaf);
    await settled();
    await pass(50);
    void cancelled.cancel("stop");
    await pass(10);
    expect(await timed.outcome()).toMatchObject({ status: "failed", error: { code: "timeout" } });
    expect(await cancelled.outcome()).toMatchObject({ status: "cancelled", reason: "stop" });
    expect(await manager.spawn(() => "the slots are back").result()).toBe("the slots are back");
  });

  test("§12 a function that throws before its first await fails, and never inside spawn", async () => {
    const { manager } = world();
    const task = manager.spawn((): never => {
      throw new Error("at once");
    });
    expect(task.status).toBe("queued");
    expect(await task.outcome()).toMatchObject({ status: "failed", error: { message: "at once" } });
  });

  test("C4 a TaskCancelledError of another task that comes through is a failure, not a cancel", async () => {
    const { manager } = world();
    const other = hold(manager);
    await settled();
    const { signal } = other.ctx;
    await other.handle.cancel();
    const task = manager.spawn(() => Promise.reject(signal.reason));
    expect(await task.outcome()).toMatchObject({ status: "failed", error: { code: "error" } });
  });

  test("§12 isErrandError knows errand's errors by their brand, and no others", async () => {
    const { manager } = world();
    const task = manager.spawn(untilStopped);
    await settled();
    void task.cancel();
    errandError(await refusalOf(() => task.result()), "TASK_OUTCOME");
    for (const value of [undefined, null, "TASK_OUTCOME", new Error("x"), { code: "TASK_OUTCOME" }]) {
      await expect(refusalOf(async () => errandError(value, "TASK_OUTCOME"))).resolves.toBeInstanceOf(Error);
    }
  });
});
