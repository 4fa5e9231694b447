// Task facts: what tools tell of a task: in brief, and how it ended.
//
// Its words are only ever inside the strings of a result, which JSON keeps apart: they need no quotes. What nobody sees of them is left out
// (§12), and they are cut to the room there is. A long result is paged as it is seen, so that the places in it are those that a model counts.

import type { Task } from "../../core/live/task.js";
import { failureInWords } from "../../core/task/failure.js";
import { lostInWords } from "../../core/task/lost-output.js";
import type { Output } from "../../core/task/state.js";
import type { Json } from "../../core/values/json.js";
import { isInside } from "../../core/values/safe-read.js";
import { escaped } from "../prompt/escape.js";
import { progressInWords, standingInWords } from "../prompt/task-line.js";
import { advice, type ToolSet } from "../prompt/tool-names.js";
import { visibleJson } from "../prompt/visible.js";
import type { Host } from "./caller.js";
import { bytesOf, cut, headOf, present, type Result } from "./fit-to-bytes.js";

const MOST_OF_ID = 96;
const MOST_OF_NAME = 60;

/** The form that a result has. */
export function idOf({ id }: { readonly id: string }): string {
  return cut(id, MOST_OF_ID) ?? "";
}

/** The form that a result has. */
export function nameOf({ traits: { name } }: Task, room = MOST_OF_NAME): string | undefined {
  return name === undefined ? undefined : cut(name, Math.min(room, MOST_OF_NAME));
}

/** Words beside a task: what it asks, unless the result has that `apart`. */
type Telling = "questions" | "questions apart";

/** The task and how it stands: a few fields, of which only the id and the status are always there; a title where there is no name. */
export function inBrief(host: Host, task: Task, telling: Telling, room: number): Result {
  const { state, traits, parent } = task;
  const { progress } = state.details;
  const most = Math.min(room, MOST_OF_NAME);
  const { requests, registry } = host.core;
  const knows = (id: string): boolean => {
    const other = registry.byId(id);
    return other !== undefined && host.owns(other);
  };
  const get = (id: string) => (telling === "questions" ? requests.get(id) : undefined);
  const standing = task.isOver ? state.status : standingInWords(task, { get, knows });
  return present({
    task_id: idOf(task),
    kind: traits.kind === undefined ? undefined : cut(traits.kind, most),
    name: nameOf(task, room),
    title: traits.name === undefined ? titleOf(task, most) : undefined,
    status: state.status,
    detail: standing === state.status ? undefined : cut(standing, room),
    progress: progress === undefined || task.isOver ? undefined : cut(progressInWords(progress, escaped), room),
    attempt: state.attempt > 1 ? state.attempt : undefined,
    under: parent === undefined || room < MOST_OF_ID || !host.owns(parent) ? undefined : idOf(parent),
  });
}
export function titleOf({ state }: Task, room: number): string | undefined {
  const { title } = state.details;
  return title === undefined ? undefined : cut(title, room);
}

/**
 * How a task that is over ended: its result as it is, or the beginning of it and how to read on. Nothing of one that lives.
 * `failure` is a task's; `error` is always a refusal of the tool.
 */
export function endReader(host: Host, task: Task): (room: number) => Result {
  const { outcome, output } = task.state;
  if (!task.isOver || outcome === undefined) return () => ({});
  const abandoned = "abandoned" in outcome ? { abandoned: true } : {};
  switch (outcome.status) {
    case "succeeded":
      return resultReader(host.tools, output);
    case "failed": {
      const { code } = outcome.error;
      const message = failureInWords(outcome.error);
      return (room) => ({ failure: present({ code, message: cut(message, room) }), ...abandoned });
    }
    case "cancelled":
      return (room) => present({ reason: cut(outcome.reason, room), ...abandoned });
    case "interrupted":
      return () => ({ reason: outcome.reason, ...abandoned });
    default:
      return outcome satisfies never;
  }
}

function resultReader(tools: ToolSet, output: Output | undefined): (room: number) => Result {
  if (output === undefined) return () => ({});
  if ("outputOmitted" in output)
    return (room) => present({ result_omitted: cut(`only the program can read it: ${output.outputOmitted}`, room) });
  if ("outputLost" in output) {
    const lost = `${lostInWords(output.outputLost)}. The work was done; start it again only if its result is needed`;
    return (room) => present({ result_omitted: cut(lost, room) });
  }
  const seen = visibleJson(output.output);
  const text = textOf(seen);
  return (room) => {
    const isWhole = text.length <= room && bytesOf(seen) <= room;
    return isWhole ? { result: seen } : pageOf(tools, text, 0, room);
  };
}

/** Of a `succeeded` task. */
export function resultTextOf({ state: { output } }: Task): string | undefined {
  return output === undefined || !("output" in output) ? undefined : textOf(visibleJson(output.output));
}

/** What is paged: a text as it is, anything else as JSON. */
function textOf(output: Json): string {
  return typeof output === "string" ? output : JSON.stringify(output);
}

/** From the character `after` on. */
export function pageOf(tools: ToolSet, text: string, after: number, room: number): Result {
  const from = Math.min(isInside(text, after) ? after - 1 : after, text.length);
  const page = headOf(text.slice(from, from + room), room);
  const next = from + page.length;
  return {
    result_text: page,
    result_chars: text.length,
    ...(next < text.length ? { result_more: moreInWords(tools, next, text.length - next) } : {}),
  };
}

function moreInWords(tools: ToolSet, next: number, left: number): string {
  return advice(tools, `get_task with result_after ${next}`, `${left} characters more`);
}
