// Standing: how a living task stands, in short words that a model reads: who it is, what it waits for, how far it has come.
//
// Pure reading: says no time of now and no duration, so that the words stay the same while nothing happens; an instant stays what it is.
// Every word of a task's own is quoted and bounded.

import type { Requests } from "../../core/inbox/requests.js";
import type { Task } from "../../core/live/task.js";
import { failureInWords } from "../../core/task/failure.js";
import type { Progress, Wait } from "../../core/task/record.js";
import type { InboxRequest } from "../../core/task/request.js";
import { isParked } from "../../core/task/state.js";
import { escaped, named, quoted } from "./escape.js";

const MOST_OF_ID = 80;
const MOST_OF_LABEL = 80;
const MOST_OF_QUESTION = 160;
const MOST_OF_CHOICE = 40;
/** Of waits, of tasks in one, of choices: what follows is read with `get_task`. */
const MOST_NAMED = 4;

/** Words that may stand beside a task: its questions, and other tasks. */
interface Beside extends Pick<Requests, "get"> {
  /** Whether the reader may know of the task with this id; left out, of all. */
  readonly knows?: (taskId: string) => boolean;
}

/** The form that the view and notices show, without quotes. */
export function shownId(id: string): string {
  return escaped(id, MOST_OF_ID);
}

/** Quoted, unless it is plain. */
export function idOf(id: string): string {
  return named(id, MOST_OF_ID);
}

/** `task_1 "scout: Find sources" (crawl)`. */
export function nameInWords({ id, traits, state }: Task): string {
  const label = [traits.name, state.details.title].filter((text) => text !== undefined).join(": ");
  const kind = traits.kind === undefined ? "" : ` (${named(traits.kind, MOST_OF_LABEL)})`;
  return `${idOf(id)}${label === "" ? "" : ` ${quoted(label, MOST_OF_LABEL)}`}${kind}`;
}

/** Its status, or what says more: `asks request_1 "Which year?"`. */
export function standingInWords(task: Task, beside: Beside): string {
  const { state, heldUntil } = task;
  if (state.stop !== undefined) return "stopping";
  const { notBeforeAt, lastError } = state.details;
  if (state.status === "queued" && notBeforeAt !== undefined && lastError !== undefined)
    return `failed: ${quoted(failureInWords(lastError), MOST_OF_LABEL)}, waits to be tried again`;
  if (heldUntil !== undefined) return waitInWords({ on: "rate", untilAt: heldUntil }, beside);
  if (state.status !== "blocked" && !isParked(state)) return state.status;
  const words: string[] = [];
  for (const wait of state.blockedOn) {
    const said = waitInWords(wait, beside);
    if (words.includes(said)) continue;
    if (words.length === MOST_NAMED) return `${words.join(", ")}, and more`;
    words.push(said);
  }
  return words.length > 0 ? words.join(", ") : state.status;
}

function waitInWords(wait: Wait, beside: Beside): string {
  switch (wait.on) {
    case "input": {
      const request = beside.get(wait.requestId);
      return request === undefined ? `waits for an answer to ${idOf(wait.requestId)}` : questionInWords(request);
    }
    case "tasks":
      return `waits for ${idsInWords(wait.taskIds, beside)}`;
    case "children":
      return `has returned, waits for ${idsInWords(wait.taskIds, beside)} below it`;
    case "message":
      return "waits for a message";
    case "time":
      return "waits for its time";
    case "notice":
      return "waits for notices";
    case "kind":
      return `waits for a process that knows the kind ${idOf(wait.kind)}`;
    case "process":
      return `waits for the task of this id in another process (instance ${idOf(wait.instanceId)})`;
    case "lane":
      return `waits for a process that has the lane ${idOf(wait.lane)}`;
    case "slot":
      return "waits for a slot";
    case "rate":
      return `queued, waits for the rate of its lane until ${instantInWords(wait.untilAt)}`;
    default:
      return wait satisfies never;
  }
}

/** An instant is the same whenever it is read. */
function instantInWords(at: number): string {
  return new Date(Math.min(at, LAST_DATE)).toISOString();
}
/** The last instant that a date can say. */
const LAST_DATE = 8.64e15;

function idsInWords(ids: readonly string[], { knows }: Beside): string {
  const known = knows === undefined ? ids : ids.filter(knows);
  if (known.length === 0) return "others";
  const first = known.slice(0, MOST_NAMED).map(idOf).join(", ");
  return known.length > MOST_NAMED ? `${first} and ${known.length - MOST_NAMED} more` : first;
}

/** A5: an approval is said to be a person's. */
function questionInWords({ id, kind, question, choices = [] }: InboxRequest): string {
  const asked = `${idOf(id)} ${quoted(question, MOST_OF_QUESTION)}`;
  if (kind === "approval") return `waits until a person approves ${asked}`;
  return choices.length === 0 ? `asks ${asked}` : `asks ${asked} (${choicesInWords(choices)})`;
}

/** `one of "eu", "us"`. */
export function choicesInWords(choices: readonly string[]): string {
  const first = choices.slice(0, MOST_NAMED).map((choice) => quoted(choice, MOST_OF_CHOICE));
  const more = choices.length > MOST_NAMED ? ` and ${choices.length - MOST_NAMED} more` : "";
  return `one of ${first.join(", ")}${more}`;
}

/** `3 of 10 pages: reading`, with the task's own words as `say` has them; empty when it says nothing. */
export function progressInWords({ current, total, unit, label }: Progress, say: typeof quoted = quoted): string {
  const amount = [current, total].filter((number) => number !== undefined).join(" of ");
  const what = [unit, label].filter((text) => text !== undefined && text !== "").join(": ");
  return [amount, what === "" ? "" : say(what, MOST_OF_LABEL)].filter((text) => text !== "").join(" ");
}
