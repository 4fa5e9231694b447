// spawn_task: a model starts a task of a kind. It gets a receipt at once, or the result when the task ends in time.

import type { Task } from "../../core/live/task.js";
import type { AnySpawnOptions } from "../../core/spawn/spawn-options.js";
import { isErrandError, issuesInWords } from "../../core/task/errors.js";
import type { KindParts } from "../../core/task/kind-parts.js";
import type { Json } from "../../core/values/json.js";
import { visible } from "../prompt/visible.js";
import { taskOf } from "./address.js";
import { describeWake, markShown, wait } from "./caller.js";
import { definedFields, fitToBytes, type Result } from "./fit-to-bytes.js";
import { describeKind, inputSchemaOf, isSelfContained, needsInput, takesNoInput } from "./kind-signature.js";
import { questionsOf } from "./open-questions.js";
import { ToolRefusal } from "./refusals.js";
import { endReader, idOf } from "./task-summary.js";
import { type Execution, type Setting, type TaskTool, taskTool } from "./tool.js";
import { anything, type Field, integer, oneOf, optional, text } from "./tool-schema.js";

const LONGEST_WAIT_MS = 600_000;
/** The most characters of a name. A name is shown whole, because it is an address. */
const LONGEST_NAME = 60;
const LONGEST_TITLE = 200;
/** The most characters of an input as JSON: the record and the journal keep it. */
const LONGEST_INPUT = 1_000_000;

/** Makes the tool `spawn_task` for `kinds`, with `defaults` for the options that the model does not set. */
export function spawnTask(kinds: readonly KindParts[], defaults: Defaults, setting: Setting): TaskTool {
  /** The kinds, by their names as the model reads them. */
  const byName = new Map(kinds.map((kind) => [visible(kind.name), kind]));
  const listed = kinds.map((kind) => `- ${describeKind(kind)}`).join("\n");
  return taskTool(
    {
      name: "spawn_task",
      description: `Start work that goes on in the background while you do other things. Kinds:\n${listed}`,
      fields: {
        kind: oneOf([...byName.keys()]),
        ...inputField(kinds),
        name: optional(text(LONGEST_NAME, "Short, unique among living tasks: an address like its task_id")),
        title: optional(text(LONGEST_TITLE, "What it is about, in a line")),
        wait_ms: optional(integer(0, LONGEST_WAIT_MS, "Wait for the result first, so long at most")),
      },
      run: async ({ kind, input, name, title, wait_ms: timeoutMs = 0 }, execution) => {
        const { caller, callId, signal } = execution;
        const { seq } = caller.core.loop;
        const parts = byName.get(kind) ?? caller.core.kinds.named(kind);
        const options = { ...defaults, wake: defaults.wake ?? "onActivity", name, title, callId };
        const { id } = spawnOrRefuse(parts, input, (given) => caller.spawn(parts.name, { ...options, input: given }));
        const task = taskOf(caller, id);
        const isNew = task.madeSeq > seq;
        if (timeoutMs > 0) await wait(caller, [task], { timeoutMs, stopOnRequest: true, signal });
        return receiptFor(task, { isNew, hasWaited: timeoutMs > 0 }, execution);
      },
    },
    setting,
  );
}

type Defaults = Omit<AnySpawnOptions<string>, "parent">;

interface SpawnFacts {
  /** `false`: an earlier execution of the same call spawned the task. */
  readonly isNew: boolean;
  readonly hasWaited: boolean;
}

interface Id {
  readonly id: string;
}

/** Spawns the task. A refusal of its input repeats what the kind takes, because the description may be far back. */
function spawnOrRefuse(parts: KindParts, input: Json | undefined, spawn: (input: unknown) => Id): Id {
  try {
    return spawn(unwrapInput(parts, input));
  } catch (error) {
    if (!isErrandError(error, "INVALID_INPUT")) throw error;
    const said = input === undefined ? "input is missing" : `input does not fit: ${issuesInWords(error.issues)}`;
    throw new ToolRefusal(said, `Nothing was started. It takes ${describeKind(parts)}`);
  }
}

/**
 * The input that the model means. JSON text is parsed where the kind takes an object, and an empty object is no input
 * where the kind takes none.
 */
function unwrapInput(parts: KindParts, input: Json | undefined): unknown {
  if (input === undefined) return input;
  if (takesNoInput(parts) && ["{}", '"{}"', '""'].includes(JSON.stringify(input))) return undefined;
  if (JSON.stringify(input).length > LONGEST_INPUT)
    throw new ToolRefusal(
      `input must be at most ${LONGEST_INPUT} characters of JSON`,
      "Nothing was started. Put what is long in a file, and say where it is",
    );
  if (typeof input !== "string" || inputSchemaOf(parts)?.type !== "object") return input;
  try {
    const parsed: unknown = JSON.parse(input);
    return typeof parsed === "object" && parsed !== null ? parsed : input;
  } catch {
    return input;
  }
}

/** The receipt: the status of the task, its end when it has ended, and whether its end will be notified. */
function receiptFor(task: Task, { isNew, hasWaited }: SpawnFacts, { caller, maxBytes }: Execution): Result {
  const notes = isNew ? [] : ["This call started it before: nothing new was started."];
  if (!task.isOver) {
    notes.push(hasWaited ? "Not done yet: the same work goes on in the background." : "It runs in the background.");
    notes.push(describeWake(caller, [task]));
  }
  markShown(caller, task);
  const end = endReader(caller, task);
  const questions = questionsOf(caller, [task]);
  const note = notes.filter((each) => each !== "").join(" ");
  return fitToBytes(maxBytes, (bytes) =>
    definedFields({
      task_id: idOf(task),
      status: task.state.status,
      ...end(bytes),
      ...questions(bytes),
      note: note === "" ? undefined : note,
    }),
  );
}

/** The field `input`: required when every kind needs an input, and missing when no kind takes one. */
function inputField(kinds: readonly KindParts[]): { readonly input?: Field<Json | undefined> } {
  const takers = kinds.filter((kind) => !takesNoInput(kind));
  if (takers.length === 0) return {};
  const [only] = kinds;
  const takes =
    kinds.length === 1 && only !== undefined ? `It takes ${describeKind(only)}` : "Each kind says what it takes";
  const input = anything((target) => inputFor(takers, target), `input is missing. ${takes}`);
  return { input: kinds.every(needsInput) ? input : optional(input) };
}

/**
 * The schema of the input: that of a single kind, so that a client can enforce it; for several kinds their common part.
 */
function inputFor(kinds: readonly KindParts[], target: string): { readonly [key: string]: Json } {
  const schemas = kinds.map((kind) => inputSchemaOf(kind, target));
  const [first] = schemas;
  if (schemas.length === 1 && first !== undefined && isSelfContained(first)) return first;
  const isObject = schemas.every((schema) => schema?.type === "object");
  return { ...(isObject ? { type: "object" } : {}), description: "As its kind says" };
}
