// Unknown fields: every public input refuses a field that it does not know, by its name and the nearest right one, and changes nothing (§12).

import { defineKind, type TaskContext, TaskManager } from "errand";
import { monitor, process, subagent } from "errand/kinds";
import { sqlStore } from "errand/stores/sql";
import { manualClock, memoryStore, scriptAnswers, simulate } from "errand/testing";
import { beforeAll, describe, expect, test } from "vitest";
import { settled } from "../support/basics.js";
import { deaf, given, hold, refusalOf, world } from "../support/program.js";

/** For callers without types. */
const untyped = (value: unknown): never => value as never;
const quick = defineKind({ name: "quick", run: () => 1 });
const { manager } = world({ kinds: [quick] });
const task = hold(manager, { id: "held" });
const session = manager.session("chat");
let ctx: TaskContext;

beforeAll(async () => {
  await settled();
  ({ ctx } = task);
});

type Case = readonly [what: string, call: () => unknown, wrong: string, right: string];

/** Each once; `wrong` is the field that no one knows, and `right` the one that was meant. */
const misspelt: readonly Case[] = [
  ["progress", () => ctx.progress(untyped({ curent: 3 })), "curent", "current"],
  ["progress in another case", () => ctx.progress(untyped({ Label: "x" })), "Label", "label"],
  ["usage", () => ctx.reportUsage(untyped({ input_tokens: 3 })), "input_tokens", "inputTokens"],
  ["usage in another case", () => ctx.reportUsage(untyped({ OutputTokens: 3 })), "OutputTokens", "outputTokens"],
  ["usage cut short", () => ctx.reportUsage(untyped({ cost: 3 })), "cost", "costUsd"],
  ["artifact", () => ctx.artifact(untyped({ name: "a", type: "file", pth: "/a" })), "pth", "path"],
  ["links", () => ctx.link(untyped({ remoteTaskID: "a" })), "remoteTaskID", "remoteTaskId"],
  ["a text part", () => ctx.post(untyped([{ type: "text", txt: "a", text: "b" }])), "txt", "text"],
  ["a data part", () => task.handle.send(untyped([{ type: "data", dat: 1, data: 2 }])), "dat", "data"],
  ["post", () => ctx.post("a", untyped({ inReplyto: "b" })), "inReplyto", "inReplyTo"],
  ["send", () => task.handle.send("a", untyped({ replyTo: "b", inreplyto: "b" })), "replyTo", "inReplyTo"],
  ["receive", () => ctx.receive(untyped({ timeout: 1 })), "timeout", "timeoutMs"],
  ["sleep", () => ctx.sleep(1, untyped({ singal: 1 })), "singal", "signal"],
  ["map", () => ctx.map([1], () => 1, untyped({ concurency: 1 })), "concurency", "concurrency"],
  ["ask", () => ctx.ask(untyped({ question: "Which?", choises: ["a"] })), "choises", "choices"],
  ["onTimeout", () => ctx.ask(untyped({ question: "?", onTimeout: { defualt: 1 } })), "defualt", "default"],
  ["approve", () => ctx.approve("May I?", untyped({ detials: 1 })), "detials", "details"],
  ["result", () => task.handle.result(untyped({ sginal: 1 })), "sginal", "signal"],
  ["outcome", () => task.handle.outcome(untyped({ timeoutms: 1 })), "timeoutms", "timeoutMs"],
  ["cancel", () => task.handle.cancel("why", untyped({ signl: 1 })), "signl", "signal"],
  ["messages", () => task.handle.messages(untyped({ limt: 1 })), "limt", "limit"],
  ["output", () => task.handle.output(untyped({ aftr: 1 })), "aftr", "after"],
  ["history", () => task.handle.history(untyped({ limits: 1 })), "limits", "limit"],
  ["awaitTasks", () => manager.awaitTasks(["held"], untyped({ untill: "any" })), "untill", "until"],
  ["outcomes", () => manager.outcomes(["held"], untyped({ Signal: 1 })), "Signal", "signal"],
  ["cancelAll", () => manager.cancelAll({}, "why", untyped({ signals: 1 })), "signals", "signal"],
  ["a filter of cancelAll", () => manager.cancelAll(untyped({ tag: ["a"] })), "tag", "tags"],
  ["a filter of tasks", () => manager.list(untyped({ session_id: "a" })), "session_id", "sessionId"],
  ["a filter of requests", () => manager.inbox.list(untyped({ taskID: "a" })), "taskID", "taskId"],
  ["watch", () => manager.inbox.watch(untyped({ sessionid: "a" })), "sessionid", "sessionId"],
  ["answer", () => manager.inbox.answer("r", 1, untyped({ by: "ann", bye: "ann" })), "bye", "by"],
  ["reject", () => manager.inbox.reject("r", "no", untyped({ by: "ann", By: "ann" })), "By", "by"],
  ["events", () => manager.events(untyped({ form: 1 })), "form", "from"],
  ["room", () => manager.room(untyped({ lan: "default" })), "lan", "lane"],
  ["idle", () => manager.idle(untyped({ sinal: 1 })), "sinal", "signal"],
  ["close", () => manager.close(untyped({ grace: 1 })), "grace", "graceMs"],
  ["spawn of a function", () => manager.spawn(deaf, untyped({ timeout: 1 })), "timeout", "timeoutMs"],
  ["spawn of a kind", () => manager.spawn("quick", untyped({ titel: "a" })), "titel", "title"],
  ["the input of a kind", () => manager.spawn(quick, untyped({ imput: 1 })), "imput", "input"],
  ["budget", () => manager.spawn(deaf, { budget: untyped({ costusd: 1 }) }), "costusd", "costUsd"],
  ["retry", () => manager.spawn(deaf, { retry: untyped({ maxAttempt: 1 }) }), "maxAttempt", "maxAttempts"],
  ["nextNotices", () => session.nextNotices(untyped({ coalesce: 1 })), "coalesce", "coalesceMs"],
  ["view", () => session.view(untyped({ maxchars: 1 })), "maxchars", "maxChars"],
  ["tools", () => session.tools(untyped({ kind: [] })), "kind", "kinds"],
  ["tools.spawn", () => session.tools({ spawn: untyped({ Budget: {} }) }), "Budget", "budget"],
  ["TaskManager", () => new TaskManager(untyped({ concurency: 1 })), "concurency", "concurrency"],
  ["open", () => TaskManager.open(untyped({ stroe: memoryStore() })), "stroe", "store"],
  ["a lane", () => new TaskManager({ lanes: { a: untyped({ concurrancy: 1 }) } }), "concurrancy", "concurrency"],
  ["limits", () => new TaskManager({ limits: untyped({ maxQueue: 1 }) }), "maxQueue", "maxQueued"],
  ["retention", () => new TaskManager({ retention: untyped({ ttl: 1 }) }), "ttl", "ttlMs"],
  ["defineKind", () => defineKind(untyped({ name: "a", run: deaf, canReatach: deaf })), "canReatach", "canReattach"],
  ["subagent", () => subagent(untyped({ loop: deaf, maxdepth: 1 })), "maxdepth", "maxDepth"],
  ["process", () => process(untyped({ timeout_ms: 1 })), "timeout_ms", "timeoutMs"],
  ["monitor", () => monitor(untyped({ every: { ms: 1 }, run: deaf, maxTick: 1 })), "maxTick", "maxTicks"],
  ["an interval", () => monitor({ every: untyped({ ms: 1, Ms: 2 }), run: () => {} }), "Ms", "ms"],
  ["the input of a process", () => manager.spawn(process(), untyped({ input: { comand: "ls" } })), "comand", "command"],
  ["the input of a subagent", () => manager.spawn(agent, untyped({ input: { promt: "a" } })), "promt", "prompt"],
  ["sqlStore", () => sqlStore(untyped({ conection: 1 })), "conection", "connection"],
  ["simulate", () => simulate(deaf, untyped({ sed: 1 })), "sed", "seed"],
  ["an option of simulate's manager", () => simulate(deaf, untyped({ agingms: 1 })), "agingms", "agingMs"],
  ["a scripted answer", () => scriptAnswers(manager, [untyped({ to: "?", anwser: 1 })]), "anwser", "answer"],
];
const agent = subagent({ loop: () => "done" });

