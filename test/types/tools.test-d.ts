// Types: the JSON Schema of a tool is what clients of models take, without a cast (§9, §13).

import type { TaskTool } from "errand";
import { expectTypeOf, test } from "vitest";

// The types of clients, as their packages have them: copied, because none of them is installed here.
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
/** A part of `JSONSchema7`, as the AI SDK takes it: every keyword may be left out. */
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
