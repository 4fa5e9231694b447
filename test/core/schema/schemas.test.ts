// Kinds with the schemas of three libraries, by Standard Schema alone (§10): the parsed input reaches `run`, the passed
// input is kept.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type } from "arktype";
import type { TaskKind } from "errand";
import { defineKind } from "errand";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { facts, settled, unhandled } from "../../support/basics.js";
import { given, refusalOf, refused, world } from "../../support/program.js";
import { started, task } from "../../support/restarts.js";

interface Raw {
  readonly url: string;
  readonly depth?: string | undefined;
}
interface Parsed {
  readonly url: string;
  readonly depth: number;
}

/** Each: a text of digits, `"1"` when there is none, becomes a number; a url has three characters or more. */
const inputs: readonly [string, StandardSchemaV1<Raw, Parsed>][] = [
  [
    "zod",
    z.object({
      url: z.string().min(3),
      depth: z.string().regex(/^\d+$/).default("1").transform(Number),
    }),
  ],
  [
    "valibot",
    v.object({
      url: v.pipe(v.string(), v.minLength(3)),
      depth: v.pipe(v.optional(v.pipe(v.string(), v.digits()), "1"), v.transform(Number)),
    }),
  ],
  ["arktype", type({ url: "string >= 3", depth: type("string.digits").pipe(Number).default("1") })],
];

const asynchronous: readonly [string, StandardSchemaV1<string>][] = [
  ["zod", z.string().refine(async (text) => text !== "bad")],
  [
    "valibot",
    v.pipeAsync(
      v.string(),
      v.checkAsync(async (text) => text !== "bad"),
    ),
  ],
];

/** Each: `{ n: "2" }` becomes 4. */
const outputs: readonly [string, StandardSchemaV1<{ n: string }, number>][] = [
  ["zod", z.object({ n: z.string().regex(/^\d+$/) }).transform(({ n }) => Number(n) * 2)],
  [
    "valibot",
    v.pipe(
      v.object({ n: v.pipe(v.string(), v.digits()) }),
      v.transform(({ n }) => Number(n) * 2),
    ),
  ],
  ["arktype", type({ n: "string.digits" }).pipe(({ n }) => Number(n) * 2)],
];

describe.each(inputs)("§10 an input schema of %s", (_library, input) => {
  function crawler() {
    const got: Parsed[] = [];
    const kind = defineKind({
      name: "crawl",
      input,
      canReattach: () => true,
      retry: { maxAttempts: 3, backoffMs: 0 },
      run: (ctx, parsed) => {
        got.push(parsed);
        if (ctx.attempt === 1) throw new Error("once more");
        return `${parsed.url} ${parsed.depth + 1}`;
      },
    });
    return { kind, got };
  }

  test("gives `run` what it parsed, in each attempt; the record keeps what was passed", async () => {
    const { kind, got } = crawler();
    const { manager, pass } = world({ kinds: [kind] });
    const tasks = [
      manager.spawn(kind, { input: { url: "a.b", depth: "2" } }),
      manager.spawn(kind, { input: { url: "a.b" } }),
      manager.spawn("crawl", { input: { url: "a.b", depth: "3" } }),
    ];
    await pass(1);
    expect(await Promise.all(tasks.map((each) => each.result()))).toEqual(["a.b 3", "a.b 2", "a.b 4"]);
    expect(tasks.map(({ record }) => record.input)).toEqual([
      { url: "a.b", depth: "2" },
      { url: "a.b" },
      { url: "a.b", depth: "3" },
    ]);
    expect(got.map(({ depth }) => depth).toSorted((a, b) => a - b)).toEqual([1, 1, 2, 2, 3, 3]);
  });

  test("that does not fit is InvalidInputError with its issues, and nothing is started", async () => {
    const { kind, got } = crawler();
    const { manager } = world({ kinds: [kind] });
    const told = facts(manager);
    const error = refused(() => manager.spawn("crawl", { input: { url: "a", depth: "deep" } }), "INVALID_INPUT");
    expect(error.message).toContain('"crawl"');
    const paths = error.issues.map(({ path }) => {
      const key = path?.[0];
      return typeof key === "object" ? key.key : key;
    });
    expect(new Set(paths)).toEqual(new Set(["depth", "url"]));
    expect(error.issues.every(({ message }) => message.length > 0)).toBe(true);
    await settled();
    expect([manager.list(), told, got]).toEqual([[], [], []]);
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a text", "a.b"],
    ["a list", [{ url: "a.b" }]],
  ])("refuses %s", (_what, given_) => {
    const { kind } = crawler();
    const { manager } = world({ kinds: [kind] });
    refused(() => manager.spawn("crawl", { input: given_ }), "INVALID_INPUT");
  });

  test("parses the journal's raw input again after a restart", async () => {
    const { kind, got } = crawler();
    const first = await started({ kinds: [kind], concurrency: 1 });
    first.manager.spawn(() => new Promise<never>(() => undefined));
    const { id } = first.manager.spawn(kind, { input: { url: "a.b", depth: "2" } });
    await settled();
    const created = first.store.kept.find(({ taskId, type: what }) => taskId === id && what === "task.created");
    expect(created).toMatchObject({ record: { input: { url: "a.b", depth: "2" } } });
    const second = await first.restart();
    expect(await task(second, id).result()).toBe("a.b 3");
    expect(got).toEqual([{ url: "a.b", depth: 2 }]);
  });

  test("the same id with the same raw input is the same task; what parses alike and was not the same is not", async () => {
    const { kind } = crawler();
    const { manager } = world({ kinds: [kind] });
    const handle = manager.spawn(kind, { id: "c", input: { url: "a.b", depth: "1" } });
    expect(manager.spawn(kind, { id: "c", input: { depth: "1", url: "a.b" } }).id).toBe(handle.id);
    refused(() => manager.spawn(kind, { id: "c", input: { url: "a.b" } }), "ID_CONFLICT");
  });
});

