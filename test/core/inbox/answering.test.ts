// Answering: who may answer what, when an answer is decided, and what a refusal says (A1, A2, D8, §12).

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { TaskContext } from "errand";
import { describe, expect, test } from "vitest";
import { deferred, peek, settled } from "../../support/basics.js";
import { given, refusalOf, rejected, world } from "../../support/program.js";
import { durable, request, started, task } from "../../support/restarts.js";

const ann = { by: "ann" };

/** A schema whose verdict comes when the test says so. */
function slowSchema() {
  const verdict = deferred<StandardSchemaV1.Result<string>>();
  const schema: StandardSchemaV1<unknown, string> = {
    "~standard": { version: 1, vendor: "test", validate: () => verdict.promise },
  };
  return { schema, verdict };
}

describe("the author of an answer", () => {
  test.each([
    ["answer", undefined, "TypeError: the options of answer must be { by }: who answers, got undefined"],
    ["answer", null, "TypeError: the options of answer must be { by }: who answers, got null"],
    ["reject", null, "TypeError: the options of reject must be { by }: who answers, got null"],
    ["reject", "ann", 'TypeError: the options of reject must be { by }: who answers, got "ann"'],
  ] as const)("§12 is said to %s in its options, and not by %j", async (verb, options: unknown, message) => {
    const { manager } = world();
    expect(String(await refusalOf(() => manager.inbox[verb]("request_1", "x", options as { by: string })))).toBe(
      message,
    );
  });

  test.each(["answer", "reject"] as const)("§12 is all that the options of %s say", async (verb) => {
    const { manager } = world();
    const options = { by: "ann", reason: "x" };
    expect(String(await refusalOf(() => manager.inbox[verb]("request_1", "x", options)))).toMatch(
      new RegExp(`^TypeError: ${verb} has no option "reason"`),
    );
  });
});

describe("a closed manager", () => {
  test.each(["answer", "reject"] as const)("D8 says to %s that it takes no answers", async (verb) => {
    const { manager } = world();
    await manager.close();
    const { message } = await rejected(() => manager.inbox[verb]("request_1", "x", ann), "MANAGER_CLOSED");
    expect(message).toContain("it takes no answers");
  });

  test("D8 refuses an answer that its schema is still checking", async () => {
    const { manager } = world();
    const { schema } = slowSchema();
    manager.spawn((ctx) => ctx.ask({ question: "What?", schema }).catch(() => undefined));
    await settled();
    const answer = refusalOf(() => manager.inbox.answer(given(manager.inbox.list()[0]).id, "x", ann));
    await manager.close();
    expect(await answer).toMatchObject({ code: "MANAGER_CLOSED" });
  });
});

describe("an answer that its schema checks later", () => {
  test("A2 is decided when the verdict is there, and not before", async () => {
    const { manager } = world();
    const { schema, verdict } = slowSchema();
    const asking = manager.spawn((ctx) => ctx.ask({ question: "What?", schema }));
    await settled();
    const { id } = given(manager.inbox.list()[0]);
    const answer = manager.inbox.answer(id, "x", ann);
    expect(await peek(answer)).toEqual({ is: "pending" });
    expect(manager.inbox.get(id)?.status).toBe("open");
    verdict.resolve({ value: "<x>" });
    expect(await answer).toMatchObject({ status: "answered", answer: "x" });
    expect(await asking.result()).toBe("<x>");
  });

  test("A1 A2 comes too late when another answer was decided before the verdict", async () => {
    const { manager } = world();
    const { schema, verdict } = slowSchema();
    manager.spawn((ctx) => ctx.ask({ question: "What?", schema }).catch(() => undefined));
    await settled();
    const { id } = given(manager.inbox.list()[0]);
    const late = refusalOf(() => manager.inbox.answer(id, "x", ann));
    await manager.inbox.reject(id, "no", { by: "bob" });
    verdict.resolve({ value: "x" });
    expect(await late).toMatchObject({ code: "ALREADY_ANSWERED", request: { status: "rejected", by: "bob" } });
  });
});

describe("the reply to an answer", () => {
  test.each(["answer", "reject"] as const)(
    "D1 comes once what it reports is stored, a refusal too: %s",
    async (verb) => {
      const process = await started();
      process.manager.spawn((ctx) => ctx.ask({ question: "Which?" }).catch(() => undefined));
      await settled();
      const { id } = request(process);
      process.store.hold();
      const reply = process.manager.inbox[verb](id, "this", ann);
      const refusal = refusalOf(() => process.manager.inbox[verb](id, "that", { by: "bob" }));
      expect(process.manager.inbox.get(id)?.by).toBe("ann");
      expect([await peek(reply), await peek(refusal)]).toEqual([{ is: "pending" }, { is: "pending" }]);
      process.store.letThrough();
      expect(await reply).toMatchObject({ id, by: "ann" });
      expect(await refusal).toMatchObject({ code: "ALREADY_ANSWERED" });
    },
  );
});

describe("an answer in the process after the one that asked", () => {
  const asksJson = (ctx: TaskContext) => ctx.ask({ question: "What?", key: "what", schema: slowSchema().schema });

  test("A2 is refused by the name of the kind, when no function of that kind can bring the schema", async () => {
    const kind = durable(asksJson);
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "asker" });
    await settled();
    const next = await first.restart({ kinds: [] });
    await settled();
    const { id } = request(next);
    const refused = await rejected(() => next.manager.inbox.answer(id, "x", ann), "UNKNOWN_KIND");
    expect(refused.message).toContain("durable");
    expect(request(next).id).toBe(id);
  });

  test("A2 waits for no schema when its question has none", async () => {
    const gate = deferred();
    const kind = durable(async (ctx) => {
      if (ctx.attempt > 1) await gate.promise;
      return ctx.ask({ question: "Which?", key: "which" });
    });
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "asker" });
    await settled();
    const next = await first.restart();
    await settled();
    const answered = await next.manager.inbox.answer(request(next).id, "this", ann);
    expect(answered.status).toBe("answered");
    gate.resolve();
    expect(await task(next, "asker").result()).toBe("this");
  });
});
