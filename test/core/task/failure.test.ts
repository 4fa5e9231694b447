// A failure: what was thrown, with the reasons below it, as the record keeps it and as its readers are shown it (§12).

import { once } from "node:events";
import { createServer } from "node:net";
import { runInNewContext } from "node:vm";
import { failureInWords, type TaskFailure, TaskOutcomeError } from "errand";
import { describe, expect, test } from "vitest";
import { settled } from "../../support/basics.js";
import { given, world } from "../../support/program.js";
import { started, task as taskOf } from "../../support/restarts.js";

async function failed(thrown: unknown): Promise<TaskFailure> {
  const { manager } = world();
  const outcome = await manager
    .spawn(() => {
      throw thrown;
    })
    .outcome();
  if (outcome.status !== "failed") throw new Error(`expected a failure, got ${outcome.status}`);
  return outcome.error;
}
const messages = ({ causes = [] }: TaskFailure): readonly string[] => causes.map(({ message }) => message);
const fails = (): never => {
  throw new Error("unreadable");
};

describe("§12 the causes of a failure", () => {
  test("are those of the chain, the nearest first, with their names and codes", async () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED 10.0.0.1:5432"), { code: "ECONNREFUSED" });
    const error = await failed(new Error("step failed", { cause: new TypeError("fetch failed", { cause: refused }) }));
    expect(error.message).toBe("step failed");
    expect(error.causes).toEqual([
      { message: "fetch failed", name: "TypeError" },
      { message: "connect ECONNREFUSED 10.0.0.1:5432", name: "Error", code: "ECONNREFUSED" },
    ]);
    expect(failureInWords(error)).toBe("step failed: fetch failed; connect ECONNREFUSED 10.0.0.1:5432");
  });

  test("are those of an AggregateError, also of one below another", async () => {
    const inner = new AggregateError([new Error("model C: no quota")], "the spare failed");
    const any = Promise.any([Promise.reject(new Error("model A: rate limited")), Promise.reject(inner)]);
    const error = await failed(await any.catch((thrown: unknown) => thrown));
    expect(messages(error)).toEqual(["model A: rate limited", "the spare failed", "model C: no quota"]);
    expect(failureInWords(error)).toBe(
      "All promises were rejected: model A: rate limited; the spare failed; model C: no quota",
    );
  });

  test("of a fetch say what the network said", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, "close");
    const error = await failed(await fetch(`http://127.0.0.1:${port}`).catch((thrown: unknown) => thrown));
    expect(failureInWords(error)).toMatch(/^fetch failed: .*ECONNREFUSED/);
  });

  test("of an error that was suppressed by another are both", async () => {
    const suppressed = Object.assign(new Error("An error was suppressed during disposal."), {
      name: "SuppressedError",
      error: new Error("close failed"),
      suppressed: new Error("write failed"),
    });
    expect(messages(await failed(suppressed))).toEqual(["close failed", "write failed"]);
  });

  test.each<[what: string, cause: unknown, message: string]>([
    ["a text", "no quota", "no quota"],
    ["a number", 429, "429"],
    ["an object", { type: "overloaded", nested: { retryAfter: 3 } }, '{"type":"overloaded","nested":{"retryAfter":3}}'],
    ["an error of another realm", runInNewContext("new RangeError('too far')"), "too far"],
    [
      "a Response",
      new Response(null, { status: 503, statusText: "Overloaded" }),
      'a Response {"status":503,"statusText":"Overloaded","type":"default"}',
    ],
  ])("may be %s", async (_what, cause, message) => {
    expect(messages(await failed(new Error("step failed", { cause })))).toEqual([message]);
  });

  test.each<[string, unknown, readonly string[]]>([
    ["that is the object in its message", Object.assign(new Error(), { message: { detail: "quota" } }), []],
    [
      "of a SuppressedError whose two are texts",
      Object.assign(new Error("suppressed"), { name: "SuppressedError", error: "e1", suppressed: "s1" }),
      ["e1", "s1"],
    ],
    ["in a field that is a text", Object.assign(new Error("failed"), { error: "invalid_grant" }), ["invalid_grant"]],
    [
      "by the name of a field",
      Object.assign(new Error("failed"), { errors: { age: new Error("too young") } }),
      ["too young"],
    ],
    ["in a Set of errors", new Set([new Error("one"), new Error("two")]), ["one", "two"]],
    ["in a Map that is the cause", new Error("failed", { cause: new Map([["a", new Error("one")]]) }), ["one"]],
    ["that a method gives", Object.assign(new Error("failed"), { cause: () => new Error("inner") }), ["inner"]],
  ])("are read %s", async (_, thrown, messages) => {
    const failure = await failed(thrown);
    expect(failure.message).not.toContain("[object");
    const found = (failure.causes ?? []).map(({ message }) => message);
    for (const message of messages) expect(found).toContain(message);
    expect(found.join()).not.toContain("=>");
  });

  test("are at most 8, each once and cut, however many, deep or cyclic they are", async () => {
    const loop = new Error("loop");
    loop.cause = new Error("back", { cause: loop });
    expect(messages(await failed(loop))).toEqual(["back"]);
    let deep = new Error("the bottom");
    for (let depth = 0; depth < 10_000; depth++) deep = new Error(`at ${depth}`, { cause: deep });
    expect(messages(await failed(deep))).toHaveLength(8);
    const many = new AggregateError(Array.from({ length: 100_000 }, () => new Error("rate limited")));
    expect(messages(await failed(many))).toEqual(["rate limited"]);
    const [cause] = messages(await failed(new Error("x", { cause: new Error("y".repeat(1_000_000)) })));
    expect(cause).toHaveLength(500);
  });

  test("that are left out are counted, in the record and in the line that shows it", async () => {
    const failures = Array.from({ length: 20 }, (_, index) => new Error(`no route ${index}`));
    const error = await failed(new AggregateError(failures, "all failed"));
    expect(error).toMatchObject({ causes: { length: 8 }, causesOmitted: 12 });
    expect(failureInWords(error)).toMatch(/^all failed: no route 0; .*; no route 7; … and 12 more$/);
    expect(await failed(new AggregateError(failures.slice(0, 8), "all failed"))).not.toHaveProperty("causesOmitted");
    const thrown = await failed({ list: Array.from({ length: 20 }, (_, index) => index), short: [1, 2] });
    expect(thrown.message).toBe('{"list":[0,1,2,3,4,5,6,7,8,9,10,11,…],"short":[1,2]}');
    const twelve = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`f${index}`, index]));
    expect((await failed({ ...twelve, f12: undefined })).message).not.toContain("…");
    expect((await failed({ ...twelve, f12: 12 })).message).toMatch(/"f11":11,…}$/);
  });

  test("stand beside a message and a stack that are bounded, whatever a library put into the message", async () => {
    const output = "line of output\n".repeat(100_000);
    const thrown = new Error(`Command failed: make\n${output}`);
    const error = await failed(thrown);
    expect(error.message).toHaveLength(65_536);
    expect(error.message).toMatch(/^Command failed: make\nline of output\n[^]*…$/);
    expect(error.stack?.length).toBeLessThanOrEqual(12_000);
    expect(error.stack).toMatch(/^Error: Command failed: make\n[^]*…\n[^]*\n {4}at .*failure\.test\.ts/);
    expect(error.cause).toBe(thrown);
    expect((await failed(output)).message).toHaveLength(65_536);
    expect(await failed("x".repeat(65_536))).toMatchObject({ message: "x".repeat(65_536) });
    const oneLine = await failed(Object.assign(new Error("m"), { stack: "y".repeat(100_000) }));
    expect(oneLine.stack).toHaveLength(8_000);
    expect(new TaskOutcomeError({ id: "t", status: "failed", error }).message.length).toBeLessThan(65_600);
  });

  test("are absent where there are none", async () => {
    for (const thrown of [new Error("alone"), "a text", undefined, null, 3, Symbol("s"), () => 1])
      expect(await failed(thrown)).not.toHaveProperty("causes");
  });

  test("that cannot be read hurt nothing", async () => {
    const traps = { get: fails, has: fails, getPrototypeOf: fails, ownKeys: fails };
    for (const cause of [
      Object.defineProperty(new Error("a"), "message", { get: fails }),
      Object.defineProperty(new Error("a"), "cause", { get: fails }),
      Object.defineProperty(new AggregateError([]), "errors", { get: fails }),
      { toString: fails, [Symbol.toPrimitive]: fails },
      new Proxy({}, traps),
      new Proxy([], traps),
    ]) {
      expect((await failed(new Error("step failed", { cause }))).message).toBe("step failed");
      expect(typeof (await failed(cause)).message).toBe("string");
    }
  });
});

