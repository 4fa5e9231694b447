// The line that shows a model the input of a kind: right and readable for each form of schema (§9).

import { type } from "arktype";
import { defineKind, TaskManager } from "errand";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { z as z3 } from "zod/v3";

type Kind = Parameters<typeof defineKind<unknown, never>>[0];

/** The line of a kind `k` in the description of `spawn_task`. */
function lineOf(parts: Pick<Kind, "input"> & Partial<Pick<Kind, "inputJsonSchema">>): string | undefined {
  const kind = defineKind<unknown, never>({ name: "k", ...parts, run: () => 1 });
  const manager = new TaskManager({ kinds: [kind] });
  const [tool] = manager.session("a").tools({ only: ["spawn_task"] });
  return tool?.description.split("\n- k ")[1];
}

/** Each form as zod 4 and as zod 3 make it, and its line. */
const forms: readonly (readonly [what: string, line: string, four: unknown, three: unknown])[] = [
  [
    "an intersection",
    "{ a: string, b?: number }",
    z.object({ a: z.string() }).and(z.object({ b: z.number().optional() })),
    z3.object({ a: z3.string() }).and(z3.object({ b: z3.number().optional() })),
  ],
  ["never", "(no input)", z.never(), z3.never()],
  ["void", "(no input)", z.void(), z3.void()],
  ["undefined", "(no input)", z.undefined(), z3.undefined()],
  ["null", "null", z.null(), z3.null()],
  [
    "a field of never",
    "{ a?: never, b: string }",
    z.object({ a: z.never().optional(), b: z.string() }),
    z3.object({ a: z3.never().optional(), b: z3.string() }),
  ],
  ["a record", "Record<string, number>", z.record(z.string(), z.number()), z3.record(z3.string(), z3.number())],
  [
    "a record of names",
    'Record<"a" | "b", number>',
    z.record(z.enum(["a", "b"]), z.number()),
    z3.record(z3.enum(["a", "b"]), z3.number()),
  ],
  ["a tuple", "[string, number]", z.tuple([z.string(), z.number()]), z3.tuple([z3.string(), z3.number()])],
  [
    "a tuple with more behind",
    "[string, ...number[]]",
    z.tuple([z.string()]).rest(z.number()),
    z3.tuple([z3.string()]).rest(z3.number()),
  ],
  ["an empty tuple", "[]", z.tuple([]), z3.tuple([])],
  ["an enum", '"a" | "b"', z.enum(["a", "b"]), z3.enum(["a", "b"])],
  ["a literal", '"x"', z.literal("x"), z3.literal("x")],
  [
    "nullable",
    "{ a: string | null, b?: number | null }",
    z.object({ a: z.string().nullable(), b: z.number().nullish() }),
    z3.object({ a: z3.string().nullable(), b: z3.number().nullish() }),
  ],
  [
    "a discriminated union",
    '{ t: "a", x: number } | { t: "b" }',
    z.discriminatedUnion("t", [z.object({ t: z.literal("a"), x: z.number() }), z.object({ t: z.literal("b") })]),
    z3.discriminatedUnion("t", [z3.object({ t: z3.literal("a"), x: z3.number() }), z3.object({ t: z3.literal("b") })]),
  ],
  [
    "a list of a union",
    "(string | number)[]",
    z.array(z.union([z.string(), z.number()])),
    z3.array(z3.union([z3.string(), z3.number()])),
  ],
  [
    "other fields of one type",
    "{ a: string, [key: string]: number }",
    z.object({ a: z.string() }).catchall(z.number()),
    z3.object({ a: z3.string() }).catchall(z3.number()),
  ],
  [
    "a name that is no identifier",
    '{ a?: string, "b-c": integer (how many) }',
    z.object({ a: z.string().default("x"), "b-c": z.number().int().describe("how many") }),
    z3.object({ a: z3.string().default("x"), "b-c": z3.number().int().describe("how many") }),
  ],
  ["a promise", "string", z.promise(z.string()), z3.promise(z3.string())],
];