describe.each(asynchronous)("§10 an input schema of %s that answers later", (_library, input) => {
  test("is a TypeError that names the kind, whatever it would say; nothing is started, and nothing is left unhandled", async () => {
    const kind = defineKind({ name: "later", input, run: (_ctx, text) => text });
    const { manager } = world({ kinds: [kind] });
    const rejections = await unhandled(async () => {
      for (const text of ["good", "bad"])
        expect(await refusalOf(() => manager.spawn(kind, { input: text }))).toMatchObject({
          name: "TypeError",
          message: expect.stringContaining('"later"'),
        });
    });
    expect([manager.list(), rejections]).toEqual([[], []]);
  });

  test("may be an output schema", async () => {
    const kind = defineKind({ name: "later", output: input, run: (ctx): string => given(ctx.record.tags[0]) });
    const { manager } = world();
    expect(await manager.spawn(kind, { tags: ["good"] }).result()).toBe("good");
    expect(await manager.spawn(kind, { tags: ["bad"] }).outcome()).toMatchObject({
      error: { code: "schema_mismatch" },
    });
  });
});

describe.each(outputs)("§10 an output schema of %s", (_library, output) => {
  const of = (value: unknown): TaskKind<undefined, number> =>
    defineKind({ name: "doubled", output, run: () => value as { n: string } });

  test("makes the result of what `run` gave; the record says what it made", async () => {
    const { manager } = world();
    const handle = manager.spawn(of({ n: "2" }));
    expect(await handle.result()).toBe(4);
    expect(handle.record.output).toBe(4);
  });

  test.each<[string, unknown, string]>([
    ["that does not fit", { n: "two" }, "schema_mismatch"],
    ["of another shape", "2", "schema_mismatch"],
    ["that is null", null, "schema_mismatch"],
    ["that is undefined", undefined, "no_result"],
  ])("fails a task whose result is one %s, in words that name the kind", async (_what, value, code) => {
    const { manager } = world();
    const outcome = await manager.spawn(of(value)).outcome();
    expect(outcome).toMatchObject({ status: "failed", error: { code, message: expect.stringContaining('"doubled"') } });
  });

  test("is a value on the way, too: a promise of it, or a thenable", async () => {
    const { manager } = world();
    const thenable = {
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested.
      then(resolve: (value: unknown) => void) {
        resolve({ n: "3" });
      },
    };
    const tasks = [Promise.resolve({ n: "2" }), thenable].map((value) => manager.spawn(of(value)));
    expect(await Promise.all(tasks.map((each) => each.result()))).toEqual([4, 6]);
  });
});

