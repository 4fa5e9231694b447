// Schemas and hooks that do not do what they should (§12): the fault is a typed error, and never more than that.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { defineKind, type TaskOutcome } from "errand";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { facts, peek, settled, unhandled } from "../../support/basics.js";
import { errandError, given, refusalOf, world } from "../../support/program.js";

const bug = new RangeError("a bug in the refinement");

function schemaOf(validate: (value: unknown) => unknown): StandardSchemaV1<unknown, unknown> {
  return {
    "~standard": {
      version: 1,
      vendor: "own",
      validate: validate as (value: unknown) => StandardSchemaV1.Result<unknown>,
    },
  };
}

const zodThat = z.object({ n: z.number() }).refine(() => {
  throw bug;
});

const faulty: readonly [what: string, schema: StandardSchemaV1<unknown, unknown>, says: RegExp, cause: unknown][] = [
  [
    "throws",
    schemaOf(() => {
      throw bug;
    }),
    /its schema threw: RangeError: a bug/,
    bug,
  ],
  [
    "throws undefined",
    schemaOf(() => {
      throw undefined;
    }),
    /its schema threw: undefined/,
    undefined,
  ],
  ["of zod throws in a refinement", zodThat, /its schema threw: RangeError: a bug/, bug],
  ["returns nothing", schemaOf(() => undefined), /neither a value nor a list of issues/, undefined],
  ["returns null", schemaOf(() => null), /neither a value nor a list of issues/, undefined],
  ["returns a boolean", schemaOf(() => true), /neither a value nor a list of issues/, undefined],
  ["returns an empty object", schemaOf(() => ({})), /neither a value nor a list of issues/, undefined],
  [
    "returns issues that are no list",
    schemaOf(() => ({ issues: "bad" })),
    /neither a value nor a list of issues/,
    undefined,
  ],
  ["returns no issue", schemaOf(() => ({ issues: [] })), /does not say why/, undefined],
  ["returns issues that are texts", schemaOf(() => ({ issues: ["too long"] })), /too long/, undefined],
  [
    "returns issues with a path that is none",
    schemaOf(() => ({ issues: [{ message: "too long", path: [null] }] })),
    /too long/,
    undefined,
  ],
  [
    "returns a result that throws when it is read",
    schemaOf(() => ({
      get issues() {
        throw bug;
      },
    })),
    /its schema threw: RangeError/,
    bug,
  ],
];

describe("§12 an input schema that", () => {
  test.each(faulty)(
    "%s is an InvalidInputError of spawn, with its cause; nothing is started",
    (_what, schema, says, cause) => {
      const kind = defineKind({ name: "k", input: schema, run: () => 1 });
      const { manager } = world({ kinds: [kind] });
      for (const spawn of [
        () => manager.spawn(kind, { input: { n: 1 } }),
        () => manager.spawn("k", { input: { n: 1 } }),
      ]) {
        const error = errandError(thrownBy(spawn), "INVALID_INPUT");
        expect(error.message).toMatch(says);
        expect(error.message).toContain('kind "k"');
        expect(error.cause).toBe(cause);
      }
      expect(manager.list()).toEqual([]);
    },
  );

  test("C5 hides a throw in a promise leaves no rejection unhandled", async () => {
    const kind = defineKind({ name: "k", input: zodThat, run: () => 1 });
    const { manager } = world();
    const rejections = await unhandled(async () => {
      errandError(
        thrownBy(() => manager.spawn(kind, { input: { n: 1 } })),
        "INVALID_INPUT",
      );
      await settled();
    });
    expect(rejections).toEqual([]);
  });

  test("of zod checks later is still a TypeError that names the kind", () => {
    const kind = defineKind({ name: "k", input: z.string().refine(async () => true), run: () => 1 });
    const { manager } = world();
    expect(() => manager.spawn(kind, { input: "x" })).toThrow(TypeError);
  });

  test.each<[string, unknown]>([
    ["is a text", { "~standard": "1" }],
    ["has no validate", { "~standard": { version: 1, vendor: "own" } }],
    ["has a validate that is none", { "~standard": { version: 1, vendor: "own", validate: true } }],
  ])("%s is refused where the kind is defined", (_what, schema) => {
    for (const option of ["input", "output", "checkpoint"])
      expect(() => defineKind({ name: "k", [option]: schema, run: () => 1 })).toThrow(
        new RegExp(`${option} must be a Standard Schema`),
      );
  });
});

