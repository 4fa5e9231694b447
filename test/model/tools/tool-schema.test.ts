// Schemas of the tools: one `~standard` object has the JSON Schema and the check of a tool, and both agree (§9).

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { defineKind, TaskManager, type TaskTool } from "errand";
import { monitor, subagent } from "errand/kinds";
import * as fc from "fast-check";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { z as z3 } from "zod/v3";
import { agent, kinds, refusalIn } from "../../support/agent.js";
import { settled } from "../../support/basics.js";
import { given, untilStopped } from "../../support/program.js";

const toolsWith = (offered: typeof kinds): readonly TaskTool[] =>
  new TaskManager({ kinds: offered }).session("chat").tools();
const tools = toolsWith(kinds);
const schemaOf = ({ inputSchema }: TaskTool, target = "draft-2020-12"): Record<string, unknown> =>
  inputSchema["~standard"].jsonSchema.input({ target });
const spawnOf = (...offered: readonly unknown[]): TaskTool => given(toolsWith(offered as typeof kinds)[0]);

describe.each(tools)("§9 $name", (tool) => {
  const standard = tool.inputSchema["~standard"];

  test("is Standard Schema v1 and Standard JSON Schema v1 in one object", () => {
    expect(standard).toMatchObject({ version: 1, vendor: "errand" });
    expect(tool.inputSchema satisfies StandardSchemaV1 & StandardJSONSchemaV1).toBe(tool.inputSchema);
  });

  test("takes a flat object, of the targets that clients ask for, and of no other", () => {
    for (const target of ["draft-2020-12", "draft-07"]) {
      const schema = schemaOf(tool, target);
      expect(schema).toMatchObject({ type: "object", additionalProperties: false });
      expect(JSON.stringify(schema)).not.toMatch(/"(\$ref|anyOf|oneOf|allOf|\$schema)"/);
      expect(standard.jsonSchema.output({ target })).toEqual(schema);
    }
    expect(() => schemaOf(tool, "openapi-3.0")).toThrow(/target must be one of draft-2020-12, draft-07/);
  });

  test("gives each client a copy of its own", () => {
    const schema = schemaOf(tool);
    schema.properties = {};
    expect(schemaOf(tool)).not.toEqual(schema);
  });

  test("answers at once, and says where something is wrong", () => {
    const answer = standard.validate({ nowhere: 1 });
    expect(answer).not.toBeInstanceOf(Promise);
    expect(answer).toMatchObject({
      issues: expect.arrayContaining([{ message: expect.any(String), path: ["nowhere"] }]),
    });
    for (const input of ["x", 5, [], true]) expect(standard.validate(input)).toHaveProperty("issues");
  });

  test("means the same as JSON Schema, to another library that reads it", () => {
    const judge = z.fromJSONSchema(schemaOf(tool));
    const values = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.constantFrom("echo", "dig", "live", "failed", "any", "all"),
      fc.integer({ min: -2, max: 110 }),
      fc.constantFrom(600_000, 600_001, 3_600_001, 60_001, 0.5),
      fc.boolean(),
      fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 3 }),
      fc.dictionary(fc.string(), fc.integer(), { maxKeys: 2 }),
    );
    const names = Object.keys(schemaOf(tool).properties as object);
    const key = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...names) }, { weight: 1, arbitrary: fc.string() });
    fc.assert(
      fc.property(fc.dictionary(key, values, { noNullPrototype: true }), (input) => {
        const { issues } = standard.validate(input) as StandardSchemaV1.Result<unknown>;
        expect(issues === undefined).toBe(judge.safeParse(input).success);
      }),
      { numRuns: 500 },
    );
  });
});

