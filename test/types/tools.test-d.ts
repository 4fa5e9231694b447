// Types of tools: clients of models accept the JSON Schema of a tool without a cast (§9, §13).

import type { TaskTool } from "errand";
import { expectTypeOf, test } from "vitest";

// The types of the clients are copied from their packages, because none of them is installed here.
/** `Tool.InputSchema` of @anthropic-ai/sdk. */
interface AnthropicInput {
  type: "object";
  properties?: unknown;
  required?: string[] | null;
  [k: string]: unknown;
}
/** `JsonObjectSchemaStrict`, and the other one, of @openai/agents. */
interface OpenAiStrict<P extends Record<string, Record<string, unknown>>> {
  type: "object";
  properties: P;
  required: (keyof P)[];
  additionalProperties: false;
  description?: string;
}
interface OpenAiLoose<P extends Record<string, Record<string, unknown>>> {
  type: "object";
  properties: P;
  required: (keyof P)[];
  additionalProperties: true;
}
/** `Tool.inputSchema` of @modelcontextprotocol/sdk. */
interface McpInput {
  [x: string]: unknown;
  type: "object";
  properties?: { [x: string]: object };
  required?: string[];
}
/** A part of `JSONSchema7` of the AI SDK: every keyword is optional. */
interface Schema7 {
  $id?: string;
  type?: "string" | "number" | "integer" | "boolean" | "object" | "array" | "null";
  properties?: { [key: string]: Schema7 | boolean };
  required?: string[];
  additionalProperties?: Schema7 | boolean;
}

test("§9 a tool's JSON Schema is taken by each client as it is", () => {
  type Schema = ReturnType<TaskTool["inputSchema"]["toJSON"]>;
  expectTypeOf<Schema>().toExtend<AnthropicInput>();
  expectTypeOf<Schema>().toExtend<OpenAiStrict<Record<string, Record<string, unknown>>>>();
  expectTypeOf<Omit<Schema, "additionalProperties"> & { additionalProperties: true }>().toExtend<
    OpenAiLoose<Record<string, Record<string, unknown>>>
  >();
  expectTypeOf<Schema>().toExtend<McpInput>();
  expectTypeOf<Schema>().toExtend<Schema7>();
  expectTypeOf<Schema["type"]>().toEqualTypeOf<"object">();
  expectTypeOf<Schema["required"]>().toEqualTypeOf<string[]>();
});
