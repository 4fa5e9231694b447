// spawn_task: a model starts work of a kind. It has a receipt at once, or the result if that comes soon enough.

import type { Task } from "../../core/live/task.js";
import type { SpawnOptions } from "../../core/spawn/spawn-options.js";
import { isErrandError, issuesInWords } from "../../core/task/errors.js";
import type { KindParts } from "../../core/task/kind-parts.js";
import type { Json } from "../../core/values/json.js";
import { taskOf } from "./address.js";
import { handed, wait, wakeInWords } from "./caller.js";
import { fitted, present, type Result } from "./fit-to-bytes.js";
import { inputSchemaOf, isSelfContained, kindInWords, needsInput, takesNoInput } from "./kind-signature.js";
import { questionsOf } from "./open-questions.js";
import { Refused } from "./refusals.js";
import { endReader, idOf } from "./task-summary.js";
import { type Calling, type Setting, type TaskTool, taskTool } from "./tool.js";
import { anything, type Field, integer, oneOf, optional, text } from "./tool-schema.js";

const LONGEST_WAIT_MS = 600_000;
/** A name is shown whole, so that it is an address. */
const LONGEST_NAME = 60;
const LONGEST_TITLE = 200;
/** Bytes of the JSON of an input: a record and its journal keep it. */
const LONGEST_INPUT = 1_000_000;

export function spawnTask(kinds: readonly KindParts[], defaults: Defaults, setting: Setting): TaskTool {
  const listed = kinds.map((kind) => `- ${kindInWords(kind)}`).join("\n");
  return taskTool(
    {
      name: "spawn_task",
      description: `Start work that goes on in the background while you do other things. Kinds:\n${listed}`,
      fields: {
        kind: oneOf(kinds.map(({ name }) => name)),
        ...inputField(kinds),
        name: optional(text(LONGEST_NAME, "Short, unique among living tasks: an address like its task_id")),
        title: optional(text(LONGEST_TITLE, "What it is about, in a line")),
        wait_ms: optional(integer(0, LONGEST_WAIT_MS, "Wait for the result first, so long at most")),
      },
      run: async ({ kind, input, name, title, wait_ms: timeoutMs = 0 }, calling) => {
        const { host, callId, signal } = calling;
        const { seq } = host.core.loop;
        const parts = host.core.kinds.named(kind);
        const options = { ...defaults, wake: defaults.wake ?? "onActivity", name, title, callId };
        const { id } = spawned(parts, input, (given) => host.spawn(kind, { ...options, input: given }));
        const task = taskOf(host, id);
        const isNew = task.madeSeq > seq;
        if (timeoutMs > 0) await wait(host, [task], { timeoutMs, stopOnRequest: true, signal });
        return receiptFor(task, { isNew, hasWaited: timeoutMs > 0 }, calling);
      },
    },
    setting,
  );
}

type Defaults = Omit<SpawnOptions<string>, "parent">;

interface Spawned {
  /** `false`: the same call had spawned it before. */
  readonly isNew: boolean;
  readonly hasWaited: boolean;
}

interface Id {
  readonly id: string;
}

/** A refusal says what the kind takes: its description was long ago, in the model's time. */
function spawned(parts: KindParts, input: Json | undefined, spawn: (input: unknown) => Id): Id {
  try {
    return spawn(unwrapped(parts, input));
  } catch (error) {
    if (!isErrandError(error, "INVALID_INPUT")) throw error;
    const said = input === undefined ? "input is missing" : `input does not fit: ${issuesInWords(error.issues)}`;
    throw new Refused(said, `Nothing was started. It takes ${kindInWords(parts)}`);
  }
}

/** An object that a model wrote as a text of JSON is meant to be one, and an empty one where there is nothing to say as nothing. */
function unwrapped(parts: KindParts, input: Json | undefined): unknown {
  if (input === undefined) return input;
  if (takesNoInput(parts) && ["{}", '"{}"', '""'].includes(JSON.stringify(input))) return undefined;
  if (JSON.stringify(input).length > LONGEST_INPUT)
    throw new Refused(
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

/** What is so, and no more: that it goes on, and whether anything will tell of its end. */
function receiptFor(task: Task, { isNew, hasWaited }: Spawned, { host, maxBytes }: Calling): Result {
  const notes = isNew ? [] : ["This call started it before: nothing new was started."];
  if (!task.isOver) {
    notes.push(hasWaited ? "Not done yet: the same work goes on in the background." : "It runs in the background.");
    notes.push(wakeInWords(host, [task]));
  }
  handed(host, task);
  const end = endReader(host, task);
  const questions = questionsOf(host, [task]);
  const note = notes.filter((each) => each !== "").join(" ");
  return fitted(maxBytes, (room) =>
    present({
      task_id: idOf(task),
      status: task.state.status,
      ...end(room),
      ...questions(room),
      note: note === "" ? undefined : note,
    }),
  );
}

/** Required when none of the kinds can be started without it, and not there when none takes one. */
function inputField(kinds: readonly KindParts[]): { readonly input?: Field<Json | undefined> } {
  const takers = kinds.filter((kind) => !takesNoInput(kind));
  if (takers.length === 0) return {};
  const [only] = kinds;
  const takes =
    kinds.length === 1 && only !== undefined ? `It takes ${kindInWords(only)}` : "Each kind says what it takes";
  const input = anything((target) => inputFor(takers, target), `input is missing. ${takes}`);
  return { input: kinds.every(needsInput) ? input : optional(input) };
}

/** Of one kind alone, its own, so that a client can hold the model to it; of several, what they have in common. */
function inputFor(kinds: readonly KindParts[], target: string): { readonly [key: string]: Json } {
  const schemas = kinds.map((kind) => inputSchemaOf(kind, target));
  const [first] = schemas;
  if (schemas.length === 1 && first !== undefined && isSelfContained(first)) return first;
  const isObject = schemas.every((schema) => schema?.type === "object");
  return { ...(isObject ? { type: "object" } : {}), description: "As its kind says" };
}