describe("§12 an output schema that", () => {
  test.each(faulty)("%s fails its task with schema_mismatch", async (_what, schema, says) => {
    const kind = defineKind({ name: "k", output: schema, run: () => ({ n: 1 }) });
    const { manager } = world();
    const outcome = await manager.spawn(kind).outcome();
    expect(outcome).toMatchObject({ status: "failed", error: { code: "schema_mismatch" } });
    expect(messageOf(outcome)).toMatch(says);
  });

  test("throws keeps its error as a cause", async () => {
    const kind = defineKind({ name: "k", output: zodThat, run: () => ({ n: 1 }) });
    const { manager } = world();
    const outcome = await manager.spawn(kind).outcome();
    expect(outcome).toMatchObject({ error: { cause: { cause: bug } } });
  });

  test("never answers fails its task within 10 s", async () => {
    const kind = defineKind({ name: "k", output: schemaOf(() => new Promise(() => undefined)), run: () => 1 });
    const { manager, pass } = world();
    const handle = manager.spawn(kind);
    await pass(9_999);
    expect(handle.status).toBe("running");
    await pass(1);
    expect(handle.record).toMatchObject({ status: "failed", error: { code: "schema_mismatch" } });
    expect(handle.record.error?.message).toMatch(/did not answer within 10 s/);
  });
});

describe("§12 a checkpoint schema that", () => {
  test.each(faulty)("%s rejects the checkpoint with InvalidInputError", async (_what, schema, says, cause) => {
    const kind = defineKind({ name: "k", checkpoint: schema, run: (ctx) => refusalOf(() => ctx.checkpoint({ n: 1 })) });
    const { manager } = world();
    const error = errandError(await manager.spawn(kind).result(), "INVALID_INPUT");
    expect(error.message).toMatch(says);
    expect(error.cause).toBe(cause);
  });
});

describe("§12 A2 the schema of a question that", () => {
  const ada = { by: "ada" };

  test.each(faulty)(
    "%s refuses the answer with InvalidInputError; the question stays open",
    async (_what, schema, says, cause) => {
      const { manager } = world();
      const handle = manager.spawn((ctx) => ctx.ask({ question: "How many?", schema }));
      await settled();
      const { id } = given(manager.inbox.list()[0]);
      const error = errandError(await refusalOf(() => manager.inbox.answer(id, { n: 1 }, ada)), "INVALID_INPUT");
      expect(error.message).toMatch(says);
      expect(error.cause).toBe(cause);
      expect([handle.status, manager.inbox.get(id)?.status]).toEqual(["blocked", "open"]);
    },
  );

  test.each<[string, () => unknown]>([
    ["never answers", () => new Promise(() => undefined)],
    ["gives a thenable that never answers", () => ({ then: () => undefined })],
  ])("%s refuses the answer within 10 s, and the next one may fit", async (_what, never) => {
    let isSlow = true;
    const { manager, pass } = world();
    const handle = manager.spawn((ctx) =>
      ctx.ask({ question: "How many?", schema: schemaOf((value) => (isSlow ? never() : { value })) }),
    );
    await settled();
    const { id } = given(manager.inbox.list()[0]);
    const refusal = refusalOf(() => manager.inbox.answer(id, 1, ada));
    await pass(9_999);
    expect((await peek(refusal)).is).toBe("pending");
    await pass(1);
    errandError(await refusal, "INVALID_INPUT");
    expect(manager.inbox.get(id)?.status).toBe("open");
    isSlow = false;
    await manager.inbox.answer(id, 2, ada);
    expect(await handle.result()).toBe(2);
  });

  test("C5 rejects after its time is over raises no unhandledRejection", async () => {
    let reject: (error: unknown) => void = () => undefined;
    const schema = schemaOf(() => new Promise((_resolve, no) => void (reject = no)));
    const { manager, pass } = world();
    manager.spawn((ctx) => ctx.ask({ question: "How many?", schema }));
    await settled();
    const rejections = await unhandled(async () => {
      const refusal = refusalOf(() => manager.inbox.answer(given(manager.inbox.list()[0]).id, 1, ada));
      await pass(10_000);
      errandError(await refusal, "INVALID_INPUT");
      reject(bug);
      await settled();
    });
    expect(rejections).toEqual([]);
  });
});

describe("§12 C5 a retryIf that gives a promise", () => {
  test.each<[string, () => unknown]>([
    ["resolves", () => Promise.resolve(false)],
    ["rejects", () => Promise.reject(bug)],
  ])("that %s is logged, and ends the task; nothing is unhandled", async (_how, retryIf) => {
    const warnings: unknown[] = [];
    const ignore = (): void => undefined;
    const warn = (message: string) => void warnings.push(message);
    const { manager, pass } = world({ logger: { debug: ignore, info: ignore, warn, error: ignore } });
    const told = facts(manager);
    const rejections = await unhandled(async () => {
      const handle = manager.spawn(() => Promise.reject(new Error("x")), {
        retry: { maxAttempts: 3, retryIf: retryIf as () => boolean },
      });
      await pass(10_000);
      expect(handle.record).toMatchObject({ status: "failed", attempt: 1 });
    });
    expect(rejections).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining("retryIf")]);
    expect(told.some(({ type }) => type === "task.retried")).toBe(false);
  });
});

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error("expected a throw");
}

function messageOf(outcome: TaskOutcome): string {
  return outcome.status === "failed" ? outcome.error.message : "";
}
