// Task summary: the fields of a tool result that describe one task: its state in brief, and how it ended.
//
// Texts of a task are in JSON strings here, so they need no quotes. They are shown without invisible characters and are
// cut to the bytes that are left (§12). A long result is paged by its visible characters, which are those that a model
// counts.

import type { Task } from "../../core/live/task.js";
import { failureInWords } from "../../core/task/failure.js";
import { lostInWords } from "../../core/task/lost-output.js";
import type { Output } from "../../core/task/state.js";
import type { Json } from "../../core/values/json.js";
import { isInside } from "../../core/values/safe-read.js";
import { escaped } from "../prompt/escape.js";
import { describeProgress, describeState } from "../prompt/task-line.js";
import { advice, type ToolSet } from "../prompt/tool-names.js";
import { visibleJson } from "../prompt/visible.js";
import type { Caller } from "./caller.js";
import { bytesOf, cut, definedFields, headOf, type Result } from "./fit-to-bytes.js";

const MOST_OF_ID = 96;
const MOST_OF_NAME = 60;

/** The id of a task as a tool result shows it. */
export function idOf({ id }: { readonly id: string }): string {
  return cut(id, MOST_OF_ID) ?? "";
}

/** The name of a task as a tool result shows it; `undefined` without a name. */
export function nameOf({ traits: { name } }: Task, bytes = MOST_OF_NAME): string | undefined {
  return name === undefined ? undefined : cut(name, Math.min(bytes, MOST_OF_NAME));
}

/** Whether the detail of a task contains its questions, or the result shows them in fields of their own. */
type QuestionPlace = "questions" | "questions apart";

/** The state of a task in a few fields. The id and the status are always present; the title only without a name. */
export function summaryOf(caller: Caller, task: Task, place: QuestionPlace, bytes: number): Result {
  const { state, traits, parent } = task;
  const { progress } = state.details;
  const most = Math.min(bytes, MOST_OF_NAME);
  const { requests, registry } = caller.core;
  const knows = (id: string): boolean => {
    const other = registry.byId(id);
    return other !== undefined && caller.owns(other);
  };
  const get = (id: string) => (place === "questions" ? requests.get(id) : undefined);
  const detail = task.isOver ? state.status : describeState(task, { get, knows });
  return definedFields({
    task_id: idOf(task),
    kind: traits.kind === undefined ? undefined : cut(traits.kind, most),
    name: nameOf(task, bytes),
    title: traits.name === undefined ? titleOf(task, most) : undefined,
    status: state.status,
    detail: detail === state.status ? undefined : cut(detail, bytes),
    progress: progress === undefined || task.isOver ? undefined : cut(describeProgress(progress, escaped), bytes),
    attempt: state.attempt > 1 ? state.attempt : undefined,
    under: parent === undefined || bytes < MOST_OF_ID || !caller.owns(parent) ? undefined : idOf(parent),
  });
}
/** The title of a task; `undefined` without a title. */
export function titleOf({ state }: Task, bytes: number): string | undefined {
  const { title } = state.details;
  return title === undefined ? undefined : cut(title, bytes);
}

/**
 * The end of a task: its result, or the beginning of the result and how to read on; no fields while the task lives.
 * `failure` is the failure of a task, and `error` is always a refusal of the tool.
 */
export function endReader(caller: Caller, task: Task): (bytes: number) => Result {
  const { ending, output } = task.state;
  if (!task.isOver || ending === undefined) return () => ({});
  const abandoned = "abandoned" in ending ? { abandoned: true } : {};
  switch (ending.status) {
    case "succeeded":
      return resultReader(caller.tools, output);
    case "failed": {
      const { code } = ending.error;
      const message = failureInWords(ending.error);
      return (bytes) => ({ failure: definedFields({ code, message: cut(message, bytes) }), ...abandoned });
    }
    case "cancelled":
      return (bytes) => definedFields({ reason: cut(ending.reason, bytes), ...abandoned });
    case "interrupted":
      return () => ({ reason: ending.reason, ...abandoned });
    default:
      return ending satisfies never;
  }
}

function resultReader(tools: ToolSet, output: Output | undefined): (bytes: number) => Result {
  if (output === undefined) return () => ({});
  if ("outputOmitted" in output)
    return (bytes) =>
      definedFields({ result_omitted: cut(`only the program can read it: ${output.outputOmitted}`, bytes) });
  if ("outputLost" in output) {
    const lost = `${lostInWords(output.outputLost)}. The work was done; start it again only if its result is needed`;
    return (bytes) => definedFields({ result_omitted: cut(lost, bytes) });
  }
  const seen = visibleJson(output.output);
  const text = textOf(seen);
  return (bytes) => {
    const isWhole = text.length <= bytes && bytesOf(seen) <= bytes;
    return isWhole ? { result: seen } : pageOf(tools, text, 0, bytes);
  };
}

/** The result of a `succeeded` task as text; `undefined` when there is none to read. */
export function resultTextOf({ state: { output } }: Task): string | undefined {
  return output === undefined || !("output" in output) ? undefined : textOf(visibleJson(output.output));
}

/** The text of a result: a string unchanged, and any other value as JSON. */
function textOf(output: Json): string {
  return typeof output === "string" ? output : JSON.stringify(output);
}

/** One page of a result, from the character `after` on. */
export function pageOf(tools: ToolSet, text: string, after: number, bytes: number): Result {
  const from = Math.min(isInside(text, after) ? after - 1 : after, text.length);
  const page = headOf(text.slice(from, from + bytes), bytes);
  const next = from + page.length;
  return {
    result_text: page,
    result_chars: text.length,
    ...(next < text.length ? { result_more: describeMore(tools, next, text.length - next) } : {}),
  };
}

function describeMore(tools: ToolSet, next: number, left: number): string {
  return advice(tools, `get_task with result_after ${next}`, `${left} characters more`);
}