describe("§12 what is thrown and is no Error of this realm", () => {
  test("has its message, name, code and content", async () => {
    const thrown = { name: "RateLimit", message: "slow down", status: 429, body: { retry: [1, "two", null] } };
    expect(await failed(thrown)).toMatchObject({
      message: "slow down",
      name: "RateLimit",
      errorCode: "429",
      causes: [{ message: JSON.stringify(thrown), code: "429" }],
    });
  });

  test("has its content for a message, when it has no other", async () => {
    const error = await failed({ error: { type: "overloaded" }, bytes: Buffer.alloc(1_000_000), run: fails });
    expect(error.message).toBe('{"error":{"type":"overloaded"},"bytes":a Uint8Array}');
    expect(failureInWords(error)).toBe(error.message);
    expect((await failed({ text: "x".repeat(10_000) })).message).toHaveLength(500);
  });

  test.each<[what: string, thrown: unknown, message: string, causes: readonly string[]]>([
    ["a list", [1, { a: 2 }], '[1,{"a":2}]', ['[1,{"a":2}]']],
    ["bytes", Buffer.alloc(50_000_000), "a Uint8Array", []],
    ["a Map", new Map([[1, 2]]), "a Map", []],
    ["a Date", new Date(0), String(new Date(0)), []],
    ["what has a toString", { code: 7, toString: () => "seven" }, "seven", ['{"code":7}']],
    [
      "nested",
      { error: { message: "busy", type: "x" } },
      '{"error":{"message":"busy","type":"x"}}',
      ['{"error":{"message":"busy","type":"x"}}', "busy"],
    ],
    [
      "cyclic",
      runInNewContext("const a = { b: {} }; a.b.a = a; a"),
      '{"b":{"a":{"b":a Object}}}',
      ['{"b":{"a":{"b":a Object}}}'],
    ],
  ])("that is %s is shown in short", async (_what, thrown, message, causes) => {
    const error = await failed(thrown);
    expect([error.message, messages(error)]).toEqual([message, causes]);
  });

  test("is said once: words that the message has are not repeated, and a part of a word is no word", async () => {
    const wrapped = await failed(new Error("outer: inner", { cause: new Error("inner") }));
    expect(failureInWords(wrapped)).toBe("outer: inner");
    const any = await failed(new AggregateError(["A", "B"], "All promises were rejected"));
    expect(failureInWords(any)).toBe("All promises were rejected: A; B");
  });

  test("has the name of its error, when that is of another realm", async () => {
    const error = await failed(runInNewContext("new TypeError('x is not a function')"));
    expect(error).toMatchObject({ name: "TypeError", message: "x is not a function" });
    expect(error).not.toHaveProperty("causes");
    expect(await failed(new DOMException("gone", "TimeoutError"))).toMatchObject({
      name: "TimeoutError",
      message: "gone",
    });
  });

  test("has the code of a system error, also where the message does not say it", async () => {
    const reset = Object.assign(new Error("the request failed"), { code: "ECONNRESET" });
    const error = await failed(reset);
    expect([error.errorCode, failureInWords(error)]).toEqual(["ECONNRESET", "the request failed (ECONNRESET)"]);
  });
});

