// Notice words: what happened to a task, in one line that a model reads.
//
// What a task says of itself is data that nobody vouches for: it stands quoted, bounded and escaped, and cannot end its line or its fence.

import type { Task } from "../../core/live/task.js";
import { failureInWords } from "../../core/task/failure.js";
import type { Happening } from "../../core/task/notice.js";
import type { TaskFailure } from "../../core/task/record.js";
import { quoted, quotedJson } from "./escape.js";
import { messageInWords } from "./message-text.js";
import { choicesInWords, idOf, nameInWords } from "./task-line.js";

/** Of a result, a message, an error: what follows is read with `get_task`. */
export const MOST_OF_ONE = 600;
const MOST_OF_NAME = 60;

/** `most`: characters of each text of the task. */
export function noticeInWords(task: Task, what: Happening, most = MOST_OF_ONE): string {
  if (what.type === "message.sent" && what.message.direction === "inbound")
    return `you are told: ${messageInWords(what.message, most)}`;
  return `${nameInWords(task)} ${happeningInWords(task, what, most)}`;
}

function happeningInWords(task: Task, what: Happening, most: number): string {
  switch (what.type) {
    case "message.sent":
      return `says: ${messageInWords(what.message, most)}`;
    case "request.opened": {
      const { id, kind, question, choices, status } = what.request;
      if (status !== "open") return `asked ${quoted(question, most)}: ${status} by now`;
      if (kind === "approval") return `waits until a person approves: ${quoted(question, most)}`;
      const among = choices === undefined ? "" : ` (${choicesInWords(choices)})`;
      return `asks ${idOf(id)}: ${quoted(question, most)}${among}`;
    }
    case "custom":
      return `emitted ${quoted(what.name, MOST_OF_NAME)}${what.payload === undefined ? "" : ` ${quotedJson(what.payload, most)}`}`;
    default:
      return endInWords(task, most);
  }
}

function endInWords({ state }: Task, most: number): string {
  const { outcome, output, details } = state;
  const summary = details.summary === undefined ? "" : ` Summary: ${quoted(details.summary, most)}`;
  switch (outcome?.status) {
    case "failed":
      return `${failed(outcome.error, most)}${summary}`;
    case "cancelled":
      return `was cancelled: ${quoted(outcome.reason, most)}${summary}`;
    case "interrupted": {
      const { reason, instanceId, pid, attemptsUsed } = outcome;
      const process = instanceId === undefined ? "" : ` (instance ${idOf(instanceId)}, pid ${pid})`;
      return `was interrupted: ${reason}${process}; ${attemptsUsed === undefined ? "it does not go on" : `its ${attemptsUsed} attempts are used up`}${summary}`;
    }
    default: {
      if (output === undefined) return `succeeded${summary}`;
      if ("outputOmitted" in output) return `succeeded, with a result that only the program can read${summary}`;
      if ("outputLost" in output) return `succeeded, and its result was lost since${summary}`;
      // Where there is little room the result says more.
      return `succeeded: ${quotedJson(output.output, most)}${most < MOST_OF_ONE ? "" : summary}`;
    }
  }
}

function failed(error: TaskFailure, most: number): string {
  return `failed${error.code === "error" ? "" : ` (${error.code})`}: ${quoted(failureInWords(error), most)}`;
}
