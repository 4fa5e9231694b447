// Task line: describes a living task in a short line for a model: its name, what it waits for, and its progress.
//
// Owns no state and reads no clock: the line contains instants but no durations, so it stays the same while nothing
// changes. The texts of a task are quoted and bounded (§12).

import type { Requests } from "../../core/inbox/requests.js";
import type { Task } from "../../core/live/task.js";
import { failureInWords } from "../../core/task/failure.js";
import type { Progress, Wait } from "../../core/task/record.js";
import type { InboxRequest } from "../../core/task/request.js";
import { isParked } from "../../core/task/state.js";
import { escaped, plainOrQuoted, quoted } from "./escape.js";

const MOST_OF_ID = 80;
const MOST_OF_LABEL = 80;
const MOST_OF_QUESTION = 160;
const MOST_OF_CHOICE = 40;
/** The most waits, tasks of one wait, and choices in a line. `get_task` shows the remaining ones. */
const MOST_NAMED = 4;

/** Finds the questions and other tasks that a line mentions. */
interface Lookups extends Pick<Requests, "get"> {
  /** Whether the reader may know the task with this id. Without it the reader may know all tasks. */
  readonly knows?: (taskId: string) => boolean;
}

/** An id as the view and notices show it, without quotes. */
export function shownId(id: string): string {
  return escaped(id, MOST_OF_ID);
}

/** An id for a sentence: quoted unless it is plain. */
export function idInText(id: string): string {
  return plainOrQuoted(id, MOST_OF_ID);
}

/** The id, the name, the title and the kind of a task: `task_1 "scout: Find sources" (crawl)`. */
export function describeTask({ id, traits, state }: Task): string {
  const label = [traits.name, state.details.title].filter((text) => text !== undefined).join(": ");
  const kind = traits.kind === undefined ? "" : ` (${plainOrQuoted(traits.kind, MOST_OF_LABEL)})`;
  return `${idInText(id)}${label === "" ? "" : ` ${quoted(label, MOST_OF_LABEL)}`}${kind}`;
}

/** The state of a task: its status, or more, such as `asks request_1 "Which year?"`. */
export function describeState(task: Task, lookups: Lookups): string {
  const { state, heldUntil } = task;
  if (state.stop !== undefined) return "stopping";
  const { notBeforeAt, lastError } = state.details;
  if (state.status === "queued" && notBeforeAt !== undefined && lastError !== undefined)
    return `failed: ${quoted(failureInWords(lastError), MOST_OF_LABEL)}, waits to be tried again`;
  if (heldUntil !== undefined) return describeWait({ on: "rate", untilAt: heldUntil }, lookups);
  if (state.status !== "blocked" && !isParked(state)) return state.status;
  const waits: string[] = [];
  for (const wait of state.blockedOn) {
    const text = describeWait(wait, lookups);
    if (waits.includes(text)) continue;
    if (waits.length === MOST_NAMED) return `${waits.join(", ")}, and more`;
    waits.push(text);
  }
  return waits.length > 0 ? waits.join(", ") : state.status;
}

function describeWait(wait: Wait, lookups: Lookups): string {
  switch (wait.on) {
    case "input": {
      const request = lookups.get(wait.requestId);
      return request === undefined ? `waits for an answer to ${idInText(wait.requestId)}` : describeQuestion(request);
    }
    case "tasks":
      return `waits for ${describeIds(wait.taskIds, lookups)}`;
    case "children":
      return `has returned, waits for ${describeIds(wait.taskIds, lookups)} below it`;
    case "message":
      return "waits for a message";
    case "time":
      return "waits for its time";
    case "notice":
      return "waits for notices";
    case "kind":
      return `waits for a process that knows the kind ${idInText(wait.kind)}`;
    case "process":
      return `waits for the task of this id in another process (instance ${idInText(wait.instanceId)})`;
    case "lane":
      return `waits for a process that has the lane ${idInText(wait.lane)}`;
    case "slot":
      return "waits for a slot";
    case "rate":
      return `queued, waits for the rate of its lane until ${describeInstant(wait.untilAt)}`;
    default:
      return wait satisfies never;
  }
}

/** An instant as an ISO date: the text is the same at each reading. */
function describeInstant(at: number): string {
  return new Date(Math.min(at, LAST_DATE)).toISOString();
}
/** The last instant of a `Date`, in epoch milliseconds. */
const LAST_DATE = 8.64e15;

function describeIds(ids: readonly string[], { knows }: Lookups): string {
  const known = knows === undefined ? ids : ids.filter(knows);
  if (known.length === 0) return "others";
  const first = known.slice(0, MOST_NAMED).map(idInText).join(", ");
  return known.length > MOST_NAMED ? `${first} and ${known.length - MOST_NAMED} more` : first;
}

/** A question as a model reads it. For an approval the text says that a person gives it (A5). */
function describeQuestion({ id, kind, question, choices = [] }: InboxRequest): string {
  const asked = `${idInText(id)} ${quoted(question, MOST_OF_QUESTION)}`;
  if (kind === "approval") return `waits until a person approves ${asked}`;
  return choices.length === 0 ? `asks ${asked}` : `asks ${asked} (${describeChoices(choices)})`;
}

/** The choices of a question: `one of "eu", "us"`. */
export function describeChoices(choices: readonly string[]): string {
  const first = choices.slice(0, MOST_NAMED).map((choice) => quoted(choice, MOST_OF_CHOICE));
  const more = choices.length > MOST_NAMED ? ` and ${choices.length - MOST_NAMED} more` : "";
  return `one of ${first.join(", ")}${more}`;
}

/**
 * Progress as text, such as `3 of 10 "pages: reading"`; `""` without any field. `escape` makes the texts of the task
 * safe.
 */
export function describeProgress({ current, total, unit, label }: Progress, escape: typeof quoted = quoted): string {
  const amount = [current, total].filter((number) => number !== undefined).join(" of ");
  const what = [unit, label].filter((text) => text !== undefined && text !== "").join(": ");
  return [amount, what === "" ? "" : escape(what, MOST_OF_LABEL)].filter((text) => text !== "").join(" ");
}
