// Subagent: a kind whose work is an agent loop of the user.
//
// The `ctx` of the loop is its session: it spawns tasks, receives their notices, and exchanges messages with the owner
// of its task. The depth of nested subagents and the number of children of each are limited here and by the manager
// (H4). Questions of a subagent appear in the inbox of the manager, with the path of tasks down to the asking task.

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import type { TaskKind } from "../core/kinds/kind.js";
import type { RetryOptions } from "../core/task/retry.js";
import { FailureError } from "../core/task/settled.js";
import { checkCount, checkKnown, checkType } from "../core/values/checks.js";
import { didYouMean } from "../core/values/nearest-name.js";
import type { TaskContext } from "../session/session.js";
import { limitedKind } from "./define-kind.js";

/** The default input of a subagent. */
export interface SubagentInput {
  /** The assignment, not empty. */
  prompt: string;
}

/** The options of `subagent`. `I` and `In` are the input before and after its schema. */
export interface SubagentDefinition<In, I> {
  /** Unique in a manager; default `"subagent"`. */
  name?: string | undefined;
  /** A text for models that choose among kinds. */
  description?: string | undefined;
  /** The schema of the input. Default: `{ prompt: string }`, not empty. */
  input?: StandardSchemaV1<I, In> | undefined;
  /** JSON Schema of the input, for a model, when `input` provides none. See `KindDefinition`. */
  inputJsonSchema?: { readonly [keyword: string]: unknown } | undefined;
  /**
   * The agent loop. `ctx` is its session: `ctx.tools()` for its model, `ctx.nextNotices()` for news of the tasks that
   * it spawned, `ctx.receive()` for messages, `ctx.ask()` for a question to a person, `ctx.reportUsage()` for its
   * budget. The returned text is the result; an empty text fails the task with `no_result`.
   */
  loop: (ctx: TaskContext, input: NoInfer<In>) => string | PromiseLike<string>;
  /**
   * The largest number of tasks of this kind in one line of descent: an integer ≥ 1; default 3. A deeper spawn throws
   * `LimitExceededError`.
   */
  maxDepth?: number | undefined;
  /**
   * The largest number of active children of each task: an integer ≥ 0; default 16. A spawn of one more throws
   * `LimitExceededError`.
   */
  maxChildren?: number | undefined;
  /** The default lane of spawns of this kind. */
  lane?: string | undefined;
  /** The default of the spawn option `timeoutMs`, in milliseconds. */
  timeoutMs?: number | undefined;
  /** The default of the spawn option `elapsedTimeoutMs`, in milliseconds. */
  elapsedTimeoutMs?: number | undefined;
  /** The default `retry` of spawns of this kind. */
  retry?: RetryOptions | undefined;
  /**
   * The default weight of spawns of this kind, by unit. Each start takes these amounts from the windows of its lane.
   */
  weight?: { readonly [unit: string]: number | undefined } | undefined;
}

/**
 * A kind whose work is your agent loop. A message to its task wakes `ctx.nextNotices`, unless `ctx.receive` takes the
 * message first. To start it by name, list it in `TaskManagerOptions.kinds`. Throws a `TypeError` or `RangeError` that
 * names an option that does not fit.
 *
 * @example
 * ```ts
 * import { TaskManager } from "errand";
 * import { subagent } from "errand/kinds";
 *
 * const research = subagent({
 *   name: "research",
 *   loop: async (ctx, { prompt }) => {
 *     ctx.reportUsage({ outputTokens: 12 }); // your loop calls its model here, with ctx.tools()
 *     return `notes about ${prompt}`;
 *   },
 * });
 * console.log(await new TaskManager().spawn(research, { input: { prompt: "lakes" } }).result()); // notes about lakes
 * ```
 */
export function subagent<In = SubagentInput, I = In>(
  definition: SubagentDefinition<In, I>,
): TaskKind<NoInfer<I>, string> {
  checkType("definition", definition, "object");
  checkKnown("subagent", definition, DEFINITION);
  const { name = "subagent", description, inputJsonSchema, loop, maxDepth = 3, maxChildren = 16 } = definition;
  const { lane, timeoutMs, elapsedTimeoutMs, retry, weight } = definition;
  checkType("loop", loop, "function");
  checkCount("maxDepth", maxDepth, 1);
  checkCount("maxChildren", maxChildren, 0);
  // The cast is safe: the default types of `In` and `I` are the types of the default schema.
  const input = definition.input ?? (promptSchema as unknown as StandardSchemaV1<I, In>);
  const run = async (ctx: TaskContext, given: In) => {
    const text = await loop(ctx, given);
    if (typeof text === "string" && text.trim() === "")
      throw new FailureError("no_result", "The loop of the subagent returned an empty text: it must return its result");
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