test.each(misspelt)(
  "§12 %s refuses a field that it does not know, and names the nearest right one",
  async (...given) => {
    const [, call, wrong, right] = given;
    const before = JSON.stringify([manager.list(), task.handle.messages()]);
    const error = await refusalOf(call);
    expect((error as Error).message).toContain(JSON.stringify(wrong));
    expect((error as Error).message).toContain(`(did you mean ${right}?)`);
    expect((error as Error).message).toMatch(
      new RegExp(`it has .*\\b${right}\\b[^.]*(?:\\. Correct this and call again)?$`),
    );
    expect(JSON.stringify([manager.list(), task.handle.messages()])).toBe(before);
  },
);

describe("§12 what is near", () => {
  const names = async (field: string): Promise<string> => {
    const error = await refusalOf(() => ctx.progress(untyped({ [field]: 1 })));
    return (error as Error).message;
  };
  test("a name that is near none has no suggestion, and the list is there all the same", async () => {
    for (const field of ["details", "percent", "x", "", "__proto__", "constructor", "c".repeat(1_000)])
      expect(await names(field)).toMatch(/^progress has no field "[^(]*; it has current, total, unit, label$/);
  });

  test("a name of JSON that would change the prototype is a name like any other", async () => {
    const error = await refusalOf(() => ctx.progress(untyped(JSON.parse('{"__proto__":{"current":1}}'))));
    expect((error as Error).message).toContain('"__proto__"');
  });

  test("the value is shown, cut, so that the place is found", async () => {
    const error = await refusalOf(() => ctx.progress(untyped({ totl: "a".repeat(500) })));
    expect((error as Error).message).toMatch(/got "a{20,80}…; it has/);
  });
});

describe("§12 a name that is misspelt, in place of a value", () => {
  const crawl = defineKind({ name: "crawl", run: () => 1 });
  const rated = new TaskManager({
    kinds: [crawl],
    lanes: { model: { concurrency: 1, rate: { limit: 5, periodMs: 1_000, unit: "pages" } } },
  });
  const misnamed: readonly Case[] = [
    ["an event type", () => rated.on(untyped("task.succeded"), () => {}), "task.succeded", "task.succeeded"],
    ["an event type of off", () => rated.off(untyped("task.fialed"), () => {}), "task.fialed", "task.failed"],
    ["a status", () => rated.list({ status: untyped("runing") }), "runing", "running"],
    ["a status of a request", () => rated.inbox.list({ status: untyped("opened") }), "opened", "open"],
    ["a tool", () => rated.session("a").tools({ only: [untyped("list_task")] }), "list_task", "list_tasks"],
    ["a kind", () => rated.spawn("crwal"), "crwal", "crawl"],
    ["a kind of tools", () => rated.session("a").tools({ kinds: ["Crawl"] }), "Crawl", "crawl"],
    ["a lane of a spawn", () => rated.spawn(deaf, { lane: "modle" }), "modle", "model"],
    ["a lane of setLane", () => rated.setLane("models", { concurrency: 2 }), "models", "model"],
    ["a lane of pause", () => rated.pause("Model"), "Model", "model"],
    ["a lane of room", () => rated.room({ lane: "mdel" }), "mdel", "model"],
    ["a unit of a weight", () => rated.spawn(deaf, { weight: { page: 1 } }), "page", "pages"],
    ["a wake", () => rated.spawn(deaf, { wake: untyped("onterminal") }), "onterminal", "onTerminal"],
    ["an end of a wait", () => rated.awaitTasks([], { until: untyped("sucess") }), "sucess", "success"],
  ];
  test.each(misnamed)("%s is refused, and the error names the nearest right one", async (...given) => {
    const [, call, wrong, right] = given;
    const error = await refusalOf(call);
    expect((error as Error).message).toContain(JSON.stringify(wrong));
    expect((error as Error).message).toContain(`(did you mean ${right}?)`);
    expect(rated.list()).toEqual([]);
  });

  test("a kind that a model misspells, and a choice of an answer, have a suggestion too", async () => {
    const [tool] = rated.session("a").tools({ only: ["spawn_task"] });
    expect(await tool?.execute({ kind: "crawll" })).toMatchObject({
      error: expect.stringContaining('got "crawll" (did you mean crawl?)'),
    });
    const { manager: asking } = world();
    asking.spawn((ctx) => ctx.ask({ question: "Where?", choices: ["Europe", "Asia"] }));
    await settled();
    const { id } = given(asking.inbox.list()[0]);
    const error = await refusalOf(() => asking.inbox.answer(id, "europe", { by: "ann" }));
    expect((error as Error).message).toContain('got "europe" (did you mean Europe?)');
  });

  test("an answer without its only field, `by`, says which field it has", async () => {
    for (const call of [manager.inbox.answer.bind(manager.inbox), manager.inbox.reject.bind(manager.inbox)]) {
      const error = await refusalOf(() => call("r", "no", untyped({ who: "ann" })));
      expect((error as Error).message).toMatch(/^(answer|reject) has no option "who", got "ann"; it has by$/);
      expect(await refusalOf(() => call("r", "no", untyped({})))).toBeInstanceOf(TypeError);
    }
  });
});

describe("§12 a list in a message", () => {
  const many = Array.from({ length: 30 }, (_, index) => `word${index}`);
  test("of kinds, lanes, choices or issues is bounded, and says how many it leaves out", async () => {
    const kinds = many.map((name) => defineKind({ name, run: () => 1 }));
    const lanes = Object.fromEntries(many.map((name) => [name, { concurrency: 1 }]));
    const { manager: large } = world({ kinds, lanes });
    const message = async (call: () => unknown) => ((await refusalOf(call)) as Error).message;
    expect(await message(() => large.spawn("nothing"))).toMatch(/word9, … and 20 more; pass/);
    expect(await message(() => large.spawn(deaf, { lane: "nothing" }))).toMatch(/"word8", … and 21 more\. Use/);
    large.spawn((ctx) => ctx.ask({ question: "Which?", choices: many }));
    await settled();
    const { id } = given(large.inbox.list()[0]);
    expect(await message(() => large.inbox.answer(id, "nothing", { by: "ann" }))).toMatch(/"word9", … and 20 more is/);
    const [spawn] = large.session("a").tools({ only: ["spawn_task"] });
    expect(await spawn?.execute({ kind: "nothing" })).toMatchObject({
      error: expect.stringMatching(/word9, … and 20 more, got/),
    });
    const issues = many.map((word) => ({ message: `${word} ${"x".repeat(1_000)}`, path: [word] }));
    const strict = defineKind({
      name: "strict",
      input: { "~standard": { version: 1, vendor: "test", validate: () => ({ issues }) } },
      run: () => 1,
    });
    const refused = await message(() => large.spawn(strict, untyped({ input: 1 })));
    expect(refused).toMatch(/word9: word9 x{480,}…; … and 20 more\. Correct this and call again$/);
    expect(await refusalOf(() => large.spawn(strict, untyped({ input: 1 })))).toMatchObject({ issues: { length: 30 } });
  });

  test("of tasks that wait for one another shows its beginning and its end", async () => {
    const { manager: deep } = world({ limits: { maxDepth: 100 } });
    const below = async (ctx: TaskContext, depth: number): Promise<unknown> => {
      if (depth === 0) return refusalOf(() => deep.awaitTasks(["top"]));
      return ctx.spawn((child) => below(child, depth - 1), { id: `t${depth}` }).result();
    };
    const error = (await deep.spawn((ctx) => below(ctx, 40), { id: "top" }).result()) as Error;
    expect(error.message).toMatch(/^This wait could never end: (\w+ waits for ){5}… \d+ more …( waits for \w+){3}\./);
    expect(error).toMatchObject({ cycle: { length: 42 } });
  });
});

describe("§12 an input of the wrong sort", () => {
  const sorts: readonly [string, unknown][] = [
    ["null", null],
    ["a number", 3],
    ["a text", "3"],
    ["a list", []],
    ["a list with something in it", [3]],
    ["a function", () => 1],
    ["a Map", new Map([["current", 1]])],
    ["a promise", Promise.resolve({ current: 1 })],
    ["a Date", new Date(0)],
    ["bytes", Buffer.alloc(3)],
  ];
  test.each(sorts)("that is %s is refused, and is no empty object", async (_what, value) => {
    const calls = [
      () => ctx.progress(untyped(value)),
      () => ctx.reportUsage(untyped(value)),
      () => ctx.link(untyped(value)),
      () => ctx.artifact(untyped(value)),
      () => manager.list(untyped(value)),
      () => manager.spawn(deaf, untyped(value)),
      () => manager.spawn(quick, untyped(value)),
      () => task.handle.outcome(untyped(value)),
      () => ctx.approve("May I?", untyped(value)),
    ];
    for (const call of calls) expect(await refusalOf(call)).toBeInstanceOf(TypeError);
    expect(task.handle.record.progress).toBeUndefined();
  });

  test("null for options is refused by the verb that it was given to; a verb with a promise rejects", async () => {
    const none = untyped(null);
    const refusals: [words: string, call: () => unknown][] = [
      ["result", () => task.handle.result(none)],
      ["outcome", () => task.handle.outcome(none)],
      ["cancel", () => task.handle.cancel("why", none)],
      ["history", () => task.handle.history(none)],
      ["messages", () => task.handle.messages(none)],
      ["output", () => task.handle.output(none)],
      ["send", () => task.handle.send("a", none)],
      ["post", () => ctx.post("a", none)],
      ["receive", () => ctx.receive(none)],
      ["sleep", () => ctx.sleep(1, none)],
      ["map", () => ctx.map([1], () => 1, none)],
      ["awaitTasks", () => manager.awaitTasks(["held"], none)],
      ["nextNotices", () => session.nextNotices(none)],
      ["idle", () => manager.idle(none)],
      ["close", () => manager.close(none)],
      ["cancelAll", () => manager.cancelAll({}, "why", none)],
    ];
    const sync = new Set(["messages", "output"]);
    for (const [verb, call] of refusals) {
      const error = await refusalOf(call);
      expect([verb, (error as Error).message]).toEqual([verb, `the options of ${verb} must be an object, got null`]);
      if (!sync.has(verb)) await expect(call()).rejects.toBeInstanceOf(TypeError);
    }
    await expect(manager.cancelAll(none)).rejects.toThrow("filter must be an object, got null");
    expect(task.handle.status).toBe("running");
  });

  test("an id of an event reader, a kind of a handle, and a start of a clock are what they must be", async () => {
    const calls = [
      () => manager.events({ taskId: untyped(3) }),
      () => manager.events({ sessionId: untyped({}) }),
      () => manager.get("held", untyped({ name: "quick" })),
      () => manager.get("nobody", untyped("quick")),
      () => manualClock(untyped({ startAt: 3 })),
      () => task.handle.send(untyped({ type: "text", text: "a" })),
    ];
    for (const call of calls) expect(await refusalOf(call)).toBeInstanceOf(TypeError);
  });

  test("an object of a class, and one whose fields are getters, is read like any other", async () => {
    class Report {
      readonly #amount = 3;
      get inputTokens(): number {
        return this.#amount;
      }
    }
    await manager.spawn((own) => own.reportUsage(new Report())).result();
    expect(manager.list().at(-1)?.usage.inputTokens).toBe(3);
  });
});

describe("§12 an artifact", () => {
  const taken = async (artifact: unknown) => {
    const made = manager.spawn((own) => own.artifact(untyped(artifact)));
    await made.outcome();
    return made.record;
  };
  test("keeps both a path and a url", async () => {
    const both = { name: "report", type: "file", path: "/out/report.md", url: "https://ci.example/report" };
    expect((await taken(both)).artifacts).toEqual([both]);
  });

  test("takes a field that is undefined as one that is left out", async () => {
    const { artifacts } = await taken({ name: "a", type: "b", path: undefined, url: "https://c", data: undefined });
    expect(artifacts).toEqual([{ name: "a", type: "b", url: "https://c" }]);
  });

  test.each([
    ["data beside a path", { path: "/a", data: "b" }, /data excludes/],
    ["data beside a url", { url: "https://a", data: "b" }, /data excludes/],
    ["nothing that it is", {}, /must have a path, a url, or data/],
    ["an empty path", { path: "" }, /artifact.path must not be empty/],
  ])("with %s is refused, and nothing is added", async (_what, more, words) => {
    const { artifacts, error } = await taken({ name: "a", type: "b", ...more });
    expect([artifacts, error?.message]).toEqual([[], expect.stringMatching(words)]);
  });
});

test("§12 a budget holds against usage that is reported in another library's names: the report is refused", async () => {
  const spender = manager.spawn((own) => own.reportUsage(untyped({ prompt_tokens: 10 })), { budget: { tokens: 5 } });
  expect(await spender.outcome()).toMatchObject({ status: "failed", error: { name: "TypeError" } });
  expect(given(spender.record.error).message).toContain('"prompt_tokens"');
});