describe("§9 what a kind takes", () => {
  const run = () => 1;
  const wide = z.object({
    url: z.string().describe("where to begin"),
    depth: z.number().int().optional(),
    mode: z.enum(["fast", "slow"]),
    tags: z.array(z.string()),
    pairs: z.array(z.union([z.string(), z.number()])),
    within: z.object({ seconds: z.number(), soft: z.literal(true).optional() }),
    either: z.string().nullable(),
  });

  test("is in the description, in short, and its words with it", () => {
    const crawl = defineKind({ name: "crawl", description: "Crawls a site", input: wide, run });
    expect(spawnOf(crawl, ...kinds).description).toContain(
      '- crawl { url: string (where to begin), depth?: integer, mode: "fast" | "slow", tags: string[], pairs: (string | number)[], within: { seconds: number, soft?: true }, either: string | null }: Crawls a site\n',
    );
  });

  test("is said to be unknown where its library cannot say it, and shortened where it is long", () => {
    const mute: StandardSchemaV1<string> = {
      "~standard": { version: 1, vendor: "mute", validate: (value) => ({ value: String(value) }) },
    };
    const throwing = {
      "~standard": {
        ...mute["~standard"],
        jsonSchema: {
          input: () => {
            throw new Error("no");
          },
          output: () => ({}),
        },
      },
    };
    const fields = Object.fromEntries(
      Array.from({ length: 60 }, (_, n) => [`field${n}`, z.string().describe("words ".repeat(9))]),
    );
    const { description } = spawnOf(
      defineKind({ name: "plain", run }),
      defineKind({ name: "mute", input: mute, run }),
      defineKind({ name: "throwing", input: throwing, run }),
      defineKind({ name: "long", input: z.object(fields), run }),
    );
    const unsaid = "(its input has a shape that is not said here)";
    expect(description.split("\n").slice(1)).toEqual([
      "- plain",
      `- mute ${unsaid}`,
      `- throwing ${unsaid}`,
      "- long object with 60 fields",
    ]);
  });

  test("is what the kind says of itself, where its library cannot", () => {
    const input = v.object({ url: v.string() });
    const inputJsonSchema = { type: "object", properties: { url: { type: "string" } }, required: ["url"] };
    const silent = spawnOf(defineKind({ name: "crawl", input, run }));
    expect(silent.description).toContain("- crawl (its input has a shape that is not said here)");
    for (const kind of [
      defineKind({ name: "crawl", input, inputJsonSchema, run }),
      subagent({ name: "crawl", input, inputJsonSchema, loop: () => "done" }),
    ]) {
      const tool = spawnOf(kind);
      expect(tool.description).toContain("- crawl { url: string }");
      expect(schemaOf(tool).properties).toMatchObject({ input: inputJsonSchema });
    }
    expect(() => defineKind({ name: "crawl", inputJsonSchema: [] as never, run })).toThrow(
      /inputJsonSchema must be a plain object/,
    );
  });

  test("of zod 4 is described but for the fields that JSON Schema cannot express", () => {
    const input = z.object({
      url: z.string(),
      since: z.coerce.date(),
      custom: z.custom<number>(() => true).optional(),
    });
    const { description } = spawnOf(defineKind({ name: "crawl", input, run }), ...kinds);
    expect(description).toMatch(/- crawl \{ url: string, since\??: any, custom\??: any \}/);
  });

  test("§12 a schema that throws is refused with its whole reason", async () => {
    const throwing = (thrown: unknown) =>
      z.string().transform(() => {
        throw thrown;
      });
    const refusals = [
      [{ status: 429, detail: "rate" }, '"detail":"rate"'],
      [new Error("lookup failed", { cause: new Error("ENOTFOUND db") }), "lookup failed: ENOTFOUND db"],
      [new AggregateError([new Error("ECONNREFUSED")], ""), "ECONNREFUSED"],
    ] as const;
    for (const [thrown, said] of refusals) {
      const { call, manager } = agent({ kinds: [defineKind({ name: "odd", input: throwing(thrown), run })] });
      expect(refusalIn(await call("spawn_task", { kind: "odd", input: "x" }))).toContain(said);
      await manager.close();
    }
  });

  test("of zod 3 is read from its schema, which cannot say it", async () => {
    const Speed = { slow: "slow", fast: "fast" } as const;
    const Level = { low: -1, high: 1, "-1": "low", 1: "high" } as const;
    interface Tree {
      of: Tree[];
    }
    const tree: z3.ZodType<Tree> = z3.lazy(() => z3.object({ of: z3.array(tree) }));
    const input = z3
      .object({
        url: z3.string().url().describe("where to begin"),
        depth: z3.number().int().default(1),
        share: z3.number().optional(),
        mode: z3.enum(["a", "b"]),
        speed: z3.nativeEnum(Speed).nullable(),
        level: z3.nativeEnum(Level),
        same: z3.literal(true),
        list: z3.array(z3.union([z3.string(), z3.number()])),
        pair: z3.tuple([z3.string(), z3.boolean()]),
        none: z3.tuple([]),
        any: z3.discriminatedUnion("k", [z3.object({ k: z3.literal("x") }), z3.object({ k: z3.literal("y") })]),
        both: z3.intersection(z3.object({ a: z3.string() }), z3.object({ b: z3.string() })),
        named: z3.record(z3.number()),
        text: z3.string().transform(Number).pipe(z3.number()).readonly().catch(1),
        at: z3.date(),
        unknown: z3.unknown(),
        brand: z3.string().brand("id"),
        tree,
      })
      .strict()
      .refine(() => true);
    const schema = (schemaOf(spawnOf(defineKind({ name: "crawl", input, run }))).properties as { input: object }).input;
    expect(schema).toMatchObject({
      type: "object",
      additionalProperties: false,
      properties: {
        url: { type: "string", description: "where to begin" },
        depth: { type: "integer" },
        share: { type: "number" },
        mode: { type: "string", enum: ["a", "b"] },
        speed: { anyOf: [{ enum: ["slow", "fast"] }, { type: "null" }] },
        level: { enum: [-1, 1] },
        same: { const: true },
        list: { type: "array", items: { anyOf: [{ type: "string" }, { type: "number" }] } },
        pair: { type: "array", prefixItems: [{ type: "string" }, { type: "boolean" }], items: false },
        any: { anyOf: [{ properties: { k: { const: "x" } } }, { properties: { k: { const: "y" } } }] },
        both: { allOf: [{ properties: { a: {} } }, { properties: { b: {} } }] },
        named: { type: "object", additionalProperties: { type: "number" } },
        text: { type: "string" },
        at: {},
        unknown: {},
        brand: { type: "string" },
        tree: { properties: { of: { items: { properties: { of: { type: "array" } } } } } },
      },
    });
    // JSON Schema has no empty `prefixItems`.
    expect(schema).toHaveProperty("properties.none", { type: "array", maxItems: 0 });
    const { required } = schema as { required: readonly string[] };
    expect(required).toContain("url");
    for (const name of ["depth", "share", "unknown"]) expect(required).not.toContain(name);
    const { description } = spawnOf(defineKind({ name: "crawl", input: z3.object({ url: z3.string() }), run }));
    expect(description).toContain("- crawl { url: string }");
  });

  test("is required when no kind can be started without it, and is not there when none takes it", async () => {
    const requiredOf = (...offered: readonly unknown[]) => spawnOf(...offered).inputSchema.toJSON().required;
    const needs = defineKind({ name: "needs", input: z.object({ a: z.string() }), run });
    const needsToo = defineKind({ name: "needsToo", input: z.string(), run });
    const may = defineKind({ name: "may", input: z.object({ a: z.string() }).optional(), run });
    const plain = defineKind({ name: "plain", run });
    const ticks = monitor({ every: { ms: 1_000 }, run: () => undefined });
    const throws = defineKind({
      name: "throws",
      input: z.unknown().transform((value) => (value as { a: string }).a),
      run,
    });
    const later = defineKind({ name: "later", input: z.string().refine(async () => true), run });
    for (const offered of [[needs], [needs, needsToo], [throws], [later]])
      expect(requiredOf(...offered)).toEqual(["kind", "input"]);
    for (const offered of [[may], [plain], [needs, may], [needs, plain], [needs, ticks]])
      expect(requiredOf(...offered)).toEqual(["kind"]);
    const [tool] = new TaskManager({ kinds: [needs] }).session("chat").tools();
    for (const input of [{ kind: "needs" }, { kind: "needs", input: null }])
      expect(await tool?.execute(input)).toMatchObject({
        error: "Bad input: input is missing. It takes needs { a: string }",
      });
  });

  test("of a monitor is nothing: it is not asked for, and an empty one is none", async () => {
    const ticks = monitor({ every: { ms: 1_000_000 }, run: () => undefined });
    const alone = spawnOf(ticks).inputSchema.toJSON();
    expect([alone.required, Object.keys(alone.properties)]).toEqual([["kind"], ["kind", "name", "title", "wait_ms"]]);
    const manager = new TaskManager({ kinds: [ticks, defineKind({ name: "plain", run })], graceMs: 1 });
    const tool = given(manager.session("chat").tools()[0]);
    expect(tool.description).toContain("- monitor (no input)");
    for (const input of [undefined, null, {}, ""])
      expect(await tool.execute({ kind: "monitor", input })).not.toHaveProperty("error");
    expect(await tool.execute({ kind: "monitor", input: { cron: "* * * * *" } })).toMatchObject({
      error: expect.stringContaining("a monitor takes no input"),
      hint: "Nothing was started. It takes monitor (no input)",
    });
    await manager.close();
  });

  test("of one kind alone is its own schema, so that a client can hold the model to it", () => {
    const schema = schemaOf(spawnOf(defineKind({ name: "crawl", input: wide, run })));
    expect(schema.properties).toMatchObject({ input: { type: "object", required: expect.arrayContaining(["url"]) } });
    expect(JSON.stringify(schema)).not.toContain("$schema");
  });

  test("stands nowhere else when it points at its own parts", () => {
    interface Node {
      readonly of: readonly Node[];
    }
    const node: z.ZodType<Node, Node> = z.lazy(() => z.object({ of: z.array(node) }));
    const schema = schemaOf(spawnOf(defineKind({ name: "grow", input: node, run })));
    expect(JSON.stringify(schema)).not.toContain("$ref");
  });

  test("is an object where all of them are, and otherwise anything", () => {
    const one = defineKind({ name: "one", input: z.object({ a: z.string() }), run });
    const two = defineKind({ name: "two", input: z.object({ b: z.string() }), run });
    const words = defineKind({ name: "words", input: z.string(), run });
    expect(schemaOf(spawnOf(one, two)).properties).toMatchObject({ input: { type: "object" } });
    expect(schemaOf(spawnOf(one, words)).properties).not.toMatchObject({ input: { type: "object" } });
  });
});