describe("§9 the input of a kind in one line", () => {
  test.each(forms)("%s is %s, of zod 4 and of zod 3", (_what, line, four, three) => {
    expect([lineOf({ input: four as never }), lineOf({ input: three as never })]).toEqual([line, line]);
  });

  test("an intersection with a union keeps both, of zod 3", () => {
    const either = z3.union([z3.object({ b: z3.string() }), z3.object({ c: z3.number() })]);
    expect(lineOf({ input: z3.object({ a: z3.string() }).and(either) as never })).toBe(
      "{ a: string } & ({ b: string } | { c: number })",
    );
  });

  test.each([
    ["{ a: string, b: number }", type({ a: "string" }).and({ b: "number" })],
    ["(no input)", type("never")],
    ["Record<string, number>", type("Record<string, number>")],
    ["[string, number]", type(["string", "number"])],
    ["[string, ...number[]]", type(["string", "...", "number[]"])],
    ['{ t: "a", x: number } | { t: "b" }', type({ t: "'a'", x: "number" }).or({ t: "'b'" })],
  ] as const)("%s, of arktype", (line, schema) => {
    expect(lineOf({ input: schema as never })).toBe(line);
  });

  const text = { type: "string" };
  const page = { type: "object", properties: { x: text } };
  test.each([
    [
      "{ a: string, b?: number }",
      { allOf: [{ ...page, properties: { a: text }, required: ["a"] }, { properties: { b: { type: "number" } } }] },
    ],
    [
      "{ a?: { x?: string }, l?: { x?: string }[] }",
      {
        type: "object",
        properties: { a: { $ref: "#/$defs/A" }, l: { type: "array", items: { $ref: "#/$defs/A" } } },
        $defs: { A: page },
      },
    ],
    ["string", { $ref: "#/definitions/a~1b", definitions: { "a/b": text } }],
    [
      "{ kids?: { kids?: object[] }[] }",
      { type: "object", properties: { kids: { type: "array", items: { $ref: "#" } } } },
    ],
    ["{ a?: any, b?: never }", { type: "object", properties: { a: true, b: false } }],
    ["string | null", { type: ["string", "null"] }],
    ["string | null", { type: "string", nullable: true }],
    ["[string, number]", { type: "array", items: [text, { type: "number" }] }],
    ["{ a?: string }", { properties: { a: text } }],
    ["Record<string, number>", { type: "object", patternProperties: { "^x": { type: "number" } } }],
    [
      "{ a: string } & ({ b: string } | { c: string })",
      {
        type: "object",
        properties: { a: text },
        required: ["a"],
        oneOf: [
          { properties: { b: text }, required: ["b"] },
          { properties: { c: text }, required: ["c"] },
        ],
      },
    ],
    ["string", { anyOf: [text, { type: "string", format: "email" }] }],
    ["any", {}],
  ])("%s, of a JSON Schema", (line, inputJsonSchema) => {
    expect(lineOf({ input: z.any() as never, inputJsonSchema })).toBe(line);
  });

  test("that is too long leaves out descriptions, then inner fields, and says the names as long as it can", () => {
    const inner = z.object(
      Object.fromEntries(
        Array.from({ length: 12 }, (_, n) => [`field${n}`, z.object({ deep: z.string(), wide: z.number() })]),
      ),
    );
    const line = lineOf({ input: z.object({ url: z.string().describe("where"), inner }) as never });
    expect(line).toBe(
      "{ url: string, inner: { field0: object, field1: object, field2: object, field3: object, field4: object, field5: object, field6: object, field7: object, field8: object, field9: object, field10: object, field11: object } }",
    );
    const wide = z.object(Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`field${n}`, z.string()])));
    expect(lineOf({ input: wide as never })).toBe("object with 60 fields");
  });
});
