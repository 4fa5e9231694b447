// Schemas of the tools: one `~standard` object says what a tool takes, to a model and to us, and both mean the same (§9).

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { defineKind, TaskManager, type TaskTool } from "errand";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { given } from "../core/program.js";
import { kinds } from "./agent.js";

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

  test("is left out where its library cannot say it, and shortened where it is long", () => {
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
    expect(description.split("\n").slice(1)).toEqual(["- plain", "- mute", "- throwing", "- long object"]);
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