describe("§12 what a model writes", () => {
  const long = (many: number) => "x".repeat(many);
  test.each<[tool: string, input: object, says: string]>([
    ["spawn_task", { kind: "deploy", title: long(201) }, "title must be at most 200 characters long"],
    ["spawn_task", { kind: "deploy", name: long(61) }, "name must be at most 60 characters long"],
    ["spawn_task", { kind: "deploy", title: long(1_000_000), name: long(1_000_000) }, "title must be at most 200"],
    ["spawn_task", { kind: "echo", input: { text: long(1_000_000) } }, "input must be at most 1000000 characters"],
    ["cancel_task", { task_id: "task_1", reason: long(501) }, "reason must be at most 500 characters long"],
    ["message_task", { task_id: "task_1", message: long(100_001) }, "message must be at most 100000 characters long"],
    ["message_task", { task_id: "task_1", message: "x", in_reply_to: long(1_001) }, "in_reply_to must be at most 1000"],
    ["get_task", { task_id: long(1_001) }, "task_id must be at most 1000 characters long"],
    ["await_tasks", { task_ids: [long(1_001)] }, "task_ids must be texts of at most 1000 characters each"],
    ["await_tasks", { task_ids: Array.from({ length: 1_001 }, () => "x") }, "task_ids must be at most 1000 texts"],
    ["list_tasks", { kind: long(1_001) }, "kind must be at most 1000 characters long"],
    ["list_tasks", { after: long(1_001) }, "after must be at most 1000 characters long"],
  ])("is bounded, and %s says by how much: %#", async (tool, input, says) => {
    const { call, session, manager } = agent();
    session.spawn(untilStopped);
    await settled();
    const before = JSON.stringify(manager.list());
    const refusal = refusalIn(await call(tool, input));
    expect(refusal).toContain(says);
    expect(refusal.length).toBeLessThan(1_000);
    expect(JSON.stringify(manager.list())).toBe(before);
    await manager.close({ graceMs: 0 });
  });

  test("counts characters, not halves of them", async () => {
    const { call, manager } = agent();
    const start = (title: string) => call("spawn_task", { kind: "deploy", title });
    expect(await start("🗼".repeat(200))).not.toHaveProperty("error");
    expect(await start("🗼".repeat(201))).toHaveProperty("error");
    await manager.close({ graceMs: 0 });
  });
});