describe("§9 §10 what a library says of its schema", () => {
  test.each(inputs)("is in the tool of a model, or is left out: %s", async (library, input) => {
    const kind = defineKind({ name: "crawl", description: "Reads a site.", input, run: (_ctx, { depth }) => depth });
    const { manager } = world({ kinds: [kind] });
    const session = manager.session("chat");
    const tool = given(session.tools({ only: ["spawn_task"] })[0]);
    const schema = JSON.stringify(tool.inputSchema["~standard"].jsonSchema.input({ target: "draft-2020-12" }));
    // valibot keeps JSON Schema in a package of its own.
    if (library !== "valibot") expect(schema).toContain('"url"');
    const bad = JSON.stringify(await tool.execute({ kind: "crawl", input: { url: "a" } }));
    expect(bad).toContain("url");
    expect(manager.list()).toEqual([]);
    await tool.execute({ kind: "crawl", input: { url: "a.b", depth: "7" }, wait_ms: 1 });
    expect(manager.list({ kind: "crawl" }).map(({ output }) => output)).toEqual([7]);
  });

  test.each<[string, StandardSchemaV1<string>]>([
    ["zod", z.string().min(3)],
    ["valibot", v.pipe(v.string(), v.minLength(3))],
    ["arktype", type("string >= 3")],
  ])("A2 the answer to a question is checked by one of %s: a bad one leaves it open", async (_library, schema) => {
    const { manager } = world();
    const handle = manager.spawn((ctx) => ctx.ask({ question: "Where?", schema }));
    await settled();
    const { id } = given(manager.inbox.list()[0]);
    expect(await refusalOf(() => manager.inbox.answer(id, "a", { by: "ann" }))).toMatchObject({
      code: "INVALID_INPUT",
    });
    expect(manager.inbox.get(id)?.status).toBe("open");
    await manager.inbox.answer(id, "a.b", { by: "ann" });
    expect(await handle.result()).toBe("a.b");
  });

  test.each(inputs)("A2 the answer is what a schema of %s makes of it", async (_library, schema) => {
    const { manager } = world();
    const handle = manager.spawn((ctx) => ctx.ask({ question: "Where?", schema }));
    await settled();
    const { id } = given(manager.inbox.list()[0]);
    await manager.inbox.answer(id, { url: "a.b", depth: "2" }, { by: "ann" });
    expect(await handle.result()).toEqual({ url: "a.b", depth: 2 });
  });

  test.each<[string, StandardSchemaV1<{ page: number }>]>([
    ["zod", z.object({ page: z.number() })],
    ["valibot", v.object({ page: v.number() })],
    ["arktype", type({ page: "number" })],
  ])("§10 a checkpoint is checked by one of %s", async (_library, checkpoint) => {
    const kind = defineKind({
      name: "paging",
      checkpoint,
      run: async (ctx) => {
        await ctx.checkpoint({ page: 2 });
        const error = await refusalOf(() => ctx.checkpoint({ page: "3" } as never));
        return [ctx.lastCheckpoint?.page, error];
      },
    });
    const { manager } = world();
    expect(await manager.spawn(kind).result()).toMatchObject([2, { code: "INVALID_INPUT" }]);
  });

  test.each<[string, StandardSchemaV1]>([
    ["zod", z.object({ at: z.string().transform((text) => new Date(text)) })],
    [
      "valibot",
      v.object({
        at: v.pipe(
          v.string(),
          v.transform((text) => new Date(text)),
        ),
      }),
    ],
    ["arktype", type({ at: type("string").pipe((text) => new Date(text)) })],
  ])(
    "§10 the last checkpoint is what a schema of %s that transforms makes of what is kept",
    async (_library, schema) => {
      const kind = defineKind({
        name: "dated",
        checkpoint: schema,
        run: async (ctx) => {
          await ctx.checkpoint({ at: "2020-01-01" });
          return [ctx.lastCheckpoint, ctx.lastCheckpoint];
        },
      });
      const { manager } = world();
      const at = new Date("2020-01-01");
      expect(await manager.spawn(kind).result()).toEqual([{ at }, { at }]);
    },
  );

  test.each<[string, StandardSchemaV1]>([
    [
      "its value",
      {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: (value) => (Object.assign(value as object, { more: 1 }), { value }),
        },
      },
    ],
    [
      "a list in it",
      {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: (value) => ((value as { list: unknown[] }).list.push(1), { value }),
        },
      },
    ],
  ])("a schema that changes %s in place changes its own copy, and not the record", async (_what, schema) => {
    const kind = defineKind({ name: "inPlace", input: schema, run: (_ctx, input) => input });
    const { manager } = world();
    const input = { list: [] };
    const handle = manager.spawn(kind, { input });
    expect(JSON.stringify(await handle.result())).toContain("1");
    expect([handle.record.input, input]).toEqual([{ list: [] }, { list: [] }]);
  });
});