describe("§12 the causes are shown", () => {
  test("also behind a message that is longer than what is shown of it, in the notice and by get_task", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    const task = session.spawn(() => {
      throw new Error("long ".repeat(100_000), { cause: new Error("connect ECONNREFUSED") });
    });
    await manager.idle();
    expect(given(await session.nextNotices()).text).toContain("ECONNREFUSED");
    const getTask = given(session.tools({ only: ["get_task"] })[0]);
    expect(JSON.stringify(await getTask.execute({ task_id: task.id }))).toContain("ECONNREFUSED");
    expect(task.record.error?.message).toHaveLength(65_536);
  });

  const step = (): never => {
    throw new Error("step failed", { cause: new Error("connect ECONNREFUSED 10.0.0.1:5432") });
  };

  test("in a notice, in every tool, and in the error of a waiter", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    const task = session.spawn(step);
    await settled();
    expect(given(await session.nextNotices()).text).toContain("step failed: connect ECONNREFUSED");
    const tools = session.tools({ only: ["get_task", "await_tasks"] });
    for (const [index, input] of [{ task_id: task.id }, { task_ids: [task.id] }].entries())
      expect(JSON.stringify(await tools[index]?.execute(input))).toContain("ECONNREFUSED");
    const waiter = await manager.spawn(() => task.result()).outcome();
    expect(waiter).toMatchObject({ error: { message: expect.stringContaining("step failed: connect ECONNREFUSED") } });
  });

  test("after a restart as before it, to who reads and to who waits", async () => {
    const first = await started();
    first.manager.session("chat").spawn(step, { id: "step" });
    await settled();
    const before = taskOf(first, "step").record.error;
    const next = await first.restart();
    expect(taskOf(next, "step").record.error).toEqual(before);
    const error: unknown = await taskOf(next, "step")
      .result()
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TaskOutcomeError);
    expect((error as Error).message).toContain("step failed: connect ECONNREFUSED");
    expect(given(await next.manager.session("chat").nextNotices()).text).toContain("ECONNREFUSED");
  });

  test("of a store whose connection is refused, which is an AggregateError without words of its own", async () => {
    const refused = Object.assign(new AggregateError([new Error("connect ECONNREFUSED ::1:5432")], ""), {
      code: "ECONNREFUSED",
    });
    const { manager, store, pass } = await started();
    store.failure = refused;
    manager.spawn(() => 1);
    await pass(1_000);
    expect(() => manager.spawn(() => 1)).toThrow("ECONNREFUSED: connect ECONNREFUSED ::1:5432");
    store.failure = undefined;
  });

  test("of an attempt that is tried again, while it waits, also in the view", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    const task = session.spawn(step, { retry: { maxAttempts: 2, backoffMs: 1_000 } });
    await settled();
    expect(session.view()).toContain("connect ECONNREFUSED");
    const cause = { name: "Error", message: "connect ECONNREFUSED 10.0.0.1:5432" };
    expect(task.record).toMatchObject({ status: "queued", error: { causes: [cause] } });
  });

  test("of a task that a limit stopped, which failed for a reason while it was stopped", async () => {
    const { manager, pass } = world();
    const late = manager.spawn(
      async (ctx) => {
        await ctx.cancelled();
        throw new Error("query cancelled", { cause: new Error("the lock of table users was held") });
      },
      { timeoutMs: 10 },
    );
    const quiet = manager.spawn((ctx) => ctx.cancelled().then(() => Promise.reject(ctx.signal.reason)), {
      timeoutMs: 10,
    });
    await pass(10);
    expect(late.record.error).toMatchObject({ code: "timeout", causes: [{ message: "query cancelled" }, {}] });
    expect(quiet.record.error).not.toHaveProperty("causes");
  });
});
