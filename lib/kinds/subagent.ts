// Subagent: a kind whose work is an agent loop of yours.
//
// The loop's `ctx` is its session: what it spawns, what it is told of it, and its line to whoever started it. How deep subagents start
// subagents, and how many each may have, is limited here and by the manager (H4); their questions are in the manager's inbox, with the path
// of tasks down to who asks.

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import type { TaskKind } from "../core/kinds/kind.js";
import type { RetryOptions } from "../core/task/retry.js";
import { FailureError } from "../core/task/settled.js";
import { checkCount, checkKnown, checkType } from "../core/values/checks.js";
import { didYouMean } from "../core/values/nearest-name.js";
import type { TaskContext } from "../session/session.js";
import { limitedKind } from "./define-kind.js";

export interface SubagentInput {
  prompt: string;
}

export interface SubagentDefinition<In, I> {
  /** Unique in a manager; default `"subagent"`. */
  name?: string | undefined;
  /** What a model reads before it starts one. */
  description?: string | undefined;
  /** Default: `{ prompt: string }`, not empty. */
  input?: StandardSchemaV1<I, In> | undefined;
  /** JSON Schema of the input, for a model, where `input` cannot say it itself. See `KindDefinition`. */
  inputJsonSchema?: { readonly [keyword: string]: unknown } | undefined;
  /**
   * Your loop. `ctx` is its session: `ctx.tools()` for its model, `ctx.nextNotices()` to be woken by what it spawned, `ctx.receive()` for what it is
   * told meanwhile, `ctx.ask()` for a person, `ctx.reportUsage()` for its budget. The text is the result; an empty one fails it with `no_result`.
   */
  loop: (ctx: TaskContext, input: NoInfer<In>) => string | PromiseLike<string>;
  /** How many of this kind may be above one another: an integer ≥ 1 (default 3). A spawn past it is a `LimitExceededError`. */
  maxDepth?: number | undefined;
  /** How many living children each may have: an integer ≥ 0 (default 16). A spawn past it is a `LimitExceededError`. */
  maxChildren?: number | undefined;
  lane?: string | undefined;
  timeoutMs?: number | undefined;
  elapsedTimeoutMs?: number | undefined;
  retry?: RetryOptions | undefined;
  /** Amounts that each start takes from the windows of its lane, when its spawn does not say. */
  weight?: { readonly [unit: string]: number | undefined } | undefined;
}

/** A kind whose work is your agent loop. A message sent to its task steers it: it wakes `ctx.nextNotices`, unless `ctx.receive` has it first. A value: hand it to `TaskManagerOptions.kinds`. */
export function subagent<In = SubagentInput, I = In>(definition: SubagentDefinition<In, I>): TaskKind<I, string> {
  checkType("definition", definition, "object");
  checkKnown("subagent", definition, DEFINITION);
  const { name = "subagent", description, inputJsonSchema, loop, maxDepth = 3, maxChildren = 16 } = definition;
  const { lane, timeoutMs, elapsedTimeoutMs, retry, weight } = definition;
  checkType("loop", loop, "function");
  checkCount("maxDepth", maxDepth, 1);
  checkCount("maxChildren", maxChildren, 0);
  // The default types of `In` and `I` are those of the default schema.
  const input = definition.input ?? (promptSchema as unknown as StandardSchemaV1<I, In>);
  const run = async (ctx: TaskContext, given: In) => {
    const text = await loop(ctx, given);
    if (typeof text === "string" && text.trim() === "")
      throw new FailureError("no_result", "The loop gave an empty text");
    return text;
  };
  const limits = { maxDepth, maxChildren };
  return limitedKind<string, In, I, string, unknown>(
    {
      name,
      description,
      input,
      inputJsonSchema,
      output: textSchema,
      run,
      lane,
      timeoutMs,
      elapsedTimeoutMs,
      retry,
      weight,
    },
    limits,
  );
}

const DEFINITION: ReadonlySet<string> = new Set<keyof SubagentDefinition<never, never>>([
  ...([
    "name",
    "description",
    "input",
    "inputJsonSchema",
    "loop",
    "maxDepth",
    "maxChildren",
    "lane",
    "timeoutMs",
  ] as const),
  ...(["elapsedTimeoutMs", "retry", "weight"] as const),
]);

const VENDOR = "errand";

const promptSchema = {
  "~standard": {
    version: 1,
    vendor: VENDOR,
    validate: (value: unknown) => {
      if (typeof value !== "object" || value === null)
        return { issues: [{ message: "an object with a prompt is needed" }] };
      const { prompt, ...rest } = value as { readonly prompt?: unknown };
      const issues: StandardSchemaV1.Issue[] = Object.keys(rest).map((key) => ({
        message: `there is no field ${JSON.stringify(key)}${didYouMean(key, ["prompt"])}; it has prompt`,
        path: [key],
      }));
      if (typeof prompt !== "string" || prompt.trim() === "")
        issues.push({ message: "a text that is not empty is needed", path: ["prompt"] });
      return issues.length > 0 || typeof prompt !== "string" ? { issues } : { value: { prompt } };
    },
    jsonSchema: { input: () => ({ ...PROMPT }), output: () => ({ ...PROMPT }) },
  },
} satisfies StandardSchemaV1<unknown, SubagentInput> & StandardJSONSchemaV1<unknown, SubagentInput>;

const PROMPT = {
  type: "object",
  properties: { prompt: { type: "string", minLength: 1 } },
  required: ["prompt"],
  additionalProperties: false,
};

const textSchema: StandardSchemaV1<string, string> = {
  "~standard": {
    version: 1,
    vendor: VENDOR,
    validate: (value) => {
      if (typeof value !== "string") return { issues: [{ message: "the loop must give a text" }] };
      return { value };
    },
  },
};
