// The inbox: questions, who may answer, which answer counts, and how a question ends without one (A1–A5, S4).

import { getEventListeners } from "node:events";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { InboxRequest, RequestFilter, TaskHandle, TaskManager } from "errand";
import { isErrandError } from "errand";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { allFree, deferred, facts, peek, settled, slots } from "../../support/basics.js";
import { errandError, given, hold, refusalOf, rejected, typesOf, untilStopped, world } from "../../support/program.js";

const ann = { by: "ann" };
const bob = { by: "bob" };

/** The one open request. */
function open(manager: TaskManager): InboxRequest {
  const requests = manager.inbox.list();
  if (requests.length !== 1) throw new Error(`expected one open request, got ${requests.length}`);
  return given(requests[0]);
}

function schemaOf<T>(
  validate: (value: unknown) => StandardSchemaV1.Result<T> | Promise<StandardSchemaV1.Result<T>>,
): StandardSchemaV1<unknown, T> {
  return { "~standard": { version: 1, vendor: "test", validate } };
}

describe("ask", () => {
  test("§7 a question without choices or schema is answered with text", async () => {
    const { manager } = world();
    const task = manager
      .session("chat")
      .spawn((ctx) => ctx.ask({ question: "Which branch?", details: { repo: "errand" } }));
    await settled();
    const request = open(manager);
    expect(request).toMatchObject({
      taskId: task.id,
      sessionId: "chat",
      kind: "text",
      status: "open",
      question: "Which branch?",
      details: { repo: "errand" },
      createdAt: 0,
    });
    expect([request.expiresAt, request.answer, request.closedAt, request.by]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    const answered = await manager.inbox.answer(request.id, "main", ann);
    expect(answered).toMatchObject({ id: request.id, status: "answered", answer: "main", by: "ann", closedAt: 0 });
    expect(await task.result()).toBe("main");
    expect(manager.inbox.list()).toEqual([]);
    expect(manager.inbox.get(request.id)).toEqual(answered);
  });

  test.each([7, null, { text: "main" }, ["main"], true])(
    "A2 a text question refuses %j with InvalidInputError and stays open",
    async (value) => {
      const { manager } = world();
      const task = manager.spawn((ctx) => ctx.ask({ question: "Which branch?" }));
      await settled();
      const { id } = open(manager);
      const error = await rejected(() => manager.inbox.answer(id, value, ann), "INVALID_INPUT");
      expect(error.issues.length).toBeGreaterThan(0);
      expect([open(manager).id, task.status]).toEqual([id, "blocked"]);
      await manager.inbox.answer(id, "main", ann);
      expect(await task.result()).toBe("main");
    },
  );

  test("A2 a choice takes one of its choices and nothing else", async () => {
    const { manager } = world();
    const task = manager.spawn((ctx) => ctx.ask({ question: "Which?", choices: ["red", "green"] }));
    await settled();
    const request = open(manager);
    expect([request.kind, request.choices]).toEqual(["choice", ["red", "green"]]);
    for (const value of ["blue", "RED", 0, undefined]) {
      await rejected(() => manager.inbox.answer(request.id, value, ann), "INVALID_INPUT");
    }
    await manager.inbox.answer(request.id, "green", ann);
    expect(await task.result()).toBe("green");
  });

  test("A2 an answer to a schema question becomes what the schema gives", async () => {
    const { manager } = world();
    const schema = z.object({ count: z.coerce.number().int(), unit: z.string().default("pages") });
    const task = manager.spawn((ctx) => ctx.ask({ question: "How many?", schema }));
    await settled();
    const { id, kind } = open(manager);
    expect(kind).toBe("json");
    const error = await rejected(() => manager.inbox.answer(id, { count: "many" }, ann), "INVALID_INPUT");
    expect(error.issues[0]?.path).toEqual(["count"]);
    expect(open(manager).id).toBe(id);
    await manager.inbox.answer(id, { count: "12" }, ann);
    expect(await task.result()).toEqual({ count: 12, unit: "pages" });
  });

  test("A2 a schema may answer asynchronously", async () => {
    const { manager } = world();
    const schema = z.string().refine(async (text) => {
      await settled(2);
      return text.startsWith("https:");
    }, "must be a safe address");
    const task = manager.spawn((ctx) => ctx.ask({ question: "Which address?", schema }));
    await settled();
    const { id } = open(manager);
    const error = await rejected(() => manager.inbox.answer(id, "ftp://example.org", ann), "INVALID_INPUT");
    expect(error.issues[0]?.message).toBe("must be a safe address");
    await manager.inbox.answer(id, "https://example.org", ann);
    expect(await task.result()).toBe("https://example.org");
  });

  test("A2 a schema that throws refuses the answer and leaves the request open", async () => {
    const { manager } = world();
    let broken = true;
    const schema = schemaOf<string>((value) => {
      if (broken) throw new Error("schema is broken");
      return { value: String(value) };
    });
    const task = manager.spawn((ctx) => ctx.ask({ question: "What?", schema }));
    await settled();
    const { id } = open(manager);
    await refusalOf(() => manager.inbox.answer(id, "x", ann));
    expect(open(manager).id).toBe(id);
    broken = false;
    await manager.inbox.answer(id, "x", ann);
    expect(await task.result()).toBe("x");
  });

  test("§7 a request tells the JSON Schema of its schema when the schema can say it", async () => {
    const { manager } = world();
    manager.spawn((ctx) => ctx.ask({ question: "How many?", schema: z.object({ count: z.number() }) }));
    await settled();
    expect(open(manager).jsonSchema).toMatchObject({ type: "object", properties: { count: { type: "number" } } });
  });

  test("§7 a request of a schema that cannot say its JSON Schema has none", async () => {
    const { manager } = world();
    manager.spawn((ctx) => ctx.ask({ question: "What?", schema: schemaOf((value) => ({ value })) }));
    await settled();
    expect([open(manager).kind, open(manager).jsonSchema]).toEqual(["json", undefined]);
  });

  test("§7 choices and schema together are a TypeError, and ask nothing", async () => {
    const { manager } = world();
    const task = manager.spawn((ctx) =>
      refusalOf(() =>
        ctx.ask({ question: "Which?", choices: ["a"], schema: schemaOf(() => ({ value: "a" as const })) }),
      ),
    );
    expect(await task.result()).toBeInstanceOf(TypeError);
    expect(manager.inbox.list({ status: "withdrawn" })).toEqual([]);
    expect(manager.inbox.list()).toEqual([]);
  });

  test.each([
    ["question", { question: 7 }],
    ["question", { question: "" }],
    ["key", { key: "" }],
    ["timeoutMs", { timeoutMs: -1 }],
    ["signal", { signal: {} }],
    ["details", { details: 1n }],
    ["choices", { choices: [] }],
    ["choices", { choices: "ab" }],
    ["choices", { choices: { length: 1 } }],
    ["choices", { choices: [1] }],
    ["choices", { choices: ["a", 1] }],
    ["schema", { schema: {} }],
    ["onTimeout", { onTimeout: "never" }],
    ["onTimeout", { onTimeout: null }],
    ["onTimeout", { onTimeout: 7 }],
  ])("§12 a wrong %s is refused by its name, and nothing is asked: %o", async (name, wrong) => {
    const { manager } = world();
    const told = facts(manager);
    const input: object = { question: "Which?", ...wrong };
    const task = manager.spawn((ctx) => refusalOf(() => ctx.ask(input as { question: string })));
    const error = await task.result();
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toMatch(new RegExp(`^(TypeError|RangeError): .*\\b${name}\\b`));
    expect(told.filter(({ type }) => type === "request.opened" || type === "task.blocked")).toEqual([]);
  });

  test("§12 what is no object asks nothing", async () => {
    const { manager } = world();
    const none: unknown = "Which?";
    const task = manager.spawn((ctx) => refusalOf(() => ctx.ask(none as { question: string })));
    expect(String(await task.result())).toMatch(/^TypeError: .*\brequest\b/);
  });

  test("§13 a request has no fields but those that were given", async () => {
    const { manager, clock } = world();
    const task = manager.spawn((ctx) => ctx.ask({ question: "Which?" }));
    await settled();
    const request = open(manager);
    const plain = { id: "request_1", taskId: task.id, kind: "text", status: "open", question: "Which?", createdAt: 0 };
    expect(request).toStrictEqual(plain);
    // Nor has it a timer.
    expect(clock.nextAt).toBeUndefined();
    await manager.inbox.answer(request.id, "this", ann);
    manager.spawn((ctx) => ctx.ask({ question: "Which?", timeoutMs: Infinity }));
    await settled();
    expect(open(manager)).not.toHaveProperty("expiresAt");
  });

  test("A2 an answer that does not fit is refused with the reason", async () => {
    const { manager } = world();
    manager.spawn((ctx) => ctx.ask({ question: "text" }).catch(() => undefined));
    manager.spawn((ctx) => ctx.ask({ question: "choice", choices: ["red", "green"] }).catch(() => undefined));
    manager.spawn((ctx) => ctx.ask({ question: "json", schema: z.unknown() }).catch(() => undefined));
    manager.spawn((ctx) => ctx.approve("approval").catch(() => undefined));
    await settled();
    const why = {
      text: "a string is needed, got 7",
      choice: 'one of "red", "green" is needed, got 7',
      approval: 'an approval takes true alone, got 7; "no" is reject',
    };
    for (const { id, kind } of manager.inbox.list()) {
      const wrong = kind === "json" ? 1n : 7;
      const error = await rejected(() => manager.inbox.answer(id, wrong, ann), "INVALID_INPUT");
      expect(error.message).toContain(id);
      if (kind === "json") expect(error.issues[0]?.message).toContain("a value that JSON can carry is needed");
      else expect(error.issues).toEqual([{ message: why[kind] }]);
    }
    expect(manager.inbox.list()).toHaveLength(4);
    await manager.cancelAll();
  });

  test("A2 the request keeps the answer as it was given, in JSON", async () => {
    const { manager } = world();
    const task = manager.spawn(async (ctx) => {
      await ctx.approve("Really?");
      return ctx.ask({ question: "How many?", schema: z.object({ count: z.coerce.number() }) });
    });
    await settled();
    const approval = await manager.inbox.answer(open(manager).id, true, ann);
    expect(approval.answer).toBe(true);
    await settled();
    const given = { count: "12" };
    const { answer } = await manager.inbox.answer(open(manager).id, given, ann);
    expect(answer).toEqual({ count: "12" });
    expect(answer).not.toBe(given);
    expect(await task.result()).toEqual({ count: 12 });
  });

  test.each(["throws", "rejects"])(
    "A2 a schema that %s is an answer that does not fit, with the cause",
    async (how) => {
      const { manager } = world();
      const cause = new Error("schema is broken");
      const schema = schemaOf<string>(() => {
        if (how === "rejects") return Promise.reject(cause);
        throw cause;
      });
      manager.spawn((ctx) => ctx.ask({ question: "What?", schema }).catch(() => undefined));
      await settled();
      const { id } = open(manager);
      const error = await rejected(() => manager.inbox.answer(id, "x", ann), "INVALID_INPUT");
      expect(error).toMatchObject({ issues: [{ message: "Error: schema is broken" }], cause });
      expect(error.message).toContain(id);
      expect(open(manager).id).toBe(id);
      await manager.cancelAll();
    },
  );

  test("§7 the JSON Schema of a schema is that of its input, by draft 2020-12", async () => {
    const { manager } = world();
    const asked: unknown[] = [];
    const schema = schemaOf((value) => ({ value }));
    const saying = {
      "~standard": {
        ...schema["~standard"],
        jsonSchema: {
          input: (options: unknown) => {
            asked.push(options);
            return { type: "string" };
          },
          output: () => ({ type: "number" }),
        },
      },
    };
    manager.spawn((ctx) => ctx.ask({ question: "What?", schema: saying }));
    await settled();
    expect(open(manager).jsonSchema).toEqual({ type: "string" });
    expect(asked).toEqual([{ target: "draft-2020-12" }]);
    await manager.cancelAll();
  });

  test.each([
    ["null", null],
    ["text", "string"],
    ["an object that gives no input", {}],
    ["an object whose input is no function", { input: { type: "string" } }],
    [
      "one that throws",
      {
        input: () => {
          throw new Error("not this draft");
        },
      },
    ],
    ["one that gives what JSON cannot carry", { input: () => 1n }],
  ])("§7 a JSON Schema that is %s is none, and the question is asked all the same", async (_what, jsonSchema) => {
    const { manager } = world();
    const schema = schemaOf((value) => ({ value }));
    const saying = { "~standard": { ...schema["~standard"], jsonSchema } };
    const task = manager.spawn((ctx) => ctx.ask({ question: "What?", schema: saying }));
    await settled();
    expect(open(manager)).not.toHaveProperty("jsonSchema");
    await manager.inbox.answer(open(manager).id, "x", ann);
    expect(await task.result()).toBe("x");
  });
});

describe("approve", () => {
  test("§7 approve returns nothing on yes", async () => {
    const { manager } = world();
    const task = manager.spawn(async (ctx) => {
      const answer: unknown = await ctx.approve("Delete it?", { details: { path: "/x" } });
      return answer === undefined;
    });
    await settled();
    const request = open(manager);
    expect(request).toMatchObject({ kind: "approval", question: "Delete it?", details: { path: "/x" } });
    await manager.inbox.answer(request.id, true, ann);
    expect(await task.result()).toBe(true);
  });

  test.each([false, "yes", "true", 1, null, {}])(
    "A2 an approval takes true alone: %j is InvalidInputError",
    async (value) => {
      const { manager } = world();
      const task = manager.spawn((ctx) => ctx.approve("Delete it?"));
      await settled();
      const { id } = open(manager);
      await rejected(() => manager.inbox.answer(id, value, ann), "INVALID_INPUT");
      expect([open(manager).id, task.status]).toEqual([id, "blocked"]);
    },
  );

  test("A4 approve rejects on no, with the reason and who said it, so that a forgotten `if` is no yes", async () => {
    const { manager } = world();
    let deleted = false;
    const task = manager.spawn(async (ctx) => {
      await ctx.approve("Delete it?");
      deleted = true;
    });
    await settled();
    const request = open(manager);
    const closed = await manager.inbox.reject(request.id, "keep it", bob);
    expect(closed).toMatchObject({ status: "rejected", reason: "keep it", by: "bob", closedAt: 0 });
    const outcome = await task.outcome();
    expect(outcome).toMatchObject({ status: "failed", error: { code: "rejected" } });
    const error = errandError(outcome.status === "failed" && outcome.error.cause, "REQUEST_REJECTED");
    expect([error.requestId, error.reason, error.by, error.name === "AbortError"]).toEqual([
      request.id,
      "keep it",
      "bob",
      false,
    ]);
    expect(deleted).toBe(false);
  });
});

describe("A1 the first answer wins", () => {
  test("A1 a request is reported and listed from the start, under an id that stays", async () => {
    const { manager } = world();
    const told = facts(manager);
    const listed: (string | undefined)[] = [];
    manager.on("request.opened", ({ request }) => listed.push(manager.inbox.get(request.id)?.status));
    const task = manager.spawn((ctx) => ctx.ask({ question: "Which?" }));
    await settled();
    const { id } = open(manager);
    await manager.inbox.answer(id, "this", ann);
    await task.result();
    await settled();
    expect(listed).toEqual(["open"]);
    const requests = told.filter(({ type }) => type.startsWith("request."));
    expect(requests).toMatchObject([
      { type: "request.opened", taskId: task.id, request: { id, status: "open" } },
      { type: "request.answered", taskId: task.id, request: { id, status: "answered", answer: "this", by: "ann" } },
    ]);
  });

  test("A1 of two answers in one turn the first counts, the other is AlreadyAnsweredError with the request", async () => {
    const { manager } = world();
    const task = manager.spawn((ctx) => ctx.ask({ question: "Which?" }));
    await settled();
    const { id } = open(manager);
    const [first, second] = await Promise.allSettled([
      manager.inbox.answer(id, "ann's", ann),
      manager.inbox.answer(id, "bob's", bob),
    ]);
    expect(first).toMatchObject({ status: "fulfilled", value: { answer: "ann's", by: "ann" } });
    const error = errandError(second.status === "rejected" && second.reason, "ALREADY_ANSWERED");
    expect(error.request).toMatchObject({ id, status: "answered", answer: "ann's", by: "ann" });
    expect(await task.result()).toBe("ann's");
  });

  test("A1 after an answer a rejection is too late, and after a rejection an answer", async () => {
    const { manager } = world();
    const tasks = ["a", "b"].map((question) => manager.spawn((ctx) => ctx.ask({ question })));
    await settled();
    const [a, b] = manager.inbox.list().map(({ id }) => id);
    await manager.inbox.answer(given(a), "yes", ann);
    await manager.inbox.reject(given(b), "no", ann);
    expect((await rejected(() => manager.inbox.reject(given(a), "no", bob), "ALREADY_ANSWERED")).request.status).toBe(
      "answered",
    );
    expect((await rejected(() => manager.inbox.answer(given(b), "yes", bob), "ALREADY_ANSWERED")).request.status).toBe(
      "rejected",
    );
    expect(await Promise.all(tasks.map((task) => task.outcome()))).toMatchObject([
      { status: "succeeded", value: "yes" },
      { status: "failed" },
    ]);
  });

  test("A2 answers are validated before their command: one that validates faster wins", async () => {
    const { manager } = world();
    const slow = deferred();
    const schema = schemaOf<string>(async (value) => {
      if (value === "slow") await slow.promise;
      return { value: String(value) };
    });
    const task = manager.spawn((ctx) => ctx.ask({ question: "Which?", schema }));
    await settled();
    const { id } = open(manager);
    const late = refusalOf(() => manager.inbox.answer(id, "slow", ann));
    await manager.inbox.answer(id, "fast", bob);
    slow.resolve();
    expect(errandError(await late, "ALREADY_ANSWERED").request.by).toBe("bob");
    expect(await task.result()).toBe("fast");
  });

  test("A2 an answer still being validated when the task is cancelled comes too late", async () => {
    const { manager } = world();
    const slow = deferred();
    const schema = schemaOf<string>(async (value) => {
      await slow.promise;
      return { value: String(value) };
    });
    const task = manager.spawn((ctx) => ctx.ask({ question: "Which?", schema }));
    await settled();
    const { id } = open(manager);
    const late = refusalOf(() => manager.inbox.answer(id, "this", ann));
    await task.cancel();
    slow.resolve();
    expect(errandError(await late, "ALREADY_ANSWERED").request.status).toBe("withdrawn");
    expect(task.status).toBe("cancelled");
  });

  test("C6 a question answered before the cancel in the same turn keeps its answer", async () => {
    const { manager } = world();
    let got: unknown;
    const task = manager.spawn(async (ctx) => {
      got = await ctx.ask({ question: "Which?" });
      return got;
    });
    await settled();
    const { id } = open(manager);
    void manager.inbox.answer(id, "this", ann);
    const outcome = await task.cancel();
    expect(got).toBe("this");
    expect(outcome).toMatchObject({ status: "succeeded", value: "this" });
  });

  test("A1 an unknown request is undefined to get and RequestNotFoundError to answer and reject", async () => {
    const { manager } = world();
    expect(manager.inbox.get("request_99")).toBeUndefined();
    expect((await rejected(() => manager.inbox.answer("request_99", "x", ann), "REQUEST_NOT_FOUND")).requestId).toBe(
      "request_99",
    );
    await rejected(() => manager.inbox.reject("request_99", "x", ann), "REQUEST_NOT_FOUND");
  });
});

describe("expiry", () => {
  test("A4 a question not answered in timeoutMs rejects with RequestExpiredError; let through, the task fails `rejected`", async () => {
    const { manager, pass } = world();
    const told = facts(manager);
    const task = manager.spawn((ctx) => ctx.ask({ question: "Which?", timeoutMs: 100, onTimeout: "fail" }));
    await settled();
    const { id, expiresAt } = open(manager);
    expect(expiresAt).toBe(100);
    await pass(99);
    expect(open(manager).id).toBe(id);
    await pass(1);
    const outcome = await task.outcome();
    expect(outcome).toMatchObject({ status: "failed", error: { code: "rejected" } });
    expect(errandError(outcome.status === "failed" && outcome.error.cause, "REQUEST_EXPIRED").requestId).toBe(id);
    expect(manager.inbox.get(id)).toMatchObject({ status: "expired", closedAt: 100 });
    expect(typesOf(told, task.id)).toContain("request.expired");
    const late = await rejected(() => manager.inbox.answer(id, "this", ann), "ALREADY_ANSWERED");
    expect(late.request.status).toBe("expired");
  });

  test("A4 a rejection or an expiry the function handles fails nothing", async () => {
    const { manager, pass } = world();
    const task = manager.spawn(async (ctx) => {
      const first = await refusalOf(() => ctx.approve("Delete it?"));
      const second = await refusalOf(() => ctx.approve("Archive it?", { timeoutMs: 10 }));
      return [errandError(first, "REQUEST_REJECTED").reason, errandError(second, "REQUEST_EXPIRED").code];
    });
    await settled();
    await manager.inbox.reject(open(manager).id, "no", ann);
    await settled();
    await pass(10);
    expect(await task.result()).toEqual(["no", "REQUEST_EXPIRED"]);
  });

  test("§7 onTimeout: { default } gives the default, and the request has expired all the same", async () => {
    const { manager, pass } = world();
    const task = manager.spawn((ctx) =>
      ctx.ask({
        question: "Which?",
        choices: ["red", "green"],
        timeoutMs: 100,
        onTimeout: { default: "red" },
      }),
    );
    await settled();
    const { id } = open(manager);
    await pass(100);
    expect(await task.result()).toBe("red");
    expect(manager.inbox.get(id)?.status).toBe("expired");
  });

  test("§7 a default may be undefined", async () => {
    const { manager, pass } = world();
    const schema = z.number().optional();
    const task = manager.spawn(async (ctx) => {
      const answer = await ctx.ask({
        question: "How many?",
        schema,
        timeoutMs: 100,
        onTimeout: { default: undefined },
      });
      return answer === undefined;
    });
    await settled();
    await pass(100);
    expect(await task.result()).toBe(true);
  });

  test("C6 an answer before the timeout keeps counting after it", async () => {
    const { manager, pass } = world();
    const task = manager.spawn(async (ctx) => {
      const answer = await ctx.ask({ question: "Which?", timeoutMs: 100, onTimeout: { default: "none" } });
      await ctx.sleep(500);
      return answer;
    });
    await settled();
    const { id } = open(manager);
    await manager.inbox.answer(id, "this", ann);
    await pass(500);
    expect(await task.result()).toBe("this");
    expect(manager.inbox.get(id)?.status).toBe("answered");
  });
});

describe("A3 requests with a key", () => {
  test("A3 asking again with the same key is the same request, open", async () => {
    const { manager } = world();
    const told = facts(manager);
    const task = manager.spawn((ctx) =>
      Promise.all([ctx.ask({ question: "Which?", key: "which" }), ctx.ask({ question: "Which?", key: "which" })]),
    );
    await settled();
    const request = open(manager);
    expect(request.key).toBe("which");
    await manager.inbox.answer(request.id, "this", ann);
    expect(await task.result()).toEqual(["this", "this"]);
    await settled();
    expect(told.filter(({ type }) => type === "request.opened")).toHaveLength(1);
  });

  test("A3 asking again with the same key is the same request, answered: no wait, no new question", async () => {
    const { manager } = world({ concurrency: 1 });
    const told = facts(manager);
    const task = manager.spawn(async (ctx) => {
      const first = await ctx.ask({ question: "How many?", schema: z.coerce.number(), key: "count" });
      const blocks = told.filter(({ type }) => type === "task.blocked").length;
      const second = await ctx.ask({ question: "How many?", schema: z.coerce.number(), key: "count" });
      await settled();
      return [first, second, told.filter(({ type }) => type === "task.blocked").length - blocks];
    });
    await settled();
    await manager.inbox.answer(open(manager).id, "12", ann);
    expect(await task.result()).toEqual([12, 12, 0]);
    expect(told.filter(({ type }) => type === "request.opened")).toHaveLength(1);
  });

  test("A3 an approval with a key is asked once", async () => {
    const { manager } = world();
    const task = manager.spawn(async (ctx) => {
      await ctx.approve("Delete it?", { key: "delete" });
      await ctx.approve("Delete it?", { key: "delete" });
      return "deleted";
    });
    await settled();
    await manager.inbox.answer(open(manager).id, true, ann);
    expect(await task.result()).toBe("deleted");
  });

  test("A3 A4 asking again with the key of a closed request gives what closed it, and asks nothing", async () => {
    const { manager, pass } = world();
    const told = facts(manager);
    const codeOf = (error: unknown): unknown => (isErrandError(error) ? error.code : error);
    const task = manager.spawn(async (ctx) => {
      const onTimeout = { default: "default" };
      const no = { question: "no", key: "no" };
      const late = { question: "late", key: "late" };
      await Promise.allSettled([ctx.ask({ ...no, onTimeout }), ctx.ask({ ...late, timeoutMs: 10 })]);
      const again = [ctx.ask(no), ctx.ask({ ...no, onTimeout }), ctx.ask(late), ctx.ask({ ...late, onTimeout })];
      return Promise.all(again.map((answer) => answer.catch(codeOf)));
    });
    await settled();
    const [no] = manager.inbox.list();
    await manager.inbox.reject(given(no).id, "not today", ann);
    await pass(10);
    expect(await task.result()).toEqual(["REQUEST_REJECTED", "REQUEST_REJECTED", "REQUEST_EXPIRED", "default"]);
    expect(told.filter(({ type }) => type === "request.opened")).toHaveLength(2);
  });

  test("A4 a default is for the timeout alone: a rejection is one all the same", async () => {
    const { manager } = world();
    const task = manager.spawn((ctx) =>
      refusalOf(() => ctx.ask({ question: "Which?", onTimeout: { default: "default" } })),
    );
    await settled();
    await manager.inbox.reject(open(manager).id, "not today", ann);
    expect(errandError(await task.result(), "REQUEST_REJECTED").reason).toBe("not today");
  });

  test("A3 the same key with another question is IdConflictError, and the first question stays", async () => {
    const { manager } = world();
    const task = manager.spawn(async (ctx) => {
      const first = ctx.ask({ question: "Which?", key: "which" });
      const conflicts = [
        await refusalOf(() => ctx.ask({ question: "Which one?", key: "which" })),
        await refusalOf(() => ctx.ask({ question: "Which?", key: "which", choices: ["a", "b"] })),
        await refusalOf(() => ctx.ask({ question: "Which?", key: "which", details: { more: true } })),
        await refusalOf(() => ctx.approve("Which?", { key: "which" })),
      ];
      return [await first, ...conflicts.map((error) => errandError(error, "ID_CONFLICT").code)];
    });
    await settled();
    await manager.inbox.answer(open(manager).id, "this", ann);
    expect(await task.result()).toEqual(["this", ...Array.from({ length: 4 }, () => "ID_CONFLICT")]);
  });

  test.each<[one: unknown, other: unknown]>([
    [{}, []],
    [{ a: 1 }, [["a", 1]]],
    [null, undefined],
    [[], undefined],
    [["value", 1], 1],
    [{ a: { b: 1, c: [] } }, { a: { b: 1, c: {} } }],
  ])("A3 details %j and %j are two questions", async (one, other) => {
    const { manager } = world();
    const task = manager.spawn(async (ctx) => {
      const first = ctx.ask({ question: "Which?", key: "which", details: one });
      const error = await refusalOf(() => ctx.ask({ question: "Which?", key: "which", details: other }));
      const same = ctx.ask({ question: "Which?", key: "which", details: one });
      return [await first, await same, errandError(error, "ID_CONFLICT").code];
    });
    await settled();
    await manager.inbox.answer(open(manager).id, "this", ann);
    expect(await task.result()).toEqual(["this", "this", "ID_CONFLICT"]);
  });

  test("A3 one key in two tasks is two requests", async () => {
    const { manager } = world();
    const tasks = ["a", "b"].map((question) => manager.spawn((ctx) => ctx.ask({ question, key: "same" })));
    await settled();
    for (const { id, question } of manager.inbox.list()) await manager.inbox.answer(id, `re ${question}`, ann);
    expect(await Promise.all(tasks.map((task) => task.result()))).toEqual(["re a", "re b"]);
  });

  test("A3 a wait withdrawn by its signal withdraws its request, unless that has a key", async () => {
    const { manager } = world();
    const controller = new AbortController();
    const task = manager.spawn(async (ctx) => {
      const { signal } = controller;
      await Promise.all([
        refusalOf(() => ctx.ask({ question: "plain", signal })),
        refusalOf(() => ctx.ask({ question: "keyed", key: "keyed", signal })),
      ]);
      return ctx.ask({ question: "keyed", key: "keyed" });
    });
    await settled();
    const asked = manager.inbox.list();
    expect(asked).toHaveLength(2);
    controller.abort();
    await settled();
    expect(asked.map(({ id }) => manager.inbox.get(id)?.status)).toEqual(["withdrawn", "open"]);
    expect(open(manager).id).toBe(asked[1]?.id);
    await manager.inbox.answer(open(manager).id, "this", ann);
    expect(await task.result()).toBe("this");
  });

  test("A3 a keyed request is answered also while no task waits for it, and the answer is there at the next ask", async () => {
    const { manager } = world();
    const controller = new AbortController();
    const gate = deferred();
    const task = manager.spawn(async (ctx) => {
      await refusalOf(() => ctx.ask({ question: "Which?", key: "which", signal: controller.signal }));
      await gate.promise;
      return ctx.ask({ question: "Which?", key: "which" });
    });
    await settled();
    controller.abort();
    await settled();
    expect(task.status).toBe("running");
    await manager.inbox.answer(open(manager).id, "this", ann);
    gate.resolve();
    expect(await task.result()).toBe("this");
  });
});

describe("the end of the asking task", () => {
  test.each([
    { end: "returns", work: () => Promise.resolve() },
    { end: "throws", work: () => Promise.reject(new Error("broken")) },
  ])("S4 when the task $end its open requests are withdrawn, keyed ones too", async ({ work }) => {
    const { manager } = world();
    const told = facts(manager);
    const gate = deferred();
    const task = manager.spawn(async (ctx) => {
      void ctx.ask({ question: "plain" });
      void ctx.ask({ question: "keyed", key: "keyed" });
      await gate.promise;
      await work();
    });
    await settled();
    const ids = manager.inbox.list().map(({ id }) => id);
    expect(ids).toHaveLength(2);
    gate.resolve();
    await task.outcome();
    await settled();
    expect(ids.map((id) => manager.inbox.get(id)?.status)).toEqual(["withdrawn", "withdrawn"]);
    expect(manager.inbox.list()).toEqual([]);
    expect(told.filter(({ type }) => type === "request.withdrawn")).toHaveLength(2);
    await rejected(() => manager.inbox.answer(given(ids[0]), "late", ann), "ALREADY_ANSWERED");
  });

  test("S4 a timed-out asker's request is withdrawn, not expired", async () => {
    const { manager, pass } = world();
    const task = manager.spawn((ctx) => ctx.ask({ question: "Which?", timeoutMs: 500 }), { totalTimeoutMs: 100 });
    await settled();
    const { id } = open(manager);
    await pass(1_000);
    expect(await task.outcome()).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
    expect(manager.inbox.get(id)?.status).toBe("withdrawn");
  });

  test("S4 a task that asks through the context of another task gets the rejection when that task's request is withdrawn", async () => {
    const { manager } = world();
    const owner = hold(manager);
    await settled();
    const asking = manager.spawn(() => refusalOf(() => owner.ctx.ask({ question: "Which?" })));
    await settled();
    expect(open(manager).taskId).toBe(owner.handle.id);
    owner.finish();
    const error = errandError(await asking.result(), "SCOPE_CANCELLED");
    expect(error.message).toContain("request_1 was withdrawn");
    expect(manager.inbox.get("request_1")?.status).toBe("withdrawn");
  });

  test("D6 the requests of a task that is let go go with it", async () => {
    const { manager } = world({ retention: { maxFinished: 0 } });
    const task = manager.spawn((ctx) => ctx.ask({ question: "Which?" }));
    await settled();
    const { id } = open(manager);
    await manager.inbox.answer(id, "this", ann);
    expect(await task.result()).toBe("this");
    expect([manager.inbox.get(id), manager.inbox.list({ status: "answered" })]).toEqual([undefined, []]);
  });

  test("D8 a closed manager takes no answers, to whatever", async () => {
    const { manager } = world();
    await manager.close();
    for (const call of [
      () => manager.inbox.answer("request_1", "x", ann),
      () => manager.inbox.reject("request_1", "no", ann),
    ])
      await rejected(call, "MANAGER_CLOSED");
  });

  test.each([
    ["the options of", undefined],
    ["by", {}],
    ["by", { by: 7 }],
    ["by", { by: "" }],
  ])("§12 a wrong %s is refused by its name, and the request stays open", async (name, by: unknown) => {
    const { manager } = world();
    const task = manager.spawn((ctx) => ctx.ask({ question: "Which?" }));
    await settled();
    const { id } = open(manager);
    for (const call of [
      () => manager.inbox.answer(id, "x", by as { by: string }),
      () => manager.inbox.reject(id, "no", by as { by: string }),
    ])
      expect(String(await refusalOf(call))).toContain(`: ${name} `);
    const reason: unknown = 7;
    expect(String(await refusalOf(() => manager.inbox.reject(id, reason as string, ann)))).toContain(": reason ");
    expect(open(manager).id).toBe(id);
    await manager.inbox.answer(id, "this", ann);
    expect(await task.result()).toBe("this");
  });
});

describe("A5 a pending question", () => {
  test("A5 it holds no slot, and names itself in blockedOn", async () => {
    const { manager } = world({ concurrency: 1 });
    const asking = manager.spawn((ctx) => ctx.ask({ question: "Which?" }));
    await settled();
    const { id } = open(manager);
    expect([asking.status, asking.record.blockedOn]).toEqual(["blocked", [{ on: "input", requestId: id }]]);
    expect(slots(manager).held).toBe(0);
    expect(await manager.spawn(() => "meanwhile").result()).toBe("meanwhile");
    await manager.inbox.answer(id, "this", ann);
    expect(await asking.result()).toBe("this");
    allFree(manager);
  });

  test("S4 with two open questions the task stays blocked on the other when one is answered", async () => {
    const { manager } = world();
    const task = manager.spawn((ctx) => Promise.all([ctx.ask({ question: "a" }), ctx.ask({ question: "b" })]));
    await settled();
    const [a, b] = manager.inbox.list().map(({ id }) => given(id));
    expect(task.record.blockedOn).toEqual([
      { on: "input", requestId: a },
      { on: "input", requestId: b },
    ]);
    await manager.inbox.answer(given(a), "1", ann);
    await settled();
    expect([task.status, task.record.blockedOn]).toEqual(["blocked", [{ on: "input", requestId: b }]]);
    await manager.inbox.answer(given(b), "2", ann);
    expect(await task.result()).toEqual(["1", "2"]);
    expect(task.record.blockedOn).toEqual([]);
  });

  test("A5 it is answered from inside another task as from anywhere", async () => {
    const { manager } = world({ concurrency: 1 });
    const asking = manager.spawn((ctx) => ctx.ask({ question: "Which?" }));
    await settled();
    await manager
      .spawn(async () => {
        await manager.inbox.answer(open(manager).id, "from a task", { by: "task" });
      })
      .result();
    expect(await asking.result()).toBe("from a task");
  });
});

describe("answering by message", () => {
  test("§8 a text message in reply to a question answers it, text or choice", async () => {
    const { manager } = world();
    const text = manager.spawn((ctx) => ctx.ask({ question: "Which branch?" }));
    await settled();
    const asked = open(manager);
    const message = await text.send("main", { inReplyTo: asked.id });
    expect(message).toMatchObject({ taskId: text.id, direction: "inbound", inReplyTo: asked.id });
    expect(await text.result()).toBe("main");
    expect(manager.inbox.get(asked.id)).toMatchObject({ status: "answered", answer: "main" });

    const choice = manager.spawn((ctx) => ctx.ask({ question: "Which?", choices: ["red", "green"] }));
    await settled();
    await rejected(() => choice.send("blue", { inReplyTo: open(manager).id }), "INVALID_INPUT");
    await choice.send("green", { inReplyTo: open(manager).id });
    expect(await choice.result()).toBe("green");
  });

  test("§8 a single data part in reply to a schema question answers it", async () => {
    const { manager } = world();
    const task = manager.spawn((ctx) => ctx.ask({ question: "How many?", schema: z.object({ count: z.number() }) }));
    await settled();
    const { id } = open(manager);
    await rejected(() => task.send([{ type: "data", data: { count: "many" } }], { inReplyTo: id }), "INVALID_INPUT");
    await task.send([{ type: "data", data: { count: 3 } }], { inReplyTo: id });
    expect(await task.result()).toEqual({ count: 3 });
  });

  test("A5 a message never answers an approval: InvalidInputError, still open", async () => {
    const { manager } = world();
    const task = manager.spawn((ctx) => ctx.approve("Delete it?"));
    await settled();
    const { id } = open(manager);
    for (const content of ["true", "yes", [{ type: "data", data: true }] as const]) {
      await rejected(() => task.send(content, { inReplyTo: id }), "INVALID_INPUT");
    }
    expect([open(manager).id, task.status]).toEqual([id, "blocked"]);
  });

  test("§8 a message in reply to a closed request is AlreadyAnsweredError", async () => {
    const { manager } = world();
    const task = manager.spawn(async (ctx) => {
      await ctx.ask({ question: "Which?" });
      await untilStopped(ctx);
    });
    await settled();
    const { id } = open(manager);
    await manager.inbox.answer(id, "this", ann);
    const error = await rejected(() => task.send("that", { inReplyTo: id }), "ALREADY_ANSWERED");
    expect(error.request.by).toBe("ann");
  });

  test("§8 a message that replies to nothing never resumes an asker", async () => {
    const { manager } = world();
    const task = manager.spawn(async (ctx) => {
      const answer = await ctx.ask({ question: "Which?" });
      return [answer, (await ctx.receive())?.content];
    });
    await settled();
    await task.send("just saying");
    await settled();
    expect([task.status, open(manager).status]).toEqual(["blocked", "open"]);
    await manager.inbox.answer(open(manager).id, "this", ann);
    expect(await task.result()).toEqual(["this", [{ type: "text", text: "just saying" }]]);
  });
});

describe("list and watch", () => {
  async function threeAskers() {
    const { manager } = world();
    const asks = (owner: Pick<TaskManager, "spawn">, question: string): TaskHandle<string> =>
      owner.spawn((ctx) => ctx.ask({ question }));
    const first = asks(manager.session("chat"), "first");
    const second = asks(manager, "second");
    const third = asks(manager.session("chat"), "third");
    await settled();
    return { manager, asks, first, second, third };
  }

  test("§12 the id of a task in place of that of its request is named as such", async () => {
    const { manager } = world();
    const task = manager.spawn((ctx) => ctx.ask({ question: "which?" }));
    await settled();
    await expect(manager.inbox.answer(task.id, "main", { by: "ann" })).rejects.toMatchObject({
      code: "REQUEST_NOT_FOUND",
      message: `There is no request ${task.id}: ${task.id} is the id of a task. Its questions are in inbox.list({ taskId: "${task.id}" }), each with its own id`,
    });
    await task.cancel();
  });

  test("§7 list gives the open ones, oldest first, and what its filter asks for", async () => {
    const { manager, second } = await threeAskers();
    const list = (filter?: RequestFilter): string[] => manager.inbox.list(filter).map(({ question }) => question);
    expect(list()).toEqual(["first", "second", "third"]);
    expect(list({ sessionId: "chat" })).toEqual(["first", "third"]);
    expect(list({ taskId: second.id })).toEqual(["second"]);
    await manager.inbox.answer(given(manager.inbox.list({ taskId: second.id })[0]).id, "yes", ann);
    expect(list()).toEqual(["first", "third"]);
    expect(list({ status: "answered" })).toEqual(["second"]);
    expect(list({ status: ["open", "answered"] })).toEqual(
      manager.inbox.list({ status: ["answered", "open"] }).map(({ question }) => question),
    );
    expect(list({ status: ["open", "answered"] })).toContain("second");
    expect(list({ status: [] })).toEqual([]);
    // @ts-expect-error there is no such status
    expect(() => list({ status: ["opened"] })).toThrow("filter.status must be one of");
    expect(list({ status: "answered", sessionId: "chat" })).toEqual([]);
  });

  function watching(manager: TaskManager, options: Parameters<TaskManager["inbox"]["watch"]>[0]) {
    const seen: string[] = [];
    const ended = (async () => {
      for await (const { question } of manager.inbox.watch(options)) seen.push(question);
    })();
    return { seen, ended };
  }

  test("§7 watch gives the open ones first, then each new one, none twice, until its signal aborts", async () => {
    const { manager, asks } = await threeAskers();
    const controller = new AbortController();
    const { seen, ended } = watching(manager, { signal: controller.signal });
    asks(manager, "fourth");
    await settled();
    asks(manager, "fifth");
    await settled();
    await manager.inbox.answer(given(manager.inbox.list()[0]).id, "yes", ann);
    await settled();
    expect(seen).toEqual(["first", "second", "third", "fourth", "fifth"]);
    controller.abort();
    expect((await peek(ended)).is).toBe("fulfilled");
    asks(manager, "sixth");
    await settled();
    expect(seen).toHaveLength(5);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  });

  test("§7 a reader of watch that is slow misses nothing", async () => {
    const { manager, asks } = await threeAskers();
    const iterator = manager.inbox.watch()[Symbol.asyncIterator]();
    const read = async (): Promise<string | undefined> => {
      const step = await iterator.next();
      return step.done === true ? undefined : step.value.question;
    };
    expect(await read()).toBe("first");
    asks(manager, "fourth");
    asks(manager, "fifth");
    await settled();
    expect([await read(), await read(), await read(), await read()]).toEqual(["second", "third", "fourth", "fifth"]);
    await iterator.return?.();
  });

  test("§7 a request that closed before its turn is passed over, one after another", async () => {
    const { manager, asks } = await threeAskers();
    const iterator = manager.inbox.watch()[Symbol.asyncIterator]();
    const read = async () => {
      const step = await iterator.next();
      return step.done === true ? undefined : step.value.question;
    };
    expect(await read()).toBe("first");
    const [, second] = manager.inbox.list();
    await manager.inbox.answer(given(second).id, "yes", ann);
    expect(await read()).toBe("third");
    const next = read();
    asks(manager, "fourth");
    expect(await next).toBe("fourth");
    const left = iterator.next();
    await iterator.return?.();
    expect(await peek(left)).toEqual({ is: "fulfilled", value: { done: true, value: undefined } });
  });

  test("§7 watch keeps to its task or its session", async () => {
    const { manager, asks, second } = await threeAskers();
    const { signal } = new AbortController();
    const chat = watching(manager, { sessionId: "chat", signal });
    const one = watching(manager, { taskId: second.id, signal });
    asks(manager.session("chat"), "fourth");
    asks(manager, "fifth");
    await settled();
    expect([chat.seen, one.seen]).toEqual([["first", "third", "fourth"], ["second"]]);
  });

  test("§7 leaving the loop leaves no listener on the signal", async () => {
    const { manager } = await threeAskers();
    const { signal } = new AbortController();
    for await (const { question } of manager.inbox.watch({ signal })) {
      expect(question).toBe("first");
      break;
    }
    await settled();
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  test("§7 watch ends when the manager closes, and at once with a signal that has aborted", async () => {
    const { manager } = await threeAskers();
    const aborted = watching(manager, { signal: AbortSignal.abort() });
    expect((await peek(aborted.ended)).is).toBe("fulfilled");
    const { ended } = watching(manager, {});
    await settled();
    await manager.close();
    expect((await peek(ended)).is).toBe("fulfilled");
  });

  test("§3 watch inside a task is no wait: the task keeps its slot", async () => {
    const { manager } = world({ concurrency: 1 });
    const controller = new AbortController();
    const task = manager.spawn(async () => {
      for await (const request of manager.inbox.watch({ signal: controller.signal })) return request.question;
      return undefined;
    });
    await settled();
    expect([task.status, slots(manager).held]).toEqual(["running", 1]);
    const waiting = hold(manager);
    await settled();
    expect(waiting.started).toBe(false);
    controller.abort();
    await task.outcome();
  });
});
